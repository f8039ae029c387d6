use super::handlers;
use crate::http::{Route, routes};

/// The routes of positions and profiles.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes! {
        GET             "/v1/{kind}/nearby"        "nearby"    Dispatch       handlers::nearby;
        POST idempotent "/v1/{kind}/nearby"        "nearby"    Dispatch       handlers::nearby_many;
        POST idempotent "/v1/{kind}/positions"     "positions" PositionsWrite handlers::report_batch;
        GET             "/v1/{kind}/within"        "within"    Dispatch       handlers::within;
        POST idempotent "/v1/{kind}/{id}/position" "position"  PositionsWrite handlers::report;
        GET             "/v1/{kind}/{id}/position" "position"  PositionsRead  handlers::locate;
        DELETE          "/v1/{kind}/{id}/position" "position"  PositionsWrite handlers::forget;
        GET             "/v1/{kind}/{id}"          "profile"   PositionsRead  handlers::get_profile;
        PUT             "/v1/{kind}/{id}"          "profile"   PositionsWrite handlers::put_profile;
        PATCH           "/v1/{kind}/{id}"          "profile"   PositionsWrite handlers::patch_profile;
        DELETE          "/v1/{kind}/{id}"          "profile"   PositionsWrite handlers::delete_profile;
    }
}
