//! A cache that services share: entries in Redis, a level in each process before it, one computation however many ask.
//!
//! ```text
//!             GET: in this process? ──yes──▶ served
//!                        │ no
//!                        ▼ MGET: the entry, and the versions it depends on
//!   ┌─────────┐ ttl over ┌───────┐ allowance over  ┌──────┐
//!   │  fresh  │─────────▶│ stale │────────────────▶│ gone │──▶ ticket ─▶ compute ─▶ store, if nothing
//!   └─────────┘          └───────┘                 └──────┘             happened to it meanwhile
//!        │   a version of its namespace or of a tag changed   ▲
//!        └────────────────────────────────────────────────────┘
//! ```
//!
//! | in Redis | name | what |
//! |---|---|---|
//! | an entry | `cache:{c:p}:NAMESPACE/KEY` | string: a header (`entry.rs`), the value; ends when it is of no more use |
//! | a computation's mark | the same | 24 bytes, where nothing lies when a ticket is taken; ends after five minutes |
//! | a version | `cache-version:{c:p}:n:NAMESPACE`, `…:t:TAG` | 24 bytes: a nonce, when it was made, by when what began to be computed is outdated; outlives whatever depends on it |
//! | who computes for all | `cache-lease:{c:p}:NAMESPACE/KEY` | a token; ends with the lease |
//! | a counter | `cache-count:{c:p}:NAMESPACE/NAME` | number; ends when that was set to be at its beginning |
//! | a call of a counter with an idempotency key | `cache-once:{c:p}:DIGEST` | the digest of its body, and what it counted to; ends after 24 h |
//! | who warms | `cache-warming` | a token, which ends with its lease; `done` for 30 seconds after the warming |
//! | what to invalidate | channel `dbN:cache`, `N` the number of the Redis database | hashes of entries, namespaces and tags, 8 bytes each |
//!
//! | file | what |
//! |---|---|
//! | `api` | the cache as others use it: finding |
//! | `write`, `events` | storing, deleting, invalidating; what other services tell of |
//! | `compute`, `computation` | finding or computing; a computation on its way to all who wait |
//! | `ticket`, `carried`, `single_flight` | what is noted before a computation; that as text, for those who compute elsewhere; one of a key in this process |
//! | `look`, `reads` | what lies in Redis, and whether it is valid; many reads in one |
//! | `local`, `subject` | the level in this process; what it hears of that is to be forgotten |
//! | `entry`, `model`, `error` | an entry's bytes; the words of the slice; why not |
//! | `commands`, `lua/` | what is said to Redis |
//! | `counters`, `list`, `stats`, `warm` | counters; a namespace's keys; what was done; what is computed before anybody asks |
//! | `shared` | what all workers have in common |
//! | `handlers/` | HTTP |
//! | `response/` | the HTTP response cache |
//!
//! `p` is the partition: 0 on a single Redis; in a Cluster of the name, so that a namespace spreads over all slots. Nothing
//! needs an entry and its versions in one slot: they are only ever compared, and a difference either way is a miss.
//!
//! **Invalidation.** An entry carries the nonces of its namespace's version and its tags' as they were *before* its value was
//! computed, and is valid as long as all of them are there. To clear a namespace or to invalidate a tag is to remove one key,
//! whatever depends on it; the next to compute makes a version with another nonce. So a value from before is not served after,
//! whenever it is written, and a version that Redis evicted, lost or flushed makes misses and never makes anything valid. An event
//! raises the time in a version instead: what began to be computed by then is outdated, what began later stays.
//!
//! **One key.** Before a value is computed a ticket notes the nonce of whatever lies under its key; there is always something,
//! a mark if need be. The value is written only in the place of that. So neither a deletion nor a write that came meanwhile
//! is undone, and that is decided by what is there and never by what is not.
//!
//! **What else may lie there.** A string under an entry's name that is no entry is `Corrupt`. Anything of another type reads as a
//! miss, because `MGET` has nothing to say of it, and is written over.
//!
//! **What is strict.** Reads from Redis, and computations that somebody joins, in every instance: nobody is given a value that is
//! older than an invalidation acknowledged before they asked. The memory of the instance that acknowledged it as well. The memory
//! of another hears by a message: it lags for as long as that takes, and in any case no longer than `CACHE_LOCAL_TTL_MS`, or
//! what the entry's writer allowed. With the subscription lost it is emptied, and not used until messages are heard again; a
//! connection that dies without a word is noticed within a second and `REDIS_TIMEOUT_MS`. Only entries whose writer says so are kept there.
//!
//! **What is not promised.** An invalidation is as durable as Redis is set to be: a replica that takes over without it, or a
//! server that comes back without its last second, has the old version again. Times are compared by Redis's clock; one that is
//! set back lets entries live longer by as much. A tag that only the computation names counts as untouched if its version was
//! made before the computation began, by that clock: set back between the two, or in a Cluster ahead on one node of another,
//! it lets pass what was invalidated within that time. Tags that the policy or the ticket names are compared by nonces alone.
//! With Redis away, or refusing writes, those who join a computation know only what this process has heard.

mod above;
mod api;
mod commands;
mod computation;
mod compute;
mod counters;
mod entry;
mod error;
mod events;
pub mod handlers;
mod key_state;
mod keys;
mod list;
mod local;
mod metrics;
mod model;
mod openapi;
mod portable_ticket;
mod reads;
mod routes;
mod settings;
mod shared;
mod single_flight;
mod stats;
mod subject;
mod ticket;
mod warm;
mod write;

pub use api::Cache;
pub use error::{CacheError, ComputeError};
pub use events::Applied;
pub use keys::Placed;
pub use list::{Invalidated, Page};
pub(crate) use local::Marks;
pub use metrics::CacheMetrics;
pub use model::{
    Counter, Entry, Fetched, Hit, Level, Lookup, MAX_TAGS, Made, Outage, Policy, Put, Remaining, Source, Stored, Tag,
};
pub use openapi::Document;
pub use routes::routes;
pub use settings::{
    AdminToken, CacheSettings, Event, EventRules, MAX_KEY, MAX_TTL, Target, TargetError, TokenError, TtlClass,
};
pub use shared::Shared;
pub use stats::{LocalStats, NamespaceStats, Stats};
pub use ticket::Ticket;
pub use warm::{Warmed, warm_at_start};
