//! Locks: leases that expire, with fencing tokens.
//!
//! | key | type | content |
//! |---|---|---|
//! | `lock:{NAME}` | hash | the holder: `token`, `owner`, `ttl_ms`, `until_ms`, `attempt`, `longest_ms`; the attempt that it is offered to: `offer`, `offer_ms`; the last `fence`; the `last` token that was released. Ends a day after the last grant or renewal |
//! | `lock:{NAME}:queue` | sorted set | the waiting attempts (`INSTANCE-NUMBER`), by the microsecond of their arrival, or the next behind the last; ends with the longest wait |
//! | `dbN:lock-wake:INSTANCE` | channel | `ATTEMPT KEY`: this lock is offered to this attempt; `N` is the number of the Redis database |
//!
//! ```text
//!             acquire                              release, leave: the first in the queue that can be reached
//!   free ───────────────▶ held (until its end) ─────────────────────────────────▶ offered (for a second)
//!    ▲                     │  ▲ renew   │  ▲                                         │        │
//!    │    no waiters       │  └─────────┘  └──────────── it asks: a new grant ───────┘        │
//!    ├─────────────────────┘                                                                  │
//!    └──── it expires, or the offer does: the first request tries, and the next one gets the offer  ◀┘
//! ```
//!
//! **What a lease protects, and what only the fence does.** A lease keeps two holders apart as long as both check the time
//! before they act. It cannot stop a holder that pauses (a garbage collector, a suspended machine, a stopped process) after it has
//! checked the time and before it writes: it resumes after its lease has expired, and writes while the next holder works. Only
//! the fencing token stops that write: each grant of a name has a greater one than all earlier grants, every write carries it, and
//! the storage refuses a smaller one than it has seen. Without its fencing token, use a lock only where two holders at once would
//! waste work; with it, also where they would damage data.
//!
//! **Fencing tokens** are the greater of the last one plus one and Redis's clock in microseconds. So they grow even if Redis
//! lost the last one: with the tail of its file, in a failover, or because the name has not been granted for a day (unused names do
//! not stay in memory). They decrease only if Redis loses the last one *and* its clock is behind its former time. They stay
//! below 2^53 until the year 2255, and have gaps.
//!
//! **Waiting.** First come, first served over all instances, in Redis's order, among the instances that can be reached. A release hands
//! the lock over in the same script: it offers the lock to the first attempt in the queue whose instance listens (a `PUBLISH` without
//! receivers shows that an instance has stopped), so no other caller can get the lock in between. The attempt that receives the offer asks
//! again and has the grant, counted from then. Every instance among the first thousand in the queue receives the message, and checks
//! again a second later: an offer that was not accepted by then passes to the next attempt, and the attempts of its instance go
//! behind all others. Such a search costs Redis 0.1 ms with a hundred waiters and 0.7 ms with a thousand or more, if one of the
//! thousand can be reached. A client that disconnects leaves the queue at once. The end of a crashed holder's lease is found by one
//! call of each instance whose clients wait for the lock; there is no polling. A client that subscribes to every channel of Redis
//! (`PSUBSCRIBE *`) makes every instance appear to be subscribed: then each attempt of a crashed instance costs a second.
//!
//! **Not promised.** That there is never more than one holder: a Redis that loses its tail (killed with `everysec`, a replica
//! that takes over) may lose a grant that it has acknowledged; the fencing token of the next grant is greater. That the clock of
//! Redis does not jump: leases expire by it, and a jump forward ends them early for Redis, not for their holders. After a jump back a
//! lock whose holder has crashed stays taken for up to an hour more, the longest possible lease, however far the clock jumped. Attempts
//! that come after a jump back of less than a minute (the longest wait) queue behind the earlier ones; after a longer jump they may
//! overtake them. The place of an abandoned attempt then stays for longer, and delays no other attempt.

mod api;
mod attempt;
mod commands;
mod error;
mod guard;
pub mod handlers;
mod keys;
mod lease;
mod metrics;
mod model;
mod openapi;
mod routes;
mod settings;
mod wakeups;
mod wiring;

pub use api::Locks;
pub use error::LockError;
pub use guard::LockGuard;
pub use metrics::LockMetrics;
pub use model::{Grant, Holder, TTL_MS, Token, TokenError, WAIT_MS, Wanted};
pub use openapi::Document;
pub use routes::routes;
pub use settings::LockSettings;
pub use wakeups::Wakeups;
pub use wiring::Slice;
