//! How responses are kept, as whoever mounts the middleware says it.

use super::key::{KeyRule, QueryKey};
use super::middleware::ResponseCache;
use super::shared::Shared;
use super::shelf::Shelf;
use super::terms::Rules;
use crate::cache::{Cache, Tag};
use crate::ids::Id;
use actix_web::dev::{RequestHead, ResponseHead, ServiceRequest};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The statuses that are kept if nothing else is said.
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

/// Says how responses are kept; see [`ResponseCache::builder`].
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
    pub(super) patience: Duration,
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
        let settings = shared.settings();
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
                floor: settings.floor(),
            },
            tags: None,
            skip: None,
            condition: None,
            max_body: settings.response_max_body,
            max_age: None,
            local: Duration::ZERO,
            invalidate_on_write: false,
            patience: settings.patience(),
        }
    }

    /// How long a response is fresh that does not say so itself (`Cache-Control`, `Expires`). Without this only those that
    /// do are kept.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.rules.ttl = Some(ttl);
        self
    }

    /// For how long after that it is served while a new one is fetched, where the response does not say so itself.
    #[must_use]
    pub fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.rules.stale_while_revalidate = window;
        self
    }

    /// For how long after that it is served in the place of a 500, 502, 503 or 504, where the response does not say so itself.
    #[must_use]
    pub fn stale_if_error(mut self, window: Duration) -> Self {
        self.rules.stale_if_error = window;
        self
    }

    /// The request's headers that answers depend on; answers name them in `Vary`. What handlers themselves name there is
    /// heeded as well, at the price of a second look-up.
    #[must_use]
    pub fn vary(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.key.vary.extend(names);
        self
    }

    /// The query parameters that answers depend on; all of them in any order if nothing is said. Whoever may be asked by
    /// anybody should name them ([`QueryKey::Only`]): else each query that a client makes up is a key of its own, which asks
    /// the handler and takes room.
    #[must_use]
    pub fn query(mut self, query: QueryKey) -> Self {
        self.key.query = query;
        self
    }

    /// Answers are the same whatever the scheme and host. Only where no answer repeats what a client says of them: in `Host`,
    /// or in `Forwarded` and `X-Forwarded-*`, which handlers are shown in its place.
    #[must_use]
    pub fn any_host(mut self) -> Self {
        self.key.per_host = false;
        self
    }

    /// A key in the place of path and query.
    #[must_use]
    pub fn key(mut self, key: impl Fn(&ServiceRequest) -> String + Send + Sync + 'static) -> Self {
        self.key.custom = Some(Arc::new(key));
        self
    }

    /// The tags of an answer, by its request: known before the handler is asked, so that an invalidation in the meantime is
    /// not missed.
    #[must_use]
    pub fn tags(mut self, tags: impl Fn(&ServiceRequest) -> Vec<Tag> + Send + Sync + 'static) -> Self {
        self.tags = Some(Arc::new(tags));
        self
    }

    /// Leaves requests alone of which this is true.
    #[must_use]
    pub fn skip(mut self, skip: impl Fn(&RequestHead) -> bool + Send + Sync + 'static) -> Self {
        self.skip = Some(Arc::new(skip));
        self
    }

    /// Keeps those responses alone of which this is true, of all that may be kept.
    #[must_use]
    pub fn condition(mut self, condition: impl Fn(&ResponseHead) -> bool + Send + Sync + 'static) -> Self {
        self.condition = Some(Arc::new(condition));
        self
    }

    /// Which statuses are kept, instead of 200, 203, 204, 301 and 308. With 404 or 410 among them anybody fills the cache
    /// with what is not there.
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.rules.statuses = statuses.into_iter().collect();
        self
    }

    /// Answers to requests with `Authorization` are anybody's. Only where the handler does not look at it.
    #[must_use]
    pub fn share_authorized(mut self) -> Self {
        self.rules.share_authorized = true;
        self
    }

    /// Answers with `Set-Cookie` are anybody's, cookie and all.
    #[must_use]
    pub fn share_cookies(mut self) -> Self {
        self.rules.share_cookies = true;
        self
    }

    /// The largest body that is kept, in bytes.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// For how long clients may use an answer without asking again (`max-age`), where the handler does not say so itself.
    /// Without this they are told to ask each time (`no-cache`), which a 304 answers: an invalidation does not reach what
    /// clients keep.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// For how long an instance may keep an answer in its own memory, within what `CACHE_LOCAL_TTL_MS` allows. That memory
    /// hears of what other instances invalidate a moment after it is acknowledged.
    #[must_use]
    pub fn local(mut self, local: Duration) -> Self {
        self.local = local;
        self
    }

    /// A `POST`, `PUT`, `PATCH` or `DELETE` that succeeds invalidates everything that is kept of its path (RFC 9111,
    /// section 4.4), before it is answered, and though its client has gone. If Redis does not take that for a second, the
    /// write is answered nevertheless, because it was done; `Cache-Status` then says `not-invalidated`, and what was kept
    /// may be served for as long as its lifetime.
    #[must_use]
    pub fn invalidate_on_write(mut self) -> Self {
        self.invalidate_on_write = true;
        self
    }

    /// For how long after its making a response is fresh enough even for a client that wants it validated.
    #[must_use]
    pub fn floor(mut self, floor: Duration) -> Self {
        self.rules.floor = floor;
        self
    }

    /// The middleware.
    #[must_use]
    pub fn build(self) -> ResponseCache {
        ResponseCache::new(self)
    }

    pub(super) fn shelf(&self) -> Shelf {
        Shelf::new(self.cache.clone(), self.namespace.clone(), self.patience)
    }
}
