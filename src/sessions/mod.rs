//! Sessions of the platform's users, opened by tokens, with immediate revocation.
//!
//! | key | type | content | expires |
//! |---|---|---|---|
//! | `session:{s:pp}:ID` | hash | a session, below | when the session does |
//! | `sessions:{s:pp}:SUBJECT` | sorted set | ids of a subject's sessions by their absolute end, ms | with the latest of them |
//! | `sessions_open:{s:pp}` | sorted set | ids of the partition's sessions by a former or current end, ms; for counting them | with the latest of them |
//! | `session-once:{s:pp}:DIGEST` | string | a creation with an idempotency key: the digest of its body, and the session's id | after 24 h |
//! | `sessions_used:{s:pp}:WINDOW` | `HyperLogLog` | sessions in use in five minutes | ten minutes after the last use in them |
//!
//! `pp` is the partition, `00` to `ff`: the low byte of FNV-1a of the subject. All sessions of a subject are in one slot. Every token
//! contains its partition, so its session can be found although the token does not contain the subject.
//!
//! | field | content |
//! |---|---|
//! | `token`, `family` | SHA-256 of the token, and of the secret that all tokens of the session share |
//! | `number`, `used` | the number of earlier tokens; the highest number of a token that was used |
//! | `replaced` | `SHA256:MS:NUMBER,` of each replaced token that may still be accepted, at most eight; `MS` is the end of its grace period, Unix ms |
//! | `subject`, `about`, `data`, `version` | the owner; role, scopes and device (JSON); the data (JSON), the number of their version |
//! | `born` | creation, Unix µs; also orders sessions of one millisecond |
//! | `seen`, `idle`, `ends`, `absolute` | last recorded use, idle time to live, end without further use, absolute end: ms |
//!
//! ```text
//!                 use, extend, data, rotate
//!                        ┌────┐
//!          create        │    ▼    idle or absolute end, sign out, end, the subject's oldest of too many,
//! nothing ────────▶      open      a replaced token used after its grace
//!                          └──────────────────────────────────────────────────────────────────────▶ gone
//!
//!          rotate                      its grace is over, and a later one was used
//! valid ────────▶ replaced, accepted ─────────────────────────────────────────────▶ replaced: its use ends the session
//! ```
//!
//! **Rotation.** The tokens of a session have a secret in common. So a token with that secret that is no longer accepted was once a
//! token of this session, however long ago, and old tokens need not be stored. A replaced token is accepted, and may be rotated again,
//! for its grace period and after that until a later token is used: a lost answer does not cost the session. A rotation that would
//! leave more than eight accepted tokens has to wait for the first of their grace periods to end.
//!
//! A token whose last part is damaged ends its session too, because it cannot be distinguished from one that was replaced long ago. Only a
//! client that had a token of the session can cause this: the common secret has 128 random bits.
//!
//! **Who may call.** The calls about `current` are opened by their token. Creating a session, the calls about a subject and the
//! stats take no credentials: they are for the platform's own services, which have authenticated the user, and must be reachable only
//! from their network.
//!
//! **Repeated creations.** Only the hash of a token is kept, so the answer to a creation cannot be given again. A creation that is
//! repeated with its idempotency key ends the session of the earlier one and creates another, in one script.
//!
//! **Invariants.** A session is one key, written with its end by one script. No script writes to a session that it did not
//! find: an acknowledged end is final. Redis's clock and expiry decide: a session ends at `ends`, to the millisecond. Neither Redis nor
//! the log contains a token.
//!
//! **Sliding.** A use moves the end only if the last move was a minute ago, or a tenth of the idle time to live if that is
//! shorter. So a session may end up to that much earlier than its idle time to live after its last use, and never later; one that is
//! used at least every nine tenths of its idle time to live does not end for lack of use. A response contains the end that applies.
//!
//! **How many there may be** (`SESSIONS_MAX`) is checked in the process: the sessions of all instances as of the last count, and those that
//! it has created since. A creation writes the session's first end into `sessions_open`. A use does not: a count reads the ends of those
//! whose recorded end has passed, and removes those that have ended.
//!
//! **Not guaranteed.** If the reply to a creation or an extension is lost, the session may exist or may be extended; it expires by
//! itself. A subject's list is read in two steps, so it may miss a session that is created in between. Without Redis no token can be
//! validated, and every call fails with a [`StoreError`](crate::store::StoreError). A Redis
//! that acknowledges before it writes (`appendfsync everysec`) or before its replica has it may forget the end of a session when it crashes.

mod api;
mod commands;
mod error;
pub mod handlers;
mod keys;
mod measure;
mod metrics;
mod model;
mod openapi;
mod reply;
mod routes;
mod settings;
mod shared;
pub mod stats;
pub mod sweep;
mod tasks;
mod token;
mod wiring;

pub use api::Sessions;
pub use error::SessionError;
pub use keys::SessionPartition;
pub use metrics::SessionMetrics;
pub use model::{About, Data, Listed, NewSession, Session, Times};
pub use openapi::Document;
pub use routes::routes;
pub use settings::SessionSettings;
pub use shared::Shared;
pub use token::{SessionId, Token};
pub use wiring::Slice;

/// The most bytes that a session's data have, as JSON without spaces.
pub const MAX_DATA: usize = 16 * 1024;

/// How deep objects and arrays may be nested in a session's data and its device, the outermost included.
pub const MAX_NESTING: usize = 32;
