//! The HTTP response cache, on top of [`cache`](crate::cache): middleware that caches the responses of a route for all instances.
//!
//! A shared cache in the sense of RFC 9111, in front of a handler in the same process. It is for programs that embed this crate: no route
//! of the service is behind it. Such a program registers [`ResponseMetrics`], creates one [`Shared`] with its [`ResponseOptions`], and wraps
//! its routes:
//!
//! ```no_run
//! # use actix_web::{HttpResponse, web, http::header::ACCEPT_LANGUAGE};
//! # use fleetpulse::{cache::Cache, response_cache::{ResponseCache, Shared}};
//! # use fleetpulse::ids::Id;
//! # use std::{sync::Arc, time::Duration};
//! # async fn menu() -> HttpResponse { HttpResponse::Ok().finish() }
//! // `cache` belongs to the worker, `shared` to the process.
//! # fn example(cache: &Cache, shared: &Arc<Shared>) -> Result<(), Box<dyn std::error::Error>> {
//! let responses = ResponseCache::builder(cache, shared, Id::parse("menus")?)
//!     .ttl(Duration::from_mins(5))
//!     .stale_while_revalidate(Duration::from_mins(1))
//!     .vary([ACCEPT_LANGUAGE])
//!     .invalidate_on_write();
//! let route = web::resource("/menus/{id}").route(web::get().to(menu)).wrap(responses.build());
//! # drop(route); Ok(())
//! # }
//! ```
//!
//! | file | content |
//! |---|---|
//! | `directives` | the directives of `Cache-Control` |
//! | `policy` | which responses may be stored and for how long, and when a stored one may be served |
//! | `validators` | entity tags, dates, conditional requests |
//! | `key` | the keys of responses |
//! | `status` | `Cache-Status` (RFC 9211) |
//! | `stored` | the encoding of a stored response |
//! | `store`, `fault` | access to the cache; its failures count as misses |
//! | `single_flight` | leader and followers of a fetch |
//! | `options`, `builder`, `shared` | what is the same for all routes; the rule of a route; what all workers share |
//! | `metrics` | its metrics |
//! | `worker` | the middleware in one worker, and what is known of a request |
//! | `middleware`, `fetch` | how a request is answered; the call to the handler, storing and sharing its response |
//! | `answer` | the response that a client gets |
//!
//! # What is stored
//!
//! Responses to `GET` with one of the rule's statuses and a freshness lifetime: from `s-maxage`, `max-age` or `Expires`, else the
//! rule's. Never responses that are `private`, `no-store` or `no-cache`, have `Vary: *`, are partial, a stream, or too large. Responses
//! with `Set-Cookie` only if the rule allows it. Responses to requests with `Authorization` only if the rule or the response allows it
//! (RFC 9111, section 3.5); such a request is served only from those. `HEAD` is answered from a `GET`. Requests for a range, with
//! `If-Match`, with a body, or for another protocol bypass the cache; a `HEAD` among them reaches the handler as a `GET` too.
//!
//! **The key** is the scheme and host as `connection_info` shows them to handlers (unless the rule excludes them), the path, the query,
//! and the values of the headers that the rule names. If a handler names more headers in `Vary`, their names are stored under that key,
//! and responses under a second key with the values of these headers. The first such response is not stored, because its key was not
//! known before the handler was called. Cookies are ignored: if a response depends on them, the rule has to name `Cookie`.
//!
//! # Single-flight
//!
//! Of all concurrent requests of a key in a process one, the leader, calls the handler. The others are followers and get its response if
//! it may be shared with them: it is stored, or they arrived before the handler was called, or it is an error (500, 502, 503, 504). If the
//! response or the rule allows it for one client only, each follower calls the handler itself. The handler runs to its end even if its
//! client disconnects. After 30 seconds followers stop waiting and call the handler themselves, and the next request of the key becomes
//! the leader. Instances do not wait for each other: each calls the handler once at most.
//!
//! A response that was computed before an invalidation is neither stored nor sent to a request that arrived after it. For that the leader
//! takes a ticket before it calls the handler. If there are followers, the stored response is read back from Redis first; if it is not
//! valid any more, the followers look up the key again. They also do so if the response could not be stored, with two exceptions: they
//! arrived before the handler was called; or Redis does not answer them either and this process has received no invalidation since then. If
//! Redis is slow and not disconnected, the process must also have been subscribed to invalidations. This single-flight is not that of
//! [`Cache::fetch`](crate::cache::Cache::fetch): here a client may require a response that is newer than a fresh one, and only the response
//! determines whether it may be shared.
//!
//! **`stale-while-revalidate`:** a request that finds a stale response is answered at once. The first such request becomes the leader of
//! a fetch in the background, with the request itself; the answer goes out with a copy, for outer middleware. **`stale-if-error`**
//! covers the four errors above.
//!
//! **The floor.** `no-cache`, `max-age` or `min-fresh` of a client make the cache call the handler, or validate the stored response if
//! its entity tag is the handler's. They do not if the computation of the stored response began within the last second
//! ([`ResponseOptions::floor`]). So clients cause at most one call of a handler per second, key and instance. With `no-store` the response
//! is not stored, and any fresh response is served. The floor does not limit requests that bypass the cache (a range, `If-Match`, a
//! body, `Upgrade`), `no-store` if nothing is fresh, responses for one client only, and new keys: hosts, queries and headers that count.
//! Use rate limits and a narrow key against these.
//!
//! # Without Redis
//!
//! A write on a route with `invalidate_on_write` tries for a second to invalidate, and answers with the detail `not-invalidated` if it
//! could not. Requests are answered as if there were no cache, and `Cache-Status` has the detail `redis-unavailable`; concurrent requests
//! still share one response (if Redis is slow and not disconnected, only while this process is subscribed to invalidations). A Redis
//! that does not answer delays one request per second and worker, by at most [`ResponseOptions::redis_timeout`].
//!
//! # Why no crate
//!
//! `http-cache-semantics` (3.0, maintained, fits a shared cache) takes the header maps of `http` 1, and actix has its own, so every
//! request would be copied for it. It computes ages with the wall clock, and here they are computed with the clock of Redis. It stores the
//! headers of the request and the response as its policy, in addition to the response. It has no floor and no single-flight. The rest of
//! the RFCs (`directives`, `policy`) is smaller than the adapter would be.

mod answer;
mod builder;
mod directives;
mod fault;
mod fetch;
mod key;
mod metrics;
mod middleware;
mod options;
mod policy;
mod shared;
mod single_flight;
mod status;
mod store;
mod stored;
mod validators;
mod worker;

pub use builder::{Builder, ResponseCache};
pub use key::QueryKey;
pub use metrics::ResponseMetrics;
pub use middleware::CachedService;
pub use options::ResponseOptions;
pub use shared::Shared;
