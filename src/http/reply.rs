//! Answers that carry JSON.

use super::Problem;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

/// 200 with JSON that is written already.
#[must_use]
pub fn json(body: Vec<u8>) -> HttpResponse {
    answer(HeaderValue::from_static("application/json"), body)
}

/// 200 with a body of some media type.
#[must_use]
pub fn answer(media_type: HeaderValue, body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, media_type)).body(body)
}

/// A value as JSON.
///
/// # Errors
/// 500 if it cannot be JSON; a mistake in its type.
pub fn json_of(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|error| Problem::internal(&error))
}

/// A status with a value as JSON.
///
/// # Errors
/// 500 if it cannot be JSON; a mistake in its type.
pub fn value(status: StatusCode, value: &impl Serialize) -> Result<HttpResponse, Problem> {
    let body = json_of(value)?;
    Ok(HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .body(body))
}
