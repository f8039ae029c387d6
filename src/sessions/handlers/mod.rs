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
use crate::http::{self, Problem, reply};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

/// The state of a worker that the handlers use.
pub type State = web::Data<Sessions>;

/// The token that a request carries.
fn bearer(request: &HttpRequest) -> Result<Token, Problem> {
    let token = http::bearer(request)
        .ok_or_else(|| Problem::unauthorized("send the session's token as Authorization: Bearer"))?;
    // In the words of one that opens nothing: the form of tokens is nobody's business.
    Token::parse(token).ok_or_else(|| super::SessionError::Unknown.into())
}

/// A session as the answer.
fn answer(status: StatusCode, session: &Session, token: Option<&Token>) -> Result<HttpResponse, Problem> {
    private(status, &SessionBody::new(session, token))
}

/// An answer that no cache may keep.
fn private(status: StatusCode, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let mut response = reply::value(status, body)?;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
