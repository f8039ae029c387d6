use super::Jobs;
use crate::Error;
use crate::json::{self, RawValue};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A request for jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LeaseRequest {
    /// The maximum number of jobs, 1 to 1,000; by default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The duration of the leases, milliseconds, 100 to 3,600,000; by default 30,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u32>,
    /// How long to wait if there are no jobs, milliseconds, up to 60,000; by default the call does not wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u32>,
    /// Only jobs of these types, up to 64; all types if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
}

/// A job that the caller has leased.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct LeasedJob {
    /// The id of the job. It is the same at each attempt, so it can be an idempotency key.
    pub id: String,
    /// The type of the job.
    #[serde(rename = "type")]
    pub job_type: String,
    /// The payload as it was sent; see [`LeasedJob::read`].
    pub payload: Box<RawValue>,
    /// The priority of the job.
    pub priority: u32,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The maximum number of attempts.
    pub max_attempts: u32,
    /// The time limit of the attempt, milliseconds.
    pub timeout_ms: Option<u64>,
    /// The secret that settles the lease.
    pub token: String,
    /// When the lease expires, by the clock of Redis.
    pub lease_expires_at: DateTime<Utc>,
}

impl LeasedJob {
    /// Reads the payload.
    ///
    /// # Errors
    /// [`Error::Decode`] if the payload is not a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        json::parse(&self.payload)
    }
}

#[derive(Deserialize)]
struct Leased {
    jobs: Vec<LeasedJob>,
}

#[derive(Serialize)]
struct Extension<'a> {
    token: &'a str,
    lease_ms: u32,
}

#[derive(Deserialize)]
struct Extended {
    lease_expires_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Progress<'a, T: ?Sized> {
    token: &'a str,
    progress: &'a T,
}

impl Jobs<'_> {
    /// Leases the first jobs of a queue. Returns no job if there is none within `wait_ms`. The call is not repeated after a lost answer:
    /// the leases that it may have started expire. If its future is dropped before the answer, the jobs return to the queue at once.
    ///
    /// # Errors
    /// 503 `unavailable` while Redis is; 422 `validation_failed` if a member is invalid.
    pub async fn lease(self, queue: &str, request: &LeaseRequest) -> Result<Vec<LeasedJob>, Error> {
        let call = self.client.post(&["v1", "queues", queue, "lease"])?;
        let leased: Leased = call.json(request)?.waiting(request.wait_ms).fetch().await?;
        Ok(leased.jobs)
    }

    /// Extends a lease to `lease_ms` milliseconds from now. Returns when it expires. A lease is never shortened, and never extended beyond
    /// the time limit of the job.
    ///
    /// # Errors
    /// 409 `lease_over` if the lease has expired or the job was cancelled; 404 `not_found` if the job is deleted.
    pub async fn extend(self, job: &LeasedJob, lease_ms: u32) -> Result<DateTime<Utc>, Error> {
        let token = &job.token;
        let call = self.client.post(&["v1", "jobs", &job.id, "extend"])?;
        let extended: Extended = call.json(&Extension { token, lease_ms })?.repeatable().fetch().await?;
        Ok(extended.lease_expires_at)
    }

    /// Reports the progress of a job: up to 4 KiB of JSON. It replaces the previous progress.
    ///
    /// # Errors
    /// As [`Self::extend`]; 422 `validation_failed` if the progress is too large.
    pub async fn report_progress(self, job: &LeasedJob, progress: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let token = &job.token;
        let call = self.client.post(&["v1", "jobs", &job.id, "progress"])?;
        call.json(&Progress { token, progress })?.repeatable().done().await
    }
}
