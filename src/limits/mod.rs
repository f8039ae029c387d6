//! Rate limits: how often something may be done, counted once for all who ask.
//!
//! ```text
//! POST /v1/limits/check ─▶ Limits ─▶ commands (Lua) ─▶ Redis          one answer for all instances
//! this service's requests ─▶ Guard ─▶ Share ── every 100 ms ─▶ Redis   each instance by itself, then settled
//! ```
//!
//! | key | type | what |
//! |---|---|---|
//! | `limit:gcra:{POLICY:KEY}` | string | when all that was admitted will have drained, µs; ends then |
//! | `limit:window:{POLICY:KEY}` | string, 100 bytes | length of a slice and beginning of the newest (8 bytes each, big-endian, µs), units of 21 slices back from it (4 bytes each); ends when the last that counts has left the window |
//! | `limit:requests:{POLICY:CALLER}` | string | of a caller's requests to this service at all instances: when it was written, and when all that was admitted will have drained, µs; ends then |
//!
//! A check reads one key, decides by Redis's own clock, and writes with its end in the same `SET`: nothing lives longer
//! than it limits, and no check makes a window longer. A refused check writes nothing.
//!
//! **What a policy guarantees**, over the units that were admitted:
//!
//! - `gcra`: within any time *t* at most `burst + t / interval`, the interval being `window / quota` rounded up to a whole
//!   microsecond. So right after a pause up to `burst + quota` in one window.
//! - `window`: at most `quota` within any window, wherever it begins. The window is cut into 20 slices, and a slice counts in
//!   full until it has left: a unit comes back up to a twentieth of the window late, never early.
//!
//! What is counted survives as far as Redis's data do: with `appendfsync always` not one admitted unit is forgotten. A check
//! whose answer was lost on the way may have been counted: its retry counts again, which limits more, never less. A check that
//! was answered without Redis (see [`Outage`]) is counted nowhere, and says so.
//!
//! A stored value that is not a count (somebody else wrote it) is taken for a spent quota and written over: it limits once,
//! ends by itself, and is told in the log.
//!
//! **Requests to this service** are not checked in Redis but by [`Share`], whose module says what precision that gives up.

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
