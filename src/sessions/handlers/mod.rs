//! The HTTP interface of the slice; a file per resource.
//!
//! A token authenticates its own session. The calls about a subject are for the platform's other services: they carry no
//! credentials yet, so they must not be reachable from outside.

mod answer;
mod collection;
mod current;
mod input;
mod subject;

pub use collection::{__path_create_session, __path_session_stats, create_session, session_stats};
pub use current::{
    __path_extend_session, __path_get_session, __path_patch_session, __path_rotate_session, __path_sign_out,
    extend_session, get_session, patch_session, rotate_session, sign_out,
};
pub use subject::{
    __path_end_session, __path_end_sessions, __path_list_sessions, end_session, end_sessions, list_sessions,
};

use super::{Session, SessionError, Sessions, Token};
use crate::http::{Argument, FieldError, Problem, bearer, reply};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use answer::SessionBody;
use std::future::{Ready, ready};

/// `Retry-After` while there are `SESSIONS_MAX` sessions, seconds: they are counted again in this time.
const RETRY_FULL_S: u32 = 10;

/// The state of a worker that the handlers use.
pub type State = web::Data<Sessions>;

/// The token of a request. A request without a token in the form of a session token is answered 401.
impl FromRequest for Token {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let token = bearer(request).ok_or_else(|| {
            // The message describes how to send a token, but not the form of tokens.
            Problem::unauthenticated("send the session's token as Authorization: Bearer")
        });
        ready(token.and_then(|token| Self::parse(token).ok_or_else(|| SessionError::Unknown.into())))
    }
}

impl Argument for Token {}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Unknown | SessionError::Reused => Self::unauthenticated(error.to_string()),
            SessionError::Superseded => {
                Self::conflict("token_superseded", "Another token is in use", error.to_string())
            }
            SessionError::TooManyRotations { after } => {
                let seconds = u32::try_from(after.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
                Self::too_many_requests(error.to_string(), seconds.max(1))
            }
            SessionError::Conflict { version } => Self::conflict(
                "version_conflict",
                "The session data have changed",
                format!("the data are at version {version}; read them, and merge into that version"),
            )
            .with("version", version),
            SessionError::TooMuchData | SessionError::TooDeep | SessionError::NoData(_) => {
                Self::validation_failed(vec![FieldError::new("data", error.to_string())])
            }
            SessionError::KeyReused => Self::invalid_parameter("Idempotency-Key", error.to_string()),
            SessionError::TooMany => Self::too_many(
                "too_many_sessions",
                "There are too many sessions",
                error.to_string(),
                RETRY_FULL_S,
            ),
            SessionError::Busy => Self::unavailable(error.to_string(), 1),
            SessionError::Random(cause) => {
                tracing::error!(%cause, "the operating system returned no random numbers");
                Self::unavailable("sessions cannot be created at the moment; try again", 5)
            }
            SessionError::Store(error) => error.into(),
        }
    }
}

/// Returns a response with a session.
fn answer(status: StatusCode, session: &Session, token: Option<&Token>) -> Result<HttpResponse, Problem> {
    reply::value(status, &SessionBody::new(session, token))
}
