//! The arguments of handlers that only this slice has: namespaces, keys, the token for listings, bodies with values.

use super::{Cache, State};
use crate::cache::{CacheSettings, MAX_KEY};
use crate::http::{Argument, PathValue, Problem, RawBody, bearer, unreserved_path_id};
use crate::ids::{Id, percent_decoded};
use crate::runtime::{apart, takes_long};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::future::{Ready, ready};

/// Words of the slice's own routes, which cannot be namespaces.
const RESERVED: &[&str] = &["stats", "events", "tags", "counters", "tickets"];
/// The namespace for responses that programs cache, which clients must not write.
const CACHED_RESPONSES: &str = "responses";

/// A namespace of callers.
pub struct Namespace(pub(super) Id);

/// A namespace of callers, or that of cached responses.
pub struct AnyNamespace(pub(super) Id);

impl AnyNamespace {
    /// # Errors
    /// 422 if it is that of cached responses.
    pub(super) fn of_callers(self) -> Result<Namespace, Problem> {
        let Self(id) = self;
        if id.as_str() == CACHED_RESPONSES {
            let detail = format!(
                "{CACHED_RESPONSES} is reserved for cached responses, and can only be cleared; use another namespace"
            );
            return Err(Problem::invalid_parameter("namespace", detail));
        }
        Ok(Namespace(id))
    }
}

impl PathValue for AnyNamespace {
    fn read(request: &HttpRequest, name: &str) -> Result<Self, Problem> {
        unreserved_path_id(request, name, RESERVED).map(Self)
    }
}

impl PathValue for Namespace {
    fn read(request: &HttpRequest, name: &str) -> Result<Self, Problem> {
        AnyNamespace::read(request, name)?.of_callers()
    }
}

/// The key of an entry or a counter: the last segment of the path.
pub struct Key(pub(super) String);

impl PathValue for Key {
    /// Decodes the path as the client sent it, because the router leaves some characters encoded and replaces what is not UTF-8.
    fn read(request: &HttpRequest, name: &str) -> Result<Self, Problem> {
        let raw = request.uri().path().rsplit('/').next().unwrap_or_default();
        let key = percent_decoded(raw).filter(|key| (1..=MAX_KEY).contains(&key.len()));
        key.map(Self).ok_or_else(|| {
            let detail = format!("must be 1 to {MAX_KEY} bytes of UTF-8, percent-encoded");
            Problem::invalid_parameter(name, detail)
        })
    }
}

/// Proof that a request has the token for listings.
pub struct ListingToken(());

impl FromRequest for ListingToken {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(check_listing_token(request))
    }
}

impl Argument for ListingToken {}

fn check_listing_token(request: &HttpRequest) -> Result<ListingToken, Problem> {
    let cache = cache_of(request)?;
    let Some(token) = &cache.shared().settings().listing_token else {
        return Err(Problem::forbidden(
            "keys are not listed here: CACHE_LISTING_TOKEN is not set",
        ));
    };
    if !bearer(request).is_some_and(|given| token.is(given)) {
        return Err(Problem::unauthenticated(
            "send the token for listings as Authorization: Bearer",
        ));
    }
    Ok(ListingToken(()))
}

/// A body with values, whose maximum size is a setting. A large one is parsed on another thread.
pub struct ValueBody<T>(pub(super) T);

/// What a body with values is read as.
pub trait FromValueBody: Sized + Send + 'static {
    /// Returns the maximum size of the body, in bytes. A larger one is a 413.
    fn max_bytes(settings: &CacheSettings) -> usize;

    /// Reads a body.
    ///
    /// # Errors
    /// 400 if it is not JSON, 413 if a value is too large, 422 if a member is not valid.
    fn read(body: &Bytes, cache: &Cache) -> Result<Self, Problem>;
}

impl<T: FromValueBody> FromRequest for ValueBody<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        async move {
            let cache = cache_of(&request)?;
            let max_bytes = T::max_bytes(cache.shared().settings());
            let body = RawBody::read_json(&request, &mut payload, max_bytes).await?;
            if !takes_long(body.len()) {
                return T::read(&body, cache).map(Self);
            }
            let cache = cache.clone();
            apart(body.len(), move || T::read(&body, &cache)).await?.map(Self)
        }
        .boxed_local()
    }
}

impl<T: FromValueBody> Argument for ValueBody<T> {}

fn cache_of(request: &HttpRequest) -> Result<&Cache, Problem> {
    let state = request.app_data::<State>();
    state
        .map(State::get_ref)
        .ok_or_else(|| Problem::internal(&"the application has no cache"))
}
