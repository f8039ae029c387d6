//! How answers leave.

use super::compress::compress;
use super::cors::Cors;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::error::InternalError;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use actix_web::{Error, HttpResponse};
use bytes::Bytes;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Adds to an answer what its handler does not say, compresses it, and takes the body of a HEAD's.
pub(super) fn finish(response: ServiceResponse, is_head: bool, cors: &Cors) -> ServiceResponse {
    let mut response = compress(response);
    complete(response.headers_mut(), cors);
    if is_head {
        return response.map_body(|_, body| BoxBody::new(NoBody(body.size())));
    }
    response
}

/// The same for what a middleware refuses: its request is gone.
pub(super) fn finish_error(error: Error, is_head: bool, cors: &Cors) -> Error {
    let mut response: HttpResponse = error.error_response();
    complete(response.headers_mut(), cors);
    if is_head {
        response = response.map_body(|_, body| BoxBody::new(NoBody(body.size())));
    }
    InternalError::from_response(error, response).into()
}

fn complete(headers: &mut HeaderMap, cors: &Cors) {
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    cors.say(headers);
}

/// Stands for a body that is not sent: a HEAD is answered with its size alone.
struct NoBody(BodySize);

impl MessageBody for NoBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
