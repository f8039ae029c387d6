//! The HTTP interface of the slice: `/v1/queues` and `/v1/jobs`.

mod answer;
mod arguments;
mod docs;
mod enums;
mod events;
mod input;
mod job;
mod lease;
mod params;
mod queue;
mod schedule;

pub use events::{__path_list_events, list_events};
pub use job::{
    __path_cancel_job, __path_complete_job, __path_extend_job, __path_fail_job, __path_get_job, __path_progress_job,
    __path_retry_job, cancel_job, complete_job, extend_job, fail_job, get_job, progress_job, retry_job,
};
pub use lease::{__path_add_jobs, __path_lease_jobs, __path_settle_jobs, add_jobs, lease_jobs, settle_jobs};
pub use queue::{
    __path_cancel_unique, __path_clear_dead, __path_drain_jobs, __path_get_queue, __path_list_jobs, __path_list_queues,
    __path_pause_queue, __path_redrive, __path_resume_queue, cancel_unique, clear_dead, drain_jobs, get_queue,
    list_jobs, list_queues, pause_queue, redrive, resume_queue,
};

pub use enums::{JobIdBody, QueueNameBody};
pub use schedule::{
    __path_delete_schedule, __path_get_schedule, __path_list_schedules, __path_put_schedule, delete_schedule,
    get_schedule, list_schedules, put_schedule,
};

use super::{Fault, JobMetrics, Jobs, JobsError, Leased, SettleOutcome};
use crate::http::{Client, FieldError, Problem, gone};
use crate::telemetry::Present;
use actix_web::web;

/// The largest body of a call about many jobs, bytes.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// The largest body of a call without payloads and results, bytes. A parsed body takes many times its size.
const MAX_SMALL_BODY: usize = 256 * 1024;

/// The state of a worker that the handlers use.
#[derive(Debug, Clone)]
pub struct State {
    /// The queues.
    pub jobs: Jobs,
    /// The metrics.
    pub metrics: JobMetrics,
}

type Data = web::Data<State>;

/// `Retry-After` of a `queue_full`, seconds: workers have probably completed some jobs by then.
const RETRY_FULL_S: u32 = 5;

impl From<JobsError> for Problem {
    fn from(error: JobsError) -> Self {
        let detail = error.to_string();
        match error {
            JobsError::Invalid(faults) => invalid_terms(faults, |_| String::new()),
            JobsError::TooManyTypes => Self::conflict("too_many_types", "The queue has too many types of jobs", detail),
            JobsError::TooManyQueues => Self::conflict("too_many_queues", "There are too many queues", detail),
            JobsError::KeyReused => Self::invalid_parameter("Idempotency-Key", error.to_string()),
            JobsError::TooManySchedules => {
                Self::conflict("too_many_schedules", "The queue has too many schedules", detail)
            }
            JobsError::TooManyWaiting | JobsError::TooManyBytes => Self::queue_full(detail, RETRY_FULL_S),
            JobsError::Unknown | JobsError::UnknownSchedule => Self::not_found(detail),
            JobsError::NotYours(state) => {
                Self::conflict("lease_over", "The lease has ended", detail).with("state", state.name())
            }
            JobsError::Conflict(state) => {
                Self::conflict("wrong_state", "The job's state does not allow it", detail).with("state", state.name())
            }
            JobsError::NoRoom(error) => error.into(),
            JobsError::Store(error) => error.into(),
        }
    }
}

/// Returns a 422 for faults. `path` gives the path of the object of a fault in the body: empty, or with a trailing slash.
fn invalid_terms(faults: Vec<Fault>, path: impl Fn(usize) -> String) -> Problem {
    let error = |fault: Fault| {
        let place = format!("{}{}", path(fault.index), fault.member);
        FieldError::new(place.trim_end_matches('/'), fault.detail)
    };
    Problem::validation_failed(faults.into_iter().map(error).collect())
}

/// Returns the problem for an error of a call about many jobs.
fn problem_of_many(error: JobsError, path: impl Fn(usize) -> String) -> Problem {
    match error {
        JobsError::Invalid(faults) => invalid_terms(faults, path),
        error => error.into(),
    }
}

/// Carries out a call that may wait, for as long as its client is connected, so that no job is leased for a client that has disconnected.
async fn while_connected<T>(
    client: &Client,
    metrics: &JobMetrics,
    call: impl Future<Output = Result<T, JobsError>>,
) -> Result<Result<T, JobsError>, Problem> {
    let _waiting = Present::count(&metrics.waiters);
    tokio::select! {
        answer = call => Ok(answer),
        () = client.gone() => Err(gone()),
    }
}

fn count_leased(metrics: &JobMetrics, leased: &[Leased]) {
    metrics.leased.inc_by(leased.len() as u64);
}

fn count_settled(metrics: &JobMetrics, outcomes: &[SettleOutcome]) {
    for outcome in outcomes {
        let label = match outcome {
            SettleOutcome::Settled(state) => state.name(),
            SettleOutcome::NotYours(_) => "not_yours",
            SettleOutcome::Unknown => "unknown",
        };
        metrics.settled.with_label_values(&[label]).inc();
    }
}
