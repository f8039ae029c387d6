use super::super::answer::{DataPatchBody, ExtensionBody, SessionBody};
use super::super::input::{DataPatch, Extension};
use super::super::token::Token;
use super::{State, answer};
use crate::http::{Body, Problem};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// Validate a session
///
/// A use of it: its end moves to its idle time to live from now, never past its absolute end. Written at most once a minute,
/// or in a tenth of the idle time to live if that is shorter; `expires_at` is the end that holds.
#[utoipa::path(
    get, path = "/v1/sessions/current", operation_id = "get_session", tag = "sessions", security(("session" = [])),
    responses(
        (status = 200, description = "It is valid", body = SessionBody),
        (status = 401, description = "No token, or one that opens nothing (any more)", body = Problem),
        (status = 503, description = "Redis is unavailable, so the token cannot be validated", body = Problem),
    )
)]
pub async fn get_session(token: Token, state: State) -> Result<HttpResponse, Problem> {
    let session = state.validate(&token).await?;
    answer(StatusCode::OK, &session, None)
}

/// Merge into a session's data
///
/// With the version that they were read at. A 409 has the version that is there: read again, and merge into that. After a
/// 503 the change may have been made; the same call again is then a 409.
#[utoipa::path(
    patch, path = "/v1/sessions/current", operation_id = "patch_session", tag = "sessions", security(("session" = [])), request_body = DataPatchBody,
    responses(
        (status = 200, description = "Merged", body = SessionBody),
        (status = 401, description = "No token, or one that opens nothing (any more)", body = Problem),
        (status = 409, description = "The data are at another version (`version_conflict`)", body = Problem),
        (status = 413, description = "A body of more than 64 KiB", body = Problem),
        (status = 422, description = "Not acceptable, or more than 16 KiB with what is there", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn patch_session(token: Token, state: State, Body(patch): Body<DataPatch>) -> Result<HttpResponse, Problem> {
    let session = state.merge(&token, patch.version, patch.data()?).await?;
    answer(StatusCode::OK, &session, None)
}

/// End a session
///
/// Over for good once this is answered. After a 503 it may be over; then the same call again is a 401.
#[utoipa::path(
    delete, path = "/v1/sessions/current", operation_id = "end_session", tag = "sessions", security(("session" = [])),
    responses(
        (status = 204, description = "It is over"),
        (status = 401, description = "No token, or one that opens nothing (any more)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn sign_out(token: Token, state: State) -> Result<HttpResponse, Problem> {
    state.sign_out(&token).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Replace a session's token
///
/// The old one is honoured for a short grace, and beyond it until a later one is used for the first time. Its use after both
/// means that two have it, and ends the session with all its tokens. Should the answer be lost, or be a 503, go on with the
/// old token and repeat the call with it: that gives another new one. Of several new ones keep the one that came last. While eight replaced tokens are honoured still, the
/// answer is a 429 whose `Retry-After` says for how long.
#[utoipa::path(
    post, path = "/v1/sessions/current/rotate", operation_id = "rotate_session", tag = "sessions", security(("session" = [])),
    responses(
        (status = 200, description = "The session with its new token", body = SessionBody),
        (status = 401, description = "No token, or one that opens nothing (any more)", body = Problem),
        (status = 409, description = "The token was replaced, and a later one is in use: rotate that (`token_superseded`)", body = Problem),
        (status = 422, description = "An `Idempotency-Key` was sent, which is not honoured here", body = Problem),
        (status = 503, description = "Redis is unavailable; the old token stays valid: repeat the call with it", body = Problem),
    )
)]
pub async fn rotate_session(token: Token, state: State) -> Result<HttpResponse, Problem> {
    let (new, session) = state.rotate(&token).await?;
    answer(StatusCode::OK, &session, Some(&new))
}

/// Extend a session
///
/// Both its ends move by so much; neither ever moves to an earlier time. Whoever has the token may do this over and over, up
/// to the longest life that the service allows (`SESSION_MAX_TTL_S`, from the session's creation on): the absolute time to
/// live that its creator gave is no bound to it. Repeated after a 503 it may move them twice.
#[utoipa::path(
    post, path = "/v1/sessions/current/extend", operation_id = "extend_session", tag = "sessions", security(("session" = [])), request_body = ExtensionBody,
    responses(
        (status = 200, description = "The session with its new ends", body = SessionBody),
        (status = 401, description = "No token, or one that opens nothing (any more)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn extend_session(
    token: Token,
    state: State,
    Body(Extension(by)): Body<Extension>,
) -> Result<HttpResponse, Problem> {
    let session = state.extend(&token, by).await?;
    answer(StatusCode::OK, &session, None)
}
