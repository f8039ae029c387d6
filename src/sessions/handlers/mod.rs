//! The HTTP interface of the slice; a file per resource.
//!
//! A token authenticates its own session. The calls about a subject are for the platform's other services: they carry no
//! credentials yet, so they must not be reachable from outside.

mod collection;
mod current;
mod subject;

pub use collection::{__path_create_session, __path_session_stats, create_session, session_stats};
pub use current::{
    __path_extend_session, __path_get_session, __path_patch_session, __path_rotate_session, __path_sign_out,
    extend_session, get_session, patch_session, rotate_session, sign_out,
};
pub use subject::{
    __path_end_session, __path_end_sessions, __path_list_sessions, end_session, end_sessions, list_sessions,
};

use super::answer::SessionBody;
use super::{Session, Sessions, Token};
use crate::http::{Argument, Problem, bearer, reply};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::Serialize;
use std::future::{Ready, ready};

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
        ready(token.and_then(|token| Self::parse(token).ok_or_else(|| super::SessionError::Unknown.into())))
    }
}

impl Argument for Token {}

/// Returns a response with a session.
fn answer(status: StatusCode, session: &Session, token: Option<&Token>) -> Result<HttpResponse, Problem> {
    private(status, &SessionBody::new(session, token))
}

/// Returns a response that no cache may store.
fn private(status: StatusCode, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let mut response = reply::value(status, body)?;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
