use super::handlers;
use crate::http::{Route, routes};

/// The routes of the cache.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes! {
        GET             "/v1/cache/stats"                      "cache_stats"     Cache handlers::cache_stats;
        POST idempotent "/v1/cache/events"                     "cache_events"    Cache handlers::report_event;
        POST idempotent "/v1/cache/tags/invalidate"            "cache_tags"      Cache handlers::invalidate_tags;
        POST            "/v1/cache/tickets/{namespace}/{key}"  "cache_ticket"    Cache handlers::take_ticket;
        POST            "/v1/cache/counters/{namespace}/{key}" "cache_counter"   Cache handlers::count;
        GET             "/v1/cache/counters/{namespace}/{key}" "cache_counter"   Cache handlers::get_counter;
        DELETE          "/v1/cache/counters/{namespace}/{key}" "cache_counter"   Cache handlers::delete_counter;
        GET             "/v1/cache/{namespace}"                "cache_namespace" Cache handlers::list_keys;
        POST idempotent "/v1/cache/{namespace}"                "cache_namespace" Cache handlers::batch;
        DELETE          "/v1/cache/{namespace}"                "cache_namespace" Cache handlers::clear_namespace;
        GET             "/v1/cache/{namespace}/{key}"          "cache_entry"     Cache handlers::get_entry;
        PUT             "/v1/cache/{namespace}/{key}"          "cache_entry"     Cache handlers::put_entry;
        PATCH           "/v1/cache/{namespace}/{key}"          "cache_entry"     Cache handlers::touch_entry;
        DELETE          "/v1/cache/{namespace}/{key}"          "cache_entry"     Cache handlers::delete_entry;
    }
}
