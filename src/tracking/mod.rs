//! Ingests positions and profiles of entities, and answers which entities are nearest.
//!
//! ```text
//! handlers ─▶ input ─▶ writer ─▶ commands (Lua) ─▶ Redis ─▶ update channel
//!                        │                                      │
//!                        ▼                                      ▼
//! handlers ◀─ answer ◀─ live index ◀───────────── feed, load (other instances)
//! ```
//!
//! | key | type | content |
//! |---|---|---|
//! | `geo:{kind:p}` | GEO | the place of each entity, by id |
//! | `pos:{kind:p}:ID` | string | latest fix as JSON, or a tombstone; expires at the timestamp plus the TTL |
//! | `profile:{kind:p}:ID` | hash | `status`, `vehicle_type`, `capacity`, `a:NAME` as JSON, their times `t:…`, `floor`, and `v`, the number of the batch that changed it last |
//! | `seq:{kind:p}` | counter | number of the last stored batch of the partition |
//! | `dbN:updates:kind` | channel | a message per batch; `N` is the number of the Redis database |
//!
//! The states of an entity, in Redis and in each live index:
//!
//! ```text
//!            fix                   newer fix
//! absent ────────▶ current ◀───────────────────── removed (tombstone)
//!    ▲               │  └─────────── DELETE ────────▶  │
//!    └── expired ────┴───────────────────── expired ───┘
//! ```
//!
//! **Invariant.** Of the fixes and removals of one entity, the newest one wins, regardless of the order and the instance in which they
//! arrive. The scripts in Redis and every live index compare the same pair: the timestamp (`ts_ms`), then the time of receipt
//! (`rx_us`). Of each member of a profile, the value with the newest time wins.

pub mod answer;
mod batches;
pub mod commands;
mod docs;
pub mod expiry;
pub mod feed;
pub mod flush;
mod geosearch;
pub mod handlers;
pub mod input;
mod keys;
mod lag;
mod load;
pub mod members;
mod metrics;
mod openapi;
mod orphans;
pub mod patch;
pub mod profile_hash;
mod profiles;
pub mod rebuild;
mod routes;
mod settings;
mod settle;
pub mod shared;
pub mod snapshot;
mod tasks;
mod ticket;
mod unread;
mod wiring;
pub mod writer;

pub use crate::kind::Kind;
pub use fleetpulse_index::{live, model, profile};
pub use metrics::TrackingMetrics;
pub use openapi::Document;
pub use routes::routes;
pub use settings::TrackingSettings;
pub use shared::Shared;
pub use wiring::Slice;
pub use writer::Writer;
