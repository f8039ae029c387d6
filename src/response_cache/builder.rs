//! The middleware and its builder: the caching rule of a route.

use super::key::{KeyRule, QueryKey};
use super::policy::Rules;
use super::shared::Shared;
use super::store::ResponseStore;
use crate::cache::{Cache, Tag};
use crate::ids::Id;
use actix_web::dev::{RequestHead, ResponseHead, ServiceRequest};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The statuses that are stored by default.
const STATUSES: [StatusCode; 5] = [
    StatusCode::OK,
    StatusCode::NON_AUTHORITATIVE_INFORMATION,
    StatusCode::NO_CONTENT,
    StatusCode::MOVED_PERMANENTLY,
    StatusCode::PERMANENT_REDIRECT,
];

type Tags = Arc<dyn Fn(&ServiceRequest) -> Vec<Tag> + Send + Sync>;
type OfRequest = Arc<dyn Fn(&RequestHead) -> bool + Send + Sync>;
type OfResponse = Arc<dyn Fn(&ResponseHead) -> bool + Send + Sync>;

/// Middleware that caches responses; see the [module](super).
///
/// It changes the headers of requests that it forwards, so an outer middleware must not hold a clone of their [`HttpRequest`](actix_web::HttpRequest)
/// during the call: actix-web panics then, as it does if a clone is held while a request is routed. An outer middleware reads what it needs
/// before it forwards the request, or from the request of the response.
#[derive(Debug, Clone)]
pub struct ResponseCache(pub(super) Arc<Builder>);

impl ResponseCache {
    /// Starts a builder. Responses are stored in a namespace of `cache`, which can be invalidated and has statistics of its own.
    #[must_use]
    pub fn builder(cache: &Cache, shared: &Arc<Shared>, namespace: Id) -> Builder {
        Builder::new(cache, shared, namespace)
    }
}

/// Builds a [`ResponseCache`]; see [`ResponseCache::builder`].
#[derive(Clone)]
pub struct Builder {
    pub(super) shared: Arc<Shared>,
    pub(super) cache: Cache,
    pub(super) namespace: Id,
    pub(super) key: KeyRule,
    pub(super) rules: Rules,
    pub(super) tags: Option<Tags>,
    pub(super) skip: Option<OfRequest>,
    pub(super) condition: Option<OfResponse>,
    pub(super) max_body: usize,
    pub(super) max_age: Option<Duration>,
    pub(super) local: Duration,
    pub(super) invalidate_on_write: bool,
    pub(super) redis_timeout: Duration,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("namespace", &self.namespace)
            .field("key", &self.key)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(super) fn new(cache: &Cache, shared: &Arc<Shared>, namespace: Id) -> Self {
        let options = shared.options();
        Self {
            shared: Arc::clone(shared),
            cache: cache.clone(),
            namespace,
            key: KeyRule {
                per_host: true,
                ..KeyRule::default()
            },
            rules: Rules {
                ttl: None,
                stale_while_revalidate: Duration::ZERO,
                stale_if_error: Duration::ZERO,
                statuses: STATUSES.to_vec(),
                share_authorized: false,
                share_cookies: false,
                floor: options.floor,
            },
            tags: None,
            skip: None,
            condition: None,
            max_body: options.max_body,
            max_age: None,
            local: Duration::ZERO,
            invalidate_on_write: false,
            redis_timeout: options.redis_timeout,
        }
    }

