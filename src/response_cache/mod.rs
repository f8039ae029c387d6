//! The HTTP response cache, on top of [`cache`](crate::cache): middleware that keeps the answers of a route for all instances.
//!
//! A shared cache in the sense of RFC 9111, in front of a handler in the same process. On a route of one's own:
//!
//! ```no_run
//! # use actix_web::{HttpResponse, web, http::header::ACCEPT_LANGUAGE};
//! # use fleetpulse::{cache::Cache, response_cache::{ResponseCache, Shared}};
//! # use fleetpulse::ids::Id;
//! # use std::{sync::Arc, time::Duration};
//! # async fn menu() -> HttpResponse { HttpResponse::Ok().finish() }
//! // `cache` is the worker's, `shared` the process's.
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
//! | file | what |
//! |---|---|
//! | `directives` | what `Cache-Control` says, of a request and of a response |
//! | `terms` | what may be kept and for how long; what that is good for, asked so, at such an age |
//! | `validators` | entity tags and dates: whether a client has it already |
//! | `key` | under which key |
//! | `status` | `Cache-Status` (RFC 9211) |
//! | `stored` | a response as one string |
//! | `shelf` | the way to the cache; fails nobody |
//! | `flight` | one fetches, the others wait |
//! | `builder`, `shared` | how responses are kept; what all workers have in common |
//! | `middleware`, `fetch` | which way a request goes; asking the handler, and what becomes of its answer |
//! | `answer` | what a request is answered with |
//!
//! # What is kept
//!
//! Answers to `GET` with one of the rule's statuses and a lifetime: from `s-maxage`, `max-age` or `Expires`, else the
//! rule's. Never `private`, `no-store`, `no-cache`, `Vary: *`, a part, a stream, what is too large; with `Set-Cookie` only
//! if the rule says so; to a request with `Authorization` only if the rule or the response does (RFC 9111, section 3.5), and
//! such a request is given only what is kept so. `HEAD` is answered from a `GET`. Requests for a range, with `If-Match`,
//! with a body, or for another protocol go past the cache; a `HEAD` among them is a `GET` to the handler as well.
//!
//! **The key** is the scheme and host as `connection_info` shows them to handlers (unless said otherwise), the path, the
//! query, and the values of the headers that the rule names. If a handler names more of them in `Vary`, their names are
//! noted under that key, and answers lie under a second one with their values; the answer that told of them first is not
//! kept, because nobody watched its key while it was made. Cookies are not looked at: where an answer depends on them,
//! `Cookie` has to be among these headers.
//!
//! # Who waits for whom
//!
//! Of all who want the same thing at once in a process one asks the handler; the others have its answer, if it is for
//! them: kept, or asked for after they came, or a failure (500, 502, 503, 504). What the response or the rule has for one
//! client alone they ask for themselves. The handler runs to its end
//! though its client has gone; but if it takes more than 30 seconds nobody waits for it any longer, those who did ask for
//! themselves, and the next who comes takes its place. Instances do not wait for each other: each asks once at most.
//!
//! What was made before an invalidation is neither kept nor given to whoever comes after it. For that a ticket is taken
//! before the handler is asked; if anybody waits, what was stored is read back from Redis before they are told, and where it
//! is not valid any more they look again; so they do where it could not be stored, unless they came before the handler was
//! asked, or Redis does not answer them either and this process has heard of no invalidation since then (where Redis is not
//! away but slow it has to have listened to them as well). These flights are not those of
//! [`Cache::fetch`](super::Cache::fetch), because here a client may want something newer than what is fresh, and only the
//! answer says whether it is for others at all.
//!
//! **Stale while revalidating:** whoever finds it stale is answered at once; the first of them leaves its request behind,
//! with which the handler is asked in the background (its answer goes out with a copy of that, for the middleware
//! outside). **Stale if error** covers the four failures above.
//!
//! **The floor.** A client's `no-cache`, `max-age` or `min-fresh` makes the handler be asked, or asked whether what is kept
//! still holds if its entity tag is the handler's own; but not if what is kept was begun to be made within the last second
//! (`RESPONSE_CACHE_FLOOR_MS`). So clients cause at most one call of a handler per second, key and instance, however many they
//! are. `no-store` in a request means that nothing of it is kept; it is given what is fresh, whatever else it says. That
//! holds for requests that come to the cache. The handler is asked each time by those that go past it (a range, `If-Match`,
//! a body, `Upgrade`), by `no-store` where nothing is fresh, by what is for one client alone, and for each new key: hosts,
//! queries and headers that count. Against that stand limits, and a narrow key.
//!
//! # Without Redis
//!
//! A write that `invalidate_on_write` is for tries for a second to invalidate, and says `not-invalidated` if it could not.
//! Requests are answered as if there were no cache, and `Cache-Status` says `redis-away`; those who ask at once still share
//! one answer (where it is not away but slow, once this process listens to invalidations, which it does then). A Redis that does not answer holds a request up for no longer than `RESPONSE_CACHE_PATIENCE_MS`, and one
//! request a second and worker.
//!
//! # Why no crate
//!
//! `http-cache-semantics` (3.0, well kept, fits a shared cache) takes the header maps of `http` 1 where actix has its own, so
//! that every request would be copied for it; it takes times of a clock on the wall, where here an age comes from Redis's
//! clock; and it keeps the headers of request and response as its policy beside the response. It knows neither the floor
//! nor what is told to those who wait. What is left of the RFCs (`directives`, `terms`) is smaller than the translation.

mod answer;
mod builder;
mod directives;
mod fetch;
mod flight;
mod key;
mod metrics;
mod middleware;
mod settings;
mod shared;
mod shelf;
mod status;
mod stored;
mod terms;
mod validators;

pub use builder::Builder;
pub use key::QueryKey;
pub use metrics::ResponseMetrics;
pub use middleware::{Caching, ResponseCache};
pub use settings::ResponseSettings;
pub use shared::Shared;
