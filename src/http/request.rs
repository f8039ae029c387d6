use super::{FieldError, Problem, Query};
use crate::ids::Id;
use actix_web::HttpRequest;
use actix_web::http::header::{ACCEPT, AUTHORIZATION};

/// The id in the path under `name`.
///
/// # Errors
/// 422 if it is none.
pub fn path_id(request: &HttpRequest, name: &str) -> Result<Id, Problem> {
    unreserved_path_id(request, name, &[])
}

/// Parses an id from the path of a collection that reserves some words.
///
/// # Errors
/// 422 if it is not an id, or is a reserved word.
pub fn unreserved_path_id(request: &HttpRequest, name: &str, reserved: &'static [&'static str]) -> Result<Id, Problem> {
    let id = request.match_info().get(name).unwrap_or_default();
    Id::parse_unreserved(id, reserved)
        .map_err(|error| Problem::unacceptable(vec![FieldError::new(name, error.to_string())]))
}

/// Whether the client names a media type that it would have instead of what a call answers otherwise.
#[must_use]
pub fn asks_for(request: &HttpRequest, media_type: &str) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains(media_type))
}

/// The token of a request's `Authorization: Bearer`, if it has one.
#[must_use]
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    let credentials = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// For a call without query parameters.
///
/// # Errors
/// 400 for any.
pub fn no_query(request: &HttpRequest) -> Result<(), Problem> {
    match request.query_string() {
        "" => Ok(()),
        query => Query::parse(query, &[], &[]).map(drop),
    }
}
