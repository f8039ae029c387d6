//! Rate limits: how often something may be done, counted over all instances.
//!
//! ```text
//! POST /v1/limits/check ─▶ Limits ─▶ commands (Lua) ─▶ Redis          one answer for all instances
//! this service's requests ─▶ Guard ─▶ Share ── every 100 ms ─▶ Redis   each instance separately, then settled
//! ```
//!
//! | key | type | content |
//! |---|---|---|
//! | `limit:gcra:{POLICY:KEY}` | string | when all admitted units are refilled, µs; expires then |
//! | `limit:window:{POLICY:KEY}` | string, 100 bytes | length of a slice and beginning of the newest (8 bytes each, big-endian, µs), units of 21 slices back from it (4 bytes each); expires when the last unit has left the window |
//! | `limit:requests:{POLICY:CALLER}` | string | of a caller's requests to this service at all instances: when it was written, and when all admitted units are refilled, µs; expires then |
//!
//! A check reads one key, decides by Redis's clock, and writes the count and its expiry with the same `SET`: a key exists only as long as
//! it limits, and a check does not make a window longer. A refused check writes nothing.
//!
//! **What a policy guarantees**, over the units that were admitted:
//!
//! - `gcra`: within any time *t* at most `burst + t / interval`, the interval being `window / quota` rounded up to a whole
//!   microsecond. So right after a pause up to `burst + quota` in one window.
//! - `window`: at most `quota` within any window, wherever it begins. The window is cut into 20 slices, and a slice counts in
//!   full until it has left: a unit comes back up to a twentieth of the window late, never early.
//!
//! Counts are as durable as Redis's data: with `appendfsync always` no admitted unit is lost. A check whose reply was lost may have been
//! counted; its retry counts again, which limits more, never less. A check that was decided without Redis (see [`Outage`]) is not
//! counted, and its result is marked as `degraded`.
//!
//! A stored value that is not a count (another program wrote it) is treated as a used-up quota and overwritten: it limits once, expires,
//! and is logged.
//!
//! **Requests to this service** are not checked in Redis but by [`Share`], whose module describes the loss of precision.

mod check;
pub mod commands;
mod docs;
mod guard;
pub mod handlers;
mod keys;
mod metrics;
mod model;
mod openapi;
mod routes;
mod settings;
mod share;
mod tasks;
mod wiring;

pub use check::{LimitError, Limits};
pub use guard::{Gate, Guard};
pub use metrics::LimitMetrics;
pub use model::Decision;
pub use openapi::Document;
pub use routes::routes;
pub use settings::{Algorithm, LimitSettings, MAX_QUOTA, Outage, PartError, Policies, Policy, RequestRules, RuleError};
pub use share::{Admission, Share, keep_settling};
pub use wiring::Slice;
