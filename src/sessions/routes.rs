use super::handlers;
use crate::http::{Route, routes};

/// The routes of sessions and their subjects.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes! {
        GET    "/v1/sessions/current"                 "session"          Sessions handlers::get_session;
        PATCH  "/v1/sessions/current"                 "session"          Sessions handlers::patch_session;
        DELETE "/v1/sessions/current"                 "session"          Sessions handlers::sign_out;
        POST   "/v1/sessions/current/rotate"          "session_rotate"   Sessions handlers::rotate_session;
        POST   "/v1/sessions/current/extend"          "session_extend"   Sessions handlers::extend_session;
        POST   "/v1/sessions"                         "sessions"         Sessions handlers::create_session;
        GET    "/v1/sessions/stats"                   "session_stats"    Sessions handlers::session_stats;
        GET    "/v1/subjects/{subject}/sessions"      "subject_sessions" Sessions handlers::list_sessions;
        DELETE "/v1/subjects/{subject}/sessions"      "subject_sessions" Sessions handlers::end_sessions;
        DELETE "/v1/subjects/{subject}/sessions/{id}" "subject_session"  Sessions handlers::end_session;
    }
}
