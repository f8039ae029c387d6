use super::coding::prefers;
use super::{Problem, QueryString};
use crate::ids::{ExternalId, Id, parse_member, percent_decoded};
use actix_web::HttpRequest;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, HeaderValue};

/// Parses an id from the path.
///
/// # Errors
/// 422 if it is not an id.
pub fn path_id(request: &HttpRequest, name: &str) -> Result<Id, Problem> {
    unreserved_path_id(request, name, &[])
}

/// Parses an id from the path of a collection that reserves some words.
///
/// # Errors
/// 422 if it is not an id, or is a reserved word.
pub fn unreserved_path_id(request: &HttpRequest, name: &str, reserved: &'static [&'static str]) -> Result<Id, Problem> {
    let id = request.match_info().get(name).unwrap_or_default();
    parse_member(id, reserved).map_err(|error| Problem::invalid_parameter(name, error.to_string()))
}

/// Parses a name of another system from the path, percent-decoded. It reads the path as sent by the client, because the router leaves
/// `%2F` and some others encoded and replaces bytes that are not UTF-8.
///
/// # Errors
/// 422 if it is not such a name.
pub fn path_external_id(request: &HttpRequest, name: &str) -> Result<ExternalId, Problem> {
    let refused = |detail: String| Problem::invalid_parameter(name, detail);
    let pattern = request.match_pattern().unwrap_or_default();
    let mut parts = pattern.split('/').zip(request.uri().path().split('/'));
    let is_it = |part: &str| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) == Some(name);
    let raw = parts.find_map(|(part, raw)| is_it(part).then_some(raw));
    let text = raw.and_then(percent_decoded);
    let text = text.ok_or_else(|| refused("must be UTF-8, percent-encoded".to_owned()))?;
    ExternalId::parse(&text).map_err(|error| refused(error.to_string()))
}

/// Returns whether the client prefers a media type to JSON.
#[must_use]
pub fn asks_for(request: &HttpRequest, media_type: &str) -> bool {
    let is_any = |accept: &HeaderValue| accept == "*/*" || accept == "application/json";
    let accepted = request.headers().get_all(ACCEPT);
    // Most clients have no preference, and nothing has to be parsed to see that.
    !accepted.clone().all(is_any) && prefers(accepted, media_type, "application/json")
}

/// Returns the token of `Authorization: Bearer`, if the request has one.
#[must_use]
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    let credentials = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Refuses query parameters.
///
/// # Errors
/// 400 if the request has one.
pub(super) fn no_query(request: &HttpRequest) -> Result<(), Problem> {
    match request.query_string() {
        "" => Ok(()),
        query => QueryString::parse(query, &[], &[]).map(drop),
    }
}
