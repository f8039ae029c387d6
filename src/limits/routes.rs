use super::handlers;
use crate::http::{Route, routes};

/// The routes of rate limits.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes! {
        POST   "/v1/limits/check"          "limit_check"    Limits handlers::check;
        GET    "/v1/limits/policies"       "limit_policies" Limits handlers::policies;
        DELETE "/v1/limits/{policy}/{key}" "limit"          Limits handlers::reset;
    }
}
