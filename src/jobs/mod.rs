//! Job queues with priorities, schedules and at-least-once delivery.
//!
//! ```text
//! handlers ─▶ api ──────────────────────────▶ commands (Lua) ─▶ Redis ─▶ wake-up channel, event stream
//!              ├──▶ delivery (undelivered jobs return) ─▶ ▲
//!              └──▶ wakeups (requests that wait)          │
//!                                              sweep ─────┘
//! ```
//!
//! All keys of a queue have the hash tag `q:{QUEUE}`. Within its queue a job has a short id; outside, its id is `QUEUE.SHORT`, so that an
//! id names the queue of its job.
//!
//! | key | type | content |
//! |---|---|---|
//! | `…:ready:N` | sorted set | the line of the ready jobs of type `N`, by place: `(1001 − priority) × 2^43 + sequence`, below 2^53 |
//! | `…:delayed` | sorted set | delayed jobs, by when they are due |
//! | `…:leased` | sorted set | leased jobs, by when their leases expire |
//! | `…:done`, `…:dead`, `…:cancelled` | sorted sets | ended jobs, by when they are deleted |
//! | `…:specs` | hash | by short id the job as it was added: a line of its terms and its place, and the payload |
//! | `…:runs` | hash | by short id the execution of the job: state, token, attempts, progress, result, errors; absent for a job that was always ready |
//! | `…:unique` | hash | by unique key `UNTIL SHORT`; `UNTIL` is 0 for a key that is kept until the job has ended |
//! | `…:unique_ends` | sorted set | the unique keys that are kept for a time, by its end |
//! | `…:meta` | hash | numbers of the types, last sequence, whether the queue is paused, counters, latest time of a sweep, last job of each schedule |
//! | `…:schedules` | hash | by name the last firing of a schedule, 13 digits, and its JSON |
//! | `…:schedules_due` | sorted set | schedules, by when they fire next |
//! | `…:once:DIGEST` | string | a call with an idempotency key that added jobs: the digest of its body, and its answer; for 24 h |
//! | `…:calls` | hash | by the name of a call (`call_names`) the token and the jobs of its last lease |
//! | `…:sizes` | hash | the sizes of long records |
//! | `…:events` | stream | an entry for each kind of change of a call, with the changed jobs; capped |
//! | `queues`, `queues-scheduled` | sorted sets | the queues in use, and those with schedules, by their last registration |
//! | `dbN:queue-wake` | channel | the name of a queue that has a job ready, or due earlier than before; `N` is the number of the Redis database |
//!
//! ```text
//!           add                lease               complete
//!  ─────────┬───────▶ ready ──────────▶ leased ──────────────▶ done
//!           │          ▲   ▲              │ │ │
//!           │ its time │   └── release ───┘ │ └── fail, lease over: last attempt ─▶ dead ── retry, redrive ─▶ ready
//!           └──▶ delayed                    │
//!                  ▲                        │          ready, delayed, leased ── cancel ─▶ cancelled ── retry ─▶ ready
//!                  └── fail, lease over, ───┘
//!                      complete with then
//! ```
//!
//! **Few commands for many jobs.** The records of all jobs of a queue are in two hashes, not in a hash for each job, because one command
//! reads or writes a hundred fields of a hash. So a call that ends a hundred leases and leases the next hundred jobs makes some twenty
//! commands. There are two hashes because the terms of a job never change and its payload is long, while its execution changes with every
//! step and is short. Some keys have a placeholder with a long name (`WEIGHT` in `lua/queue.lua`): with fewer than 128 leased jobs Redis
//! would encode them as list packs and scan them for each job, which took a third of its time.
//!
//! **Order.** Higher priorities run first, and jobs of equal priority in the order in which they were added, by a sequence number. A job
//! that becomes ready again (after a failed attempt, an expired lease or a delay) has its original place. Each type has a line, so that a
//! worker that leases some types skips no job; the lines are merged for a worker that leases all types. With one worker jobs run in this
//! order; with several they start in it.
//!
//! **At-least-once delivery.** No crash of a worker or an instance loses a job: its lease expires, the attempt is counted, and another
//! worker gets the job after its backoff, so that a job which crashes its workers does not crash them one right after the other. So a job
//! may run twice: if the worker was only slow, or its last call was lost. A handler must be idempotent (the id of the job is the same at
//! each attempt) or use a fence of its own. A late call with an old token is refused. With `keep_result` 0 a job is deleted when it is
//! done, and a repeated completion does not find it.
//!
//! **Redis's clock** decides what is due, rounded up to whole milliseconds: no job runs early. Each lease and settlement first promotes up
//! to 100 delayed jobs and reclaims up to 100 expired leases. A request that waits gets the time when the next job is due, and tries again
//! then. Every instance also sweeps queues that no client calls: every 400 ms if a job is leased or delayed, every 5 s otherwise.
//!
//! **Waiting** requests are woken: a script that makes the first job of a line ready, or delays a job that is due before all others,
//! publishes the name of the queue, and the first request of each line of every instance tries. A request that is served leaves its line, and
//! the next one tries. Jobs for a client that has disconnected are released. After an interruption of the subscription the first request of
//! every line tries once, and every five seconds in any case.
//!
//! **A time limit** (`timeout`) bounds one attempt: no lease of it lasts longer, extended or not. Without it, an attempt lasts as long as
//! its worker extends the lease.
//!
//! **Unique keys.** A job has its key until it is done, or for a time after it is added. A dead or cancelled job has no key, so a key
//! identifies a job that waits, is leased or is done. Another job with the key is refused; or it replaces the first job if that still waits
//! (`replace`); or the first job is updated to it, under its own id, and waits again (`debounce`), for up to `max_wait_ms`. A leased job is
//! never changed: the other job is added and gets the key, and the leased job is cancelled if it would be retried, released or continued. A
//! series that would continue while another job has its key is cancelled too. An ended job is not made ready while another job has its key.
//!
//! **A series** continues under one id (`End::Then`): the same job, delayed, with another type or payload. One cancellation ends it,
//! whether it waits or runs.
//!
//! **Percentiles** of waiting and run times are sampled: some sixteen jobs of a call, each of which counts for several.
//!
//! **Bounds.** Done, dead and cancelled jobs are kept by number and age; if there are too many, those that would be deleted first are
//! deleted. A queue has up to 64 types of jobs, which it keeps; there are up to `JOBS_MAX_QUEUES` queues. Jobs are bounded by
//! `JOBS_MAX_WAITING` and `JOBS_MAX_BYTES`: some 350 bytes each with a short payload.
//!
//! **Not guaranteed:** what Redis loses (with `appendfsync everysec` up to a second at a power failure) is lost. Requests that wait in two
//! instances may not be served in the order of their arrival. An `add` whose answer was lost may have been carried out: use unique keys or
//! an idempotency key.

