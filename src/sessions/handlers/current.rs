use super::super::token::Token;
use super::answer::{DataPatchBody, ExtensionBody, SessionBody};
use super::input::{DataPatch, Extension};
use super::{State, answer};
use crate::http::{Body, Problem};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// Validate a session
///
/// This counts as a use: the end of the session moves to its idle time to live from now, never past its absolute end. The end is moved at
/// most once a minute, or once in a tenth of the idle time to live if that is shorter; `expires_at` is the end that applies.
#[utoipa::path(
    get, path = "/v1/sessions/current", operation_id = "get_session", tag = "sessions", security(("session" = [])),
    responses(
        (status = 200, description = "It is valid", body = SessionBody),
        (status = 401, description = "No token, or one that does not open a session (any more)", body = Problem),
        (status = 503, description = "Redis is unavailable, so the token cannot be validated", body = Problem),
    )
)]
pub async fn get_session(token: Token, state: State) -> Result<HttpResponse, Problem> {
    let session = state.validate(&token).await?;
    answer(StatusCode::OK, &session, None)
}

/// Merge into a session's data
///
/// Requires the version of the data that was read. A 409 contains the current version: read again, and merge into that version. After a
/// 503 the change may have been made; the same call then returns 409.
#[utoipa::path(
    patch, path = "/v1/sessions/current", operation_id = "patch_session", tag = "sessions", security(("session" = [])), request_body = DataPatchBody,
    responses(
        (status = 200, description = "Merged", body = SessionBody),
        (status = 401, description = "No token, or one that does not open a session (any more)", body = Problem),
        (status = 409, description = "The data are at another version (`version_conflict`)", body = Problem),
        (status = 413, description = "A body of more than 64 KiB", body = Problem),
        (status = 422, description = "Validation failed, or more than 16 KiB together with the existing data", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn patch_session(token: Token, state: State, Body(patch): Body<DataPatch>) -> Result<HttpResponse, Problem> {
    let session = state.merge(&token, patch.version, patch.data()?).await?;
    answer(StatusCode::OK, &session, None)
}

/// End a session
///
/// After the response the session has ended for good. After a 503 it may have ended; the same call then returns 401.
#[utoipa::path(
    delete, path = "/v1/sessions/current", operation_id = "end_session", tag = "sessions", security(("session" = [])),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 401, description = "No token, or one that does not open a session (any more)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn sign_out(token: Token, state: State) -> Result<HttpResponse, Problem> {
    state.sign_out(&token).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Replace a session's token
///
/// The old token is accepted for a short grace period, and after that until a later token is used for the first time. Its use after both
/// means that two parties have it, and ends the session with all its tokens. If the response is lost, or is a 503, continue with the old
/// token and repeat the call with it: that returns another new token. Of several new tokens keep the last one. While eight replaced
/// tokens are still accepted, the response is a 429 with `Retry-After`.
#[utoipa::path(
    post, path = "/v1/sessions/current/rotate", operation_id = "rotate_session", tag = "sessions", security(("session" = [])),
    responses(
        (status = 200, description = "The session with its new token", body = SessionBody),
        (status = 401, description = "No token, or one that does not open a session (any more)", body = Problem),
        (status = 409, description = "The token was replaced, and a later one is in use; rotate the later one (`token_superseded`)", body = Problem),
        (status = 422, description = "An `Idempotency-Key` was sent, which is not supported here", body = Problem),
        (status = 503, description = "Redis is unavailable; the old token stays valid: repeat the call with it", body = Problem),
    )
)]
pub async fn rotate_session(token: Token, state: State) -> Result<HttpResponse, Problem> {
    let (new, session) = state.rotate(&token).await?;
    answer(StatusCode::OK, &session, Some(&new))
}

/// Extend a session
///
/// Adds the duration to both its ends; neither ever moves to an earlier time. The holder of the token may repeat this up to the maximum
/// lifetime (`SESSION_MAX_TTL_S`, from the creation of the session); the absolute time to live of its creation is no limit. A repeated
/// call after a 503 may extend the session twice.
#[utoipa::path(
    post, path = "/v1/sessions/current/extend", operation_id = "extend_session", tag = "sessions", security(("session" = [])), request_body = ExtensionBody,
    responses(
        (status = 200, description = "The session with its new ends", body = SessionBody),
        (status = 401, description = "No token, or one that does not open a session (any more)", body = Problem),
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
