//! Positions in, the nearest out.
//!
//! ```text
//! handlers ─▶ input ─▶ writer ─▶ commands (Lua) ─▶ Redis ─▶ update channel
//!                        │                                      │
//!                        ▼                                      ▼
//! handlers ◀─ answer ◀─ live index ◀───────────── feed, load (other instances)
//! ```
//!
//! | key | type | what |
//! |---|---|---|
//! | `geo:{kind:p}` | GEO | every entity's place, by id |
//! | `pos:{kind:p}:ID` | string | latest fix as JSON, or a tombstone; ends at the fix's timestamp plus the TTL |
//! | `profile:{kind:p}:ID` | hash | `status`, `vehicle_type`, `capacity`, `a:NAME` as JSON, their times `t:…`, `floor`, `v` the batch that changed it last |
//! | `seq:{kind:p}` | counter | numbers the stored batches of the partition |
//! | `dbN:updates:kind` | channel | a message per batch; `N` is the number of the Redis database |
//!
//! An entity's life, as the live index and Redis agree on it:
//!
//! ```text
//!            fix                   newer fix
//! unknown ────────▶ here ◀──────────────────────── removed (tombstone)
//!    ▲               │  └─────────── DELETE ────────▶  │
//!    └── TTL over ───┴───────────────────── TTL over ──┘
//! ```
//!
//! **Invariant.** Of one entity's fixes and removals the one with the newest timestamp stands, in Redis decided by the scripts and in
//! every live index by (timestamp, batch number), whatever the order and the instance they came by. Of each member of a profile the
//! newest value stands, by the time at which it was set.

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
mod ticket;
mod unread;
pub mod writer;

pub use crate::kind::Kind;
pub use fleetpulse_index::{live, model, profile};
pub use metrics::TrackingMetrics;
pub use openapi::Document;
pub use routes::routes;
pub use settings::TrackingSettings;
pub use shared::Shared;
pub use writer::Writer;