    /// Sets the freshness lifetime of responses without one of their own (`Cache-Control`, `Expires`). By default these are not stored.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.rules.ttl = Some(ttl);
        self
    }

    /// Sets how long a response is then served stale while a new one is fetched, unless the response specifies it.
    #[must_use]
    pub fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.rules.stale_while_revalidate = window;
        self
    }

    /// Sets how long a response is then served stale instead of a 500, 502, 503 or 504, unless the response specifies it.
    #[must_use]
    pub fn stale_if_error(mut self, window: Duration) -> Self {
        self.rules.stale_if_error = window;
        self
    }

    /// Adds request headers that responses vary on. Responses name them in `Vary`. If a handler names other headers there, they count as
    /// well, and cost a second lookup.
    #[must_use]
    pub fn vary(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.key.vary.extend(names);
        self
    }

    /// Sets the query parameters that responses depend on; by default all, in any order. A public route should name them
    /// ([`QueryKey::Only`]): otherwise each query that a client invents is a key of its own, which calls the handler and takes memory.
    #[must_use]
    pub fn query(mut self, query: QueryKey) -> Self {
        self.key.query = query;
        self
    }

    /// Shares responses between all schemes and hosts. Only if no response repeats the scheme or host that the client sent, in `Host`,
    /// `Forwarded` or `X-Forwarded-*`.
    #[must_use]
    pub fn any_host(mut self) -> Self {
        self.key.per_host = false;
        self
    }

    /// Sets a function whose result replaces path and query in the key.
    #[must_use]
    pub fn key(mut self, key: impl Fn(&ServiceRequest) -> String + Send + Sync + 'static) -> Self {
        self.key.custom = Some(Arc::new(key));
        self
    }

    /// Sets a function that returns the tags of a response from its request: before the handler is called, so that no invalidation
    /// during the call is missed.
    #[must_use]
    pub fn tags(mut self, tags: impl Fn(&ServiceRequest) -> Vec<Tag> + Send + Sync + 'static) -> Self {
        self.tags = Some(Arc::new(tags));
        self
    }

    /// Bypasses the cache for the requests for which this returns true.
    #[must_use]
    pub fn skip(mut self, skip: impl Fn(&RequestHead) -> bool + Send + Sync + 'static) -> Self {
        self.skip = Some(Arc::new(skip));
        self
    }

    /// Stores only the responses for which this returns true.
    #[must_use]
    pub fn condition(mut self, condition: impl Fn(&ResponseHead) -> bool + Send + Sync + 'static) -> Self {
        self.condition = Some(Arc::new(condition));
        self
    }

    /// Sets the statuses that are stored, instead of 200, 203, 204, 301 and 308. With 404 or 410 a client can fill the cache with
    /// responses of paths that do not exist.
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.rules.statuses = statuses.into_iter().collect();
        self
    }

    /// Shares responses to requests with `Authorization`. Only if the handler does not read it.
    #[must_use]
    pub fn share_authorized(mut self) -> Self {
        self.rules.share_authorized = true;
        self
    }

    /// Shares responses with `Set-Cookie`, including the cookie.
    #[must_use]
    pub fn share_cookies(mut self) -> Self {
        self.rules.share_cookies = true;
        self
    }

    /// Sets the maximum size of a stored body, in bytes.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how long clients may reuse a response without a request (`max-age`), unless the handler specifies it. By default they have
    /// to validate it each time (`no-cache`), because an invalidation does not reach the caches of clients.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Sets how long an instance may keep a response in its own memory, at most `CACHE_LOCAL_TTL_MS`. That memory receives invalidations
    /// of other instances a moment after they are acknowledged.
    #[must_use]
    pub fn local(mut self, local: Duration) -> Self {
        self.local = local;
        self
    }

    /// Makes a successful `POST`, `PUT`, `PATCH` or `DELETE` invalidate the stored responses of its path (RFC 9111, section 4.4), before
    /// it is answered, and even if its client disconnects. If Redis refuses that for a second, the write is still answered, because it was
    /// done; `Cache-Status` then says `not-invalidated`, and the stored responses may be served for the rest of their lifetime.
    #[must_use]
    pub fn invalidate_on_write(mut self) -> Self {
        self.invalidate_on_write = true;
        self
    }

    /// Sets the age up to which a response is fresh enough even for a client that requires validation.
    #[must_use]
    pub fn floor(mut self, floor: Duration) -> Self {
        self.rules.floor = floor;
        self
    }

    /// Builds the middleware.
    #[must_use]
    pub fn build(self) -> ResponseCache {
        ResponseCache(Arc::new(self))
    }

    pub(super) fn store(&self) -> ResponseStore {
        ResponseStore::new(self.cache.clone(), self.namespace.clone(), self.redis_timeout)
    }
}