mod allowance;
mod api;
mod call_names;
mod check;
mod commands;
mod delivery;
mod error;
pub mod handlers;
mod id;
mod keys;
mod leasing;
mod limits;
mod metrics;
mod model;
mod occupancy;
mod openapi;
mod overview;
mod queue_cache;
mod record;
mod routes;
pub mod schedule;
pub mod schedules;
mod settings;
mod stats;
pub mod sweep;
mod tasks;
mod wakeups;
mod wiring;
pub mod worker;

pub use api::{JobDefaults, Jobs, Validator};
pub use commands::{Event, Events};
pub use error::{Fault, JobsError};
pub use id::{JobId, LeaseToken, MAX_QUEUE_LEN};
pub use limits::{
    ATTEMPTS, COUNT, KEEP_S, LEASE_MS, MAX_BATCH, MAX_ERROR, MAX_PROGRESS, MAX_SCHEDULES, MAX_TYPES, PRIORITY,
    TIMEOUT_MS, WAIT_MS, YEAR, YEAR_MS,
};
pub use metrics::{JobMetrics, WorkerMetrics};
pub use model::{
    AddOutcome, Added, Backoff, BackoffKind, End, LeaseRequest, Leased, NewJob, Retry, RunAt, SettleOutcome,
    Settlement, State, Unique, UniqueMode,
};
pub use openapi::Document;
pub use overview::{Cursor, MAX_DRAINED, Page};
pub use record::{Failure, Job};
pub use routes::routes;
pub use settings::JobSettings;
pub use stats::{Counts, Times, Totals};
pub use wakeups::Wakeups;
pub use wiring::Slice;
