//! Queues of jobs: none is lost, each runs in its turn, at least once.
//!
//! ```text
//! handlers ─▶ api ──────────────────────────▶ commands (Lua) ─▶ Redis ─▶ wake-up channel, event stream
//!              ├──▶ delivery (nothing lost on its way) ─▶ ▲
//!              └──▶ wakeups (who waits in this process)   │
//!                                              sweep ─────┘
//! ```
//!
//! All of a queue is under the hash tag `q:{QUEUE}`. Jobs go by a short id within it; outside that is `QUEUE.SHORT`, so that an id
//! says where its job is.
//!
//! | key | type | what |
//! |---|---|---|
//! | `…:ready:N` | sorted set | the line of the jobs of type `N`, by place: `(1001 − priority) × 2^43 + sequence`, below 2^53 |
//! | `…:delayed` | sorted set | by when they are due: the first time, or for another attempt |
//! | `…:leased` | sorted set | by the end of the lease |
//! | `…:done`, `…:dead`, `…:cancelled` | sorted sets | by when they are forgotten |
//! | `…:specs` | hash | by short id what was put in: a line of its terms and its place, and the payload |
//! | `…:runs` | hash | by short id how it goes: state, token, attempts, progress, result, errors; of a job that was never but ready there is none |
//! | `…:unique` | hash | by unique key `UNTIL SHORT`; 0 for until the job has ended |
//! | `…:unique_ends` | sorted set | the keys that are kept for a time, by its end |
//! | `…:meta` | hash | the numbers of the types, the last sequence, whether it is paused, counters, the latest time that a sweep has seen, the last job of each schedule |
//! | `…:schedules` | hash | by name when a schedule fired last, 13 digits, and what it is, JSON |
//! | `…:schedules_due` | sorted set | the schedules by when they fire next |
//! | `…:once:DIGEST` | string | a call with an idempotency key that put jobs in: the digest of its body, and its answer; for 24 h |
//! | `…:calls` | hash | by the name of a call (`call_names`) the token and the jobs that it leased last |
//! | `…:events` | stream | an entry for what a call did, with the jobs that it did it to; capped |
//! | `queues`, `queues-scheduled` | sorted sets | the queues in use, and those that have schedules, by when that was noted last |
//! | `dbN:queue-wake` | channel | the name of a queue that has a job ready, or will have one earlier than known; `N` is the number of the Redis database |
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
//! **Few commands for many jobs.** What is known of a job lies in two hashes for the whole queue and not in a hash of its own,
//! because a field of one hash can be read and written for a hundred jobs by one command. So a call that ends a hundred leases and
//! takes the next hundred jobs makes some twenty commands. The terms of a job never change and its payload is long;
//! how it goes changes with every step and is short: so there are two of them. A few of the keys have a long name in them that stands for
//! nothing (`WEIGHT` in `lua/queue.lua`): with fewer than 128 jobs leased Redis would keep them as lists and look for each job
//! from their beginning, which took a third of all its time.
//!
//! **Higher priorities first, equal ones first come first served,** by the sequence that a script draws as it puts a job in.
//! A job that comes back (an attempt that failed, a lease that ran out, a delay that is over) has the place that it was given then.
//! Each type has a line, so that a worker which takes some of them walks past nothing; who takes all has the heads of
//! the lines merged. With one type that is one `ZRANGE`. With one worker jobs run in this order; with several they
//! begin in it.
//!
//! **At least once.** A job is lost by no crash of a worker or an instance: its lease runs out, the attempt is counted, and after the
//! job's backoff the next worker has it: one that takes its workers down with it does not take the next at once. So it may run twice: where the worker was only slow, or its last word was lost. A handler has to
//! bear that, by making its effect idempotent (the job's id is the same each time) or by a fence of its own. A late word with an old
//! token is refused. With `keep_result` 0 a job that is done is gone at once, and a repeated completion finds none.
//!
//! **Time is Redis's.** Whatever is due is due by its clock, rounded up to whole milliseconds: nothing runs early. Every
//! lease and settlement first makes up to 100 delayed jobs ready that are due, and takes up to 100 leases back that ran out. Who
//! waits is told when the next thing is due and asks then; who does not wait is not kept waiting. Every instance
//! looks at queues that nobody calls as well: every 400 ms where something is leased or delayed, every 5 s elsewhere.
//!
//! **Waiting** is by wake-up: a script that makes the first job of a line ready, or puts one before all delayed ones, publishes the queue's name,
//! and in every instance the first of each row asks. Who is served leaves the row, and the next asks. Jobs on their way to one who
//! has gone are given back. After a broken subscription everybody who is first asks once, and each five seconds in any case.
//!
//! **A time limit** (`timeout`) bounds one attempt: no lease of it, extended or not, lasts longer. Without one it lasts for as long as
//! its worker extends the lease.
//!
//! **Unique keys.** A job has its key until it is done, or for a time from its putting in; one that is dead or cancelled has it no more,
//! whatever the time. So a key names a job that waits, runs or is done. Another one with the key is refused,
//! or takes the place of the first if that still waits (`replace`), or is what the first becomes, under its id and waiting anew
//! (`debounce`), for `max_wait_ms` at most if that is given. What runs is never changed: then the other is put in, and has the key. What lost its key while it ran does not run
//! again beside the other or after it: where it would be tried again, be given back or go on, it is cancelled. So is a series that
//! would go on while another has its key. What has ended is not made ready again while another job has its key.
//!
//! **A series** goes on under one id (`End::Then`): the same job, delayed, with another type or payload. One cancelling ends it,
//! whether it waits or runs.
//!
//! **Percentiles** of how long jobs wait and run are of some sixteen of the jobs of a call, each of which stands for its like.
//!
//! **Bounded.** Done, dead and cancelled jobs are kept by number and age, and what is known of them goes in the step that forgets
//! them; which is at the number's limit the one whose time would be over first. A queue has up to 64 types of jobs, for ever; there are up to
//! `JOBS_MAX_QUEUES` queues. Jobs are bounded by `JOBS_MAX_WAITING` and `JOBS_MAX_BYTES`: some 350 bytes each with a short payload.
//!
//! **Not guaranteed:** what Redis loses (`appendfsync everysec` may lose a second to a power cut) is lost here. That two
//! instances' waiters are served in the order of their coming. That an `add` whose answer was lost was not carried out: give its jobs
//! unique keys where once is enough.

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
mod known;
mod leasing;
mod metrics;
mod model;
mod occupancy;
mod openapi;
mod overview;
mod record;
mod routes;
pub mod schedule;
pub mod schedules;
mod settings;
mod stats;
pub mod sweep;

mod wakeups;
pub mod worker;

pub use api::{Jobs, Usual, Validator};
pub use check::{
    ATTEMPTS, COUNT, KEEP_S, LEASE_MS, MAX_BATCH, MAX_ERROR, MAX_PROGRESS, MAX_TYPES, PRIORITY, TIMEOUT_MS, WAIT_MS,
    YEAR, YEAR_MS,
};
pub use commands::{Event, Events};
pub use error::{Fault, JobsError};
pub use id::{JobId, LeaseToken, MAX_QUEUE_LEN};
pub use metrics::{JobMetrics, WorkerMetrics};
pub use model::{
    AddOutcome, Added, Backoff, BackoffKind, End, LeaseRequest, Leased, NewJob, Retry, RunAt, SettleOutcome,
    Settlement, State, Unique, UniqueMode,
};
pub use openapi::Document;
pub use overview::{Cursor, MOST_DRAINED, Page};
pub use record::{Failure, Job};
pub use routes::routes;
pub use settings::JobSettings;
pub use stats::{Counts, Times, Totals};
pub use wakeups::Wakeups;
