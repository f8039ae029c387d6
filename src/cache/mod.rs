//! A shared cache: entries in Redis, a level in the memory of each process, and single-flight computations.
//!
//! ```text
//!             GET: in this process? ──yes──▶ served
//!                        │ no
//!                        ▼ MGET: the entry, and the versions it depends on
//!   ┌─────────┐ ttl over ┌───────┐ allowance over  ┌──────┐
//!   │  fresh  │─────────▶│ stale │────────────────▶│ gone │──▶ ticket ─▶ compute ─▶ store, if nothing
//!   └─────────┘          └───────┘                 └──────┘             happened to it since
//!        │   a version of its namespace or of a tag changed   ▲
//!        └────────────────────────────────────────────────────┘
//! ```
//!
//! | in Redis | name | content |
//! |---|---|---|
//! | an entry | `cache:{c:p}:NAMESPACE/KEY` | string: a header (`entry.rs`) and the value; expires when it can no longer be served |
//! | a computation's mark | the same | 24 bytes, if nothing is stored when a ticket is taken; expires after five minutes |
//! | a version | `cache-version:{c:p}:n:NAMESPACE`, `…:t:TAG` | 24 bytes: a nonce, its creation time, the time up to which computations are outdated; outlives all entries that depend on it |
//! | the lease of a computation | `cache-lease:{c:p}:NAMESPACE/KEY` | a token; expires with the lease |
//! | a counter | `cache-count:{c:p}:NAMESPACE/NAME` | number; its expiry is set when it begins |
//! | an idempotency key of a counter | `cache-once:{c:p}:DIGEST` | the digest of the body, and the result; expires after 24 h |
//! | the lease of warming | `cache-warming` | a token, which expires with the lease; `done` for 30 seconds after the warming |
//! | invalidations | channel `dbN:cache`, `N` the number of the Redis database | hashes of entries, namespaces and tags, 8 bytes each |
//!
//! | file | content |
//! |---|---|
//! | `handle`, `api` | the cache of a worker; its Rust API for reads |
//! | `key_read`, `reads` | reads of keys; batching of reads |
//! | `write`, `events` | writes, deletions, invalidations; invalidations by the events of other services |
//! | `compute`, `computation`, `single_flight` | read or compute; a running computation; leader and followers of a key in this process |
//! | `ticket`, `ticketing`, `portable_ticket` | what is recorded before a computation; how it is taken; a ticket as text, for services that compute elsewhere |
//! | `key_state` | what Redis has under a key, and whether it is valid |
//! | `local`, `subject` | the level in this process; the invalidation messages |
//! | `above` | what slices on top of the cache need of this level |
//! | `entry`, `model`, `error` | the bytes of an entry; the types of the slice; its errors |
//! | `commands`, `lua/` | the scripts |
//! | `counters`, `list`, `stats`, `warm` | counters; the keys of a namespace; statistics; warming, which a program that embeds the cache calls at its start |
//! | `shared` | what all workers of a process share |
//! | `handlers/` | HTTP |
//!
//! `p` is the partition: 0 on a single Redis; on a Cluster it depends on the name, so that a namespace spreads over all slots. An entry
//! and its versions need not share a slot: they are only compared, and any difference is a miss.
//!
//! **Invalidation.** An entry has the nonces that the versions of its namespace and its tags had *before* its value was computed, and is
//! valid as long as all of them are still there. Invalidating a namespace or a tag removes one key, however many entries depend on it;
//! the next computation creates a version with another nonce. So a value that was computed before is not served afterwards, whenever it
//! is written. A version that Redis evicted, lost or flushed causes misses and never makes an entry valid. An event raises the time in a
//! version instead: computations that began by then are outdated, later ones are not.
//!
//! **One key.** Before a value is computed, a ticket records the nonce of what is stored under its key; if nothing is, a mark with a new
//! nonce is stored first. The value replaces only what has that nonce. So it undoes neither a deletion nor a write in the meantime,
//! and a key that Redis has lost never makes a write valid.
//!
//! **Foreign data.** A string under an entry's key that is not an entry is `Corrupt`. A key of another type reads as a miss, because
//! `MGET` returns nothing for it, and is overwritten.
//!
//! **What is guaranteed.** Reads from Redis, and computations that a caller joins, in every instance: no caller gets a value that is
//! older than an invalidation that was acknowledged before the call. The same holds for the memory of the instance that acknowledged it.
//! The memory of another instance is invalidated by a message: it lags by the time that this takes, and at most by `CACHE_LOCAL_TTL_MS`
//! or what the entry's writer allowed. If the subscription is lost, the memory is emptied, and stays unused until the instance is
//! subscribed again; a dead connection is detected within a second and `REDIS_TIMEOUT_MS`. Only entries whose writer allows it are kept
//! there.
//!
//! **What is not guaranteed.** An invalidation is as durable as Redis: after a failover to a replica that does not have it, or a restart
//! that loses the last second, the old version is back. Times are compared by the clock of Redis; if it is set back, entries live longer
//! by that time. A tag that only the computation names counts as not invalidated if its version was created before the computation
//! began, by that clock. If it is set back between the two, or one node of a Cluster is ahead of another, an invalidation within that
//! time is missed. Tags that the policy or the ticket names are compared by nonces alone. If Redis is unavailable or refuses writes,
//! callers that join a computation rely on the invalidations that this process has received.

mod above;
mod api;
mod commands;
mod computation;
mod compute;
mod counters;
mod entry;
mod error;
mod events;
mod handle;
pub mod handlers;
mod key_read;
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
mod ticketing;
mod warm;
mod wiring;
mod write;

pub use error::{CacheError, ComputeError};
pub use events::Applied;
pub use handle::Cache;
pub use keys::Placed;
pub use list::{Invalidated, Page};
pub(crate) use local::Marks;
pub use metrics::CacheMetrics;
pub use model::{
    Counter, Entry, Fetched, Hit, Level, Lookup, Made, Outage, Policy, Put, Remaining, Source, Stored, Tag,
};
pub use openapi::Document;
pub use routes::routes;
pub use settings::{
    AdminToken, CacheSettings, Event, EventRules, MAX_KEY, MAX_TAGS, MAX_TTL, Target, TargetError, TokenError, TtlClass,
};
pub use shared::Shared;
pub use stats::{LocalStats, NamespaceStats, Stats};
pub use ticket::Ticket;
pub use warm::Warmed;
pub use wiring::Slice;
