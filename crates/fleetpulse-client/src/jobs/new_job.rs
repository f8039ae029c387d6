use super::Jobs;
use crate::Error;
use crate::json::{self, RawValue};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A job to enqueue. Members that are `None` have the default of the service.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewJob {
    /// The type of the job. A queue has up to 64 types.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Any JSON, by default up to 64 KiB. The worker gets it as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
    /// 0 to 1,000; higher priorities run first. By default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// The delay before the job is ready, milliseconds; by default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// When the job is ready, instead of `delay_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_at: Option<DateTime<Utc>>,
    /// The maximum number of attempts, 1 to 100; by default 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// The delays between attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// The time limit of one attempt, milliseconds, even if its lease is extended. By default there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long the job is kept after it is done, seconds; by default 3,600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_result_s: Option<u64>,
    /// A key that at most one job of the queue has at a time: any text of 1 to 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// What happens if another job has the key; by default [`UniqueMode::Refuse`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_mode: Option<UniqueMode>,
    /// How long the job keeps the key, milliseconds, even if it is done; by default until it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_for_ms: Option<u64>,
    /// The maximum time for which [`UniqueMode::Debounce`] postpones the job, milliseconds. By default there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wait_ms: Option<u64>,
}

/// The delays between the attempts of a job. Members that are `None` have the default of the service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Backoff {
    /// How the delays grow; by default [`BackoffKind::Exponential`].
    pub kind: Option<BackoffKind>,
    /// The first delay, milliseconds; by default 1,000.
    pub base_ms: Option<u64>,
    /// The maximum delay, milliseconds; by default 600,000.
    pub max_ms: Option<u64>,
    /// The part of a delay, 0 to 1, of which a random share is subtracted; by default 0.2.
    pub jitter: Option<f64>,
}

/// How delays grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackoffKind {
    /// All delays are equal.
    Fixed,
    /// Each delay is twice the previous one.
    Exponential,
}

/// What happens if another job has the unique key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UniqueMode {
    /// The new job is not enqueued. The answer has the id of the other job.
    Refuse,
    /// The other job is cancelled if it still waits.
    Replace,
    /// The other job is changed to the new one, and its delay starts again.
    Debounce,
}

/// The outcome of an enqueued job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct EnqueuedJob {
    /// The id of the job, or of the job that has its unique key.
    pub id: String,
    /// Whether the job is new.
    pub outcome: EnqueueOutcome,
}

/// Whether an enqueued job is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnqueueOutcome {
    /// The job is new.
    Created,
    /// Another job has the unique key.
    Existing,
    /// The job is new, and the job that had the unique key is cancelled.
    Replaced,
    /// The job that has the unique key was changed.
    Debounced,
}

#[derive(Deserialize)]
struct Enqueued {
    jobs: Vec<EnqueuedJob>,
}

impl NewJob {
    /// Creates a job of a type without a payload.
    #[must_use]
    pub fn new(job_type: &str) -> Self {
        Self {
            job_type: job_type.to_owned(),
            ..Self::default()
        }
    }

    /// Creates a job of a type with a payload.
    ///
    /// # Errors
    /// [`Error::Encode`] if the payload cannot be written as JSON.
    pub fn with_payload(job_type: &str, payload: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        Ok(Self {
            payload: Some(json::raw(payload)?),
            ..Self::new(job_type)
        })
    }
}

impl Jobs<'_> {
    /// Enqueues up to 1,000 jobs, all or none. Returns their outcomes in the order of the jobs. The call sends an idempotency key.
    ///
    /// # Errors
    /// 429 `queue_full` if the queue has as many jobs as it may have; 409 `too_many_queues` or `too_many_types`; 422 `validation_failed` if
    /// a job is invalid.
    pub async fn enqueue(self, queue: &str, jobs: &[NewJob]) -> Result<Vec<EnqueuedJob>, Error> {
        let call = self.client.post(&["v1", "queues", queue, "jobs"])?;
        let enqueued: Enqueued = call.json(jobs)?.keyed().fetch().await?;
        Ok(enqueued.jobs)
    }
}
