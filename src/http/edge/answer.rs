//! Finishes answers: headers, compression, HEAD.

use super::compress::compress;
use super::cors::Cors;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ResponseHead, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderMap, HeaderValue};
use actix_web::{Error, HttpResponse};
use bytes::Bytes;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Adds the headers that a handler does not set, compresses the answer, and removes the body of an answer to HEAD.
pub(super) fn finish(response: ServiceResponse, is_head: bool, cors: &Cors) -> ServiceResponse {
    let mut response = compress(response);
    complete(response.headers_mut(), cors);
    if is_head {
        return response.map_body(|head, body| without_body(head, body.size()));
    }
    response
}

/// Does the same for the refusal of a middleware, which has no request.
pub(super) fn finish_error(error: Error, is_head: bool, cors: &Cors) -> Error {
    let mut response: HttpResponse = error.error_response();
    complete(response.headers_mut(), cors);
    if is_head {
        response = response.map_body(|head, body| without_body(head, body.size()));
    }
    InternalError::from_response(error, response).into()
}

fn complete(headers: &mut HeaderMap, cors: &Cors) {
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    cors.add_headers(headers);
}

/// Keeps `Content-Length` and removes the body. The body's size is hidden from actix-http: once that has read the next request, it no
/// longer treats this answer as one to a HEAD, and would expect a body of that size.
fn without_body(head: &mut ResponseHead, size: BodySize) -> BoxBody {
    head.no_chunking(true);
    if let BodySize::Sized(size) = size
        && head.status != StatusCode::NOT_MODIFIED
    {
        head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    }
    BoxBody::new(NoBody)
}

/// Replaces a body that is not sent.
struct NoBody;

impl MessageBody for NoBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
