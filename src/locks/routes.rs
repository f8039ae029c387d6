use super::handlers;
use crate::http::{Route, routes};

/// The routes of locks.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes! {
        POST            "/v1/locks/{name}"         "lock"         Locks handlers::acquire;
        GET             "/v1/locks/{name}"         "lock"         Locks handlers::inspect;
        DELETE          "/v1/locks/{name}"         "lock"         Locks handlers::release;
        POST idempotent "/v1/locks/{name}/renew"   "lock_renew"   Locks handlers::renew;
        POST idempotent "/v1/locks/{name}/release" "lock_release" Locks handlers::release_with_post;
    }
}
