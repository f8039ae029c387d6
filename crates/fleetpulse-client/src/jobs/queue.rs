use super::Jobs;
use crate::Error;
use crate::json::RawValue;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobState {
    /// The job can be leased.
    Ready,
    /// The job becomes ready later.
    Delayed,
    /// A worker has leased the job.
    Leased,
    /// The job is completed.
    Done,
    /// The job has failed for the last time.
    Dead,
    /// The job was cancelled.
    Cancelled,
}

impl JobState {
    /// Returns the name of the state in queries of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Delayed => "delayed",
            Self::Leased => "leased",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A job.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Job {
    /// The id of the job.
    pub id: String,
    /// The queue of the job.
    pub queue: String,
    /// The type of the job.
    #[serde(rename = "type")]
    pub job_type: String,
    /// The state of the job.
    pub state: JobState,
    /// The payload as it was sent; `None` in lists.
    pub payload: Option<Box<RawValue>>,
    /// The priority of the job.
    pub priority: u32,
    /// The number of attempts, including one in progress.
    pub attempts: u32,
    /// The maximum number of attempts.
    pub max_attempts: u32,
    /// The time limit of one attempt, milliseconds.
    pub timeout_ms: Option<u64>,
    /// The key that no other job of the queue has.
    pub unique_key: Option<String>,
    /// When the job was enqueued.
    pub created_at: DateTime<Utc>,
    /// When the job was or is ready for the first time.
    pub run_at: DateTime<Utc>,
    /// When a delayed job becomes ready.
    pub due_at: Option<DateTime<Utc>>,
    /// When the job was last leased.
    pub leased_at: Option<DateTime<Utc>>,
    /// When the lease expires.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// When the job was completed, died or was cancelled.
    pub ended_at: Option<DateTime<Utc>>,
    /// When the job is deleted.
    pub kept_until: Option<DateTime<Utc>>,
    /// The last progress that a worker reported.
    pub progress: Option<Box<RawValue>>,
    /// The result as it was sent.
    pub result: Option<Box<RawValue>>,
    /// The last five failures, the latest last.
    pub errors: Vec<JobError>,
}

/// A failed attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct JobError {
    /// When the attempt failed.
    pub at: DateTime<Utc>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The reason.
    pub error: String,
}

/// A page of jobs.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct JobsPage {
    /// The jobs, without their payloads.
    pub jobs: Vec<Job>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// The statistics of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Queue {
    /// The name of the queue.
    pub queue: String,
    /// Whether the queue is paused: none of its jobs is leased.
    pub paused: bool,
    /// The number of jobs in each state.
    pub counts: Counts,
    /// How long the oldest ready job has waited, milliseconds.
    pub oldest_ready_ms: Option<u64>,
    /// The number of jobs completed in the last whole minute.
    pub completed_last_minute: u64,
    /// The number of jobs completed in the last 59 whole minutes.
    pub completed_last_hour: u64,
}

/// The number of jobs in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Jobs that can be leased.
    pub ready: u64,
    /// Jobs that become ready later.
    pub delayed: u64,
    /// Jobs that a worker has leased.
    pub leased: u64,
    /// Jobs that are completed and still kept.
    pub done: u64,
    /// Jobs that have failed for the last time.
    pub dead: u64,
    /// Jobs that were cancelled and are still kept.
    pub cancelled: u64,
}

impl Jobs<'_> {
    /// Returns a job; `None` if it does not exist, or is deleted.
    ///
    /// # Errors
    /// 422 `validation_failed` if the id is invalid; 503 `unavailable` while Redis is unavailable.
    pub async fn job(self, id: &str) -> Result<Option<Job>, Error> {
        self.client.get(&["v1", "jobs", id])?.find().await
    }

    /// Cancels a job.
    ///
    /// # Errors
    /// 404 `not_found` if the job does not exist, or is deleted; 409 `wrong_state` if it is done or dead.
    pub async fn cancel(self, id: &str) -> Result<(), Error> {
        self.client.delete(&["v1", "jobs", id])?.done().await
    }

    /// Makes a delayed, dead or cancelled job ready now. The call is not repeated after a lost answer, because the job may have been
    /// leased.
    ///
    /// # Errors
    /// 404 `not_found` if the job does not exist, or is deleted; 409 `wrong_state` if it is leased or done, or another job has its unique
    /// key.
    pub async fn retry(self, id: &str) -> Result<(), Error> {
        self.client.post(&["v1", "jobs", id, "retry"])?.done().await
    }

    /// Returns a page of the jobs of a queue that are in a state. `cursor` is [`JobsPage::next`] of the previous page.
    ///
    /// # Errors
    /// 422 `validation_failed` if the name or the cursor is invalid.
    pub async fn list(self, queue: &str, state: JobState, cursor: Option<&str>) -> Result<JobsPage, Error> {
        let call = self.client.get(&["v1", "queues", queue, "jobs"])?;
        let call = call.query("state", state.as_str());
        call.query_if("cursor", cursor).fetch().await
    }

    /// Returns the statistics of a queue. A queue without jobs has zeros.
    ///
    /// # Errors
    /// 422 `validation_failed` if the name is invalid; 503 `unavailable` while Redis is unavailable.
    pub async fn queue(self, queue: &str) -> Result<Queue, Error> {
        self.client.get(&["v1", "queues", queue])?.fetch().await
    }

    /// Pauses a queue: none of its jobs is leased until [`Self::resume`].
    ///
    /// # Errors
    /// 409 `too_many_queues` if the queue is new and there are as many as there may be.
    pub async fn pause(self, queue: &str) -> Result<(), Error> {
        let call = self.client.post(&["v1", "queues", queue, "pause"])?;
        call.repeatable().done().await
    }

    /// Resumes a queue that was paused.
    ///
    /// # Errors
    /// 422 `validation_failed` if the name is invalid; 503 `unavailable` while Redis is unavailable.
    pub async fn resume(self, queue: &str) -> Result<(), Error> {
        let call = self.client.post(&["v1", "queues", queue, "resume"])?;
        call.repeatable().done().await
    }
}
