//! Locks: leases that end by themselves, with fences.
//!
//! | key | type | what |
//! |---|---|---|
//! | `lock:{NAME}` | hash | the holder: `token`, `owner`, `ttl_ms`, `until_ms`, `attempt`, `longest_ms`; whom it is offered to: `offer`, `offer_ms`; `fence` given last; `last` token released. Ends a day after the last grant or renewal |
//! | `lock:{NAME}:queue` | sorted set | who waits: attempts (`INSTANCE-NUMBER`), by the microsecond of their arrival, or the next behind the last; ends with the longest wait |
//! | `dbN:lock-wake:INSTANCE` | channel | `ATTEMPT KEY`: this lock is offered to this attempt; `N` is the number of the Redis database |
//!
//! ```text
//!             acquire                              release, leave: the first in the queue that can be reached
//!   free ───────────────▶ held (until its end) ─────────────────────────────────▶ offered (for a second)
//!    ▲                     │  ▲ renew   │  ▲                                         │        │
//!    │    nobody waits     │  └─────────┘  └──────────── it asks: a new grant ───────┘        │
//!    ├─────────────────────┘                                                                  │
//!    └──── its end, or an offer not taken up: whoever keeps watch asks, and it goes on to the next ◀┘
//! ```
//!
//! **What a lease protects, and what only the fence does.** A lease keeps two holders apart as long as both look at the time
//! before they act. It cannot stop one that does not: a holder that pauses (a garbage collector, a suspended machine, a
//! stopped process) after its look and before its write wakes up later than its lease ended, and writes while the next
//! holder works. Only the fence stops that write: each grant of a name has a greater one than every grant before, every
//! write carries it, and what is written to refuses a smaller fence than it has seen. Use a lock without a fence where two
//! at once cost work, and with the fence where they would cost data.
//!
//! **Fences** are the greater of the last one plus one and Redis's clock in microseconds. So they grow even where Redis
//! forgot the last one: with the tail of its file, in a failover, or because the name has not been granted for a day (a
//! name that is never used again does not stay in memory for ever). They would fall only if it forgot *and* its clock was
//! behind where it had been. They stay below 2^53 until the year 2255, and grow with gaps.
//!
//! **Waiting.** First come first served over all instances, by Redis's order, among those that can be reached. A release hands
//! the lock over in the same script: it looks along the queue for the first whose instance listens (a `PUBLISH` that nobody
//! hears tells at once that an instance is gone) and offers it the lock; nobody can come in between. Who was woken asks again
//! and has the grant, counted from then. Every instance among the first thousand in the queue is told, and looks again a
//! second later; so an offer that is not taken up within that goes on, and those of its instance go behind all
//! others. That look costs Redis 0.1 ms with a hundred waiters and 0.7 ms with a thousand, and not more with more, as long as one of
//! the thousand can be reached. A client that goes leaves the queue at once. A holder that dies is found out at the end of its lease, by one call
//! of each instance whose clients wait for it. Nobody asks in intervals. A client that subscribes to every channel of Redis (`PSUBSCRIBE *`) makes
//! every instance look alive: then each of those who are gone costs a second.
//!
//! **Not promised.** That there is never more than one holder: a Redis that loses its tail (killed with `everysec`, a replica
//! that takes over) may forget a grant that it has acknowledged; the fence of the next is greater. That the clock of Redis
//! does not jump: leases end by it, and a jump forward ends them early for Redis, not for their holders. After a jump back a
//! lock whose holder is gone stays taken for up to an hour more, the longest that one can be had, however far it jumped. Who comes
//! after such a jump stands behind those who came before it, if it was by less than a minute, the longest wait; after a longer
//! one those may be passed. The place of one who died then stays for so much longer, and holds up nobody.

mod api;
mod attempt;
mod commands;
mod error;
mod guard;
pub mod handlers;
mod keys;
mod metrics;
mod model;
mod openapi;
mod routes;
mod settings;
mod wakeups;

pub use api::Locks;
pub use error::LockError;
pub use guard::LockGuard;
pub use metrics::LockMetrics;
pub use model::{Grant, Holder, TTL_MS, Token, TokenError, WAIT_MS, Wanted};
pub use openapi::Document;
pub use routes::routes;
pub use settings::LockSettings;
pub use wakeups::Wakeups;
