//! A cache that services share: entries in Redis, a level in this process before it, one computation however many ask.

mod api;
mod channel;
mod commands;
mod compute;
mod entry;
mod error;
mod events;
mod flights;
mod local;
mod look;
mod model;
mod reads;
mod shared;
mod stats;
mod warm;

pub use api::{Cache, Ticket};
pub use error::{CacheError, ComputeError};
pub use events::Applied;
pub use model::{
    Counter, Entry, Fetched, Hit, JITTER, Level, Lookup, MAX_KEY, MAX_TAGS, Made, Outage, Policy, Put, Remaining,
    Source, Stored, Tag,
};
pub use shared::Shared;
pub use stats::{LocalStats, NamespaceStats, Stats};
pub use warm::Warmed;
