use super::super::model::NewSession;
use super::super::stats::Stats;
use super::answer::{NewSessionBody, SessionBody};
use super::{State, answer};
use crate::http::{Body, Client, IdempotencyKey, Problem, WithBytes, reply};
use crate::once::Once;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// Create a session
///
/// The response contains the token, which is never shown again. If the client disconnects before the response, the session is ended.
/// If the subject has `SESSIONS_PER_SUBJECT` sessions already, the oldest one ends. Beyond `SESSIONS_MAX` sessions of all subjects the
/// response is a 429. For the platform's other services, which have authenticated the user: the call requires no credentials yet. A call
/// whose response was lost can be repeated within a day with the same `Idempotency-Key`: the session that it created ends, and a new one
/// is created, because only the hash of a token is stored.
#[utoipa::path(
    post, path = "/v1/sessions", operation_id = "create_session", tag = "sessions", request_body = NewSessionBody,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 201, description = "Created", body = SessionBody),
        (status = 413, description = "A body of more than 64 KiB", body = Problem),
        (status = 422, description = "Not acceptable, or the same key with another body", body = Problem),
        (status = 503, description = "Redis is unavailable; if a session was created nevertheless, it is ended in the background", body = Problem),
    )
)]
pub async fn create_session(
    client: Client,
    state: State,
    IdempotencyKey(key): IdempotencyKey,
    Body(WithBytes { value: new, bytes }): Body<WithBytes<NewSession>>,
) -> Result<HttpResponse, Problem> {
    let once = key.map(|key| Once::new(&["session", &new.subject], &key, &bytes));
    let (token, session) = client.deliver(state.offer(&new, once.as_ref()).await?).await?;
    answer(StatusCode::CREATED, &session, Some(&token))
}

/// Get session statistics
///
/// Counters of this instance, and an approximate number of sessions of all instances that are in use.
#[utoipa::path(
    get, path = "/v1/sessions/stats", operation_id = "get_session_stats", tag = "sessions",
    responses(
        (status = 200, description = "The figures", body = Stats),
    )
)]
pub async fn session_stats(state: State) -> Result<HttpResponse, Problem> {
    reply::value(StatusCode::OK, &state.shared().stats())
}
