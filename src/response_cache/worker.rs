//! The middleware in one worker, and what is known of a request.

use super::builder::Builder;
use super::directives::RequestDirectives;
use super::fault::StoreFault;
use super::status::Forward;
use super::store::ResponseStore;
use super::stored::Response;
use super::validators::Conditions;
use crate::cache::Tag;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, IF_RANGE, RANGE};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Headers that are defined for GET only.
pub(super) const RANGE_HEADERS: [HeaderName; 2] = [RANGE, IF_RANGE];

/// The middleware in one worker.
#[derive(Debug)]
pub(super) struct Worker<S> {
    pub(super) service: S,
    pub(super) store: ResponseStore,
    pub(super) rule: Arc<Builder>,
}

/// The cache directives of a request.
#[derive(Debug, Clone)]
pub(super) struct CacheRequest {
    /// The key without the headers that only the response names in `Vary`.
    pub primary_key: String,
    pub tags: Vec<Tag>,
    pub directives: RequestDirectives,
    pub conditions: Conditions,
    /// Whether it has `Authorization` and the rule does not share such responses.
    pub has_authorization: bool,
}

/// What the lookup for a request found.
#[derive(Debug)]
pub(super) struct Found {
    /// The key under which its response is or will be stored.
    pub key: String,
    /// The headers that responses vary on besides those of the rule, as far as they are known.
    pub names: Vec<HeaderName>,
    pub response: Option<(Box<Response>, Duration)>,
    /// Why Redis gave no answer, if it gave none.
    pub store_fault: Option<StoreFault>,
    /// When the lookup began.
    pub looked_up_at: Instant,
}

/// What is fetched, and for which request.
#[derive(Debug)]
pub(super) struct FetchContext {
    pub request: CacheRequest,
    pub found: Found,
    pub forward: Forward,
}

/// Turns a HEAD into a GET, so that every handler of GET serves HEAD too. The server sends no body.
pub(super) fn send_as_get(request: &mut ServiceRequest) {
    request.head_mut().method = Method::GET;
    for name in RANGE_HEADERS {
        request.headers_mut().remove(name);
    }
}
