use super::{JobState, Jobs, LeaseRequest, LeasedJob};
use crate::Error;
use crate::json::{self, RawValue};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt::Display;

/// How a job is completed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Completion {
    /// The result: any JSON, by default up to 64 KiB; see [`json::raw`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// Continues the job instead of completing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<Continuation>,
}

impl Completion {
    /// Creates a completion with a result.
    ///
    /// # Errors
    /// [`Error::Encode`] if the result cannot be written as JSON.
    pub fn with_result(result: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        Ok(Self {
            result: Some(json::raw(result)?),
            then: None,
        })
    }
}

/// How a job continues under the same id.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Continuation {
    /// The delay before the job is ready again, milliseconds.
    pub delay_ms: u64,
    /// The new type of the job; by default unchanged.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub job_type: Option<String>,
    /// The new payload of the job; by default unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
}

/// How an attempt has failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The reason. The service keeps the first 1,000 bytes.
    pub error: String,
    /// Whether and when the job is retried.
    pub retry: Retry,
}

impl Failure {
    /// Creates a failure that is retried after the backoff of the job.
    #[must_use]
    pub fn new(error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            retry: Retry::Backoff,
        }
    }

    /// Creates a failure that is not retried: the job is dead.
    #[must_use]
    pub fn permanent(error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            retry: Retry::Never,
        }
    }
}

/// Whether and when a failed job is retried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Retry {
    /// After the backoff of the job, unless this was the last attempt.
    #[default]
    Backoff,
    /// Not at all: the job is dead.
    Never,
    /// After this time, milliseconds, unless this was the last attempt.
    AfterMs(u64),
}

impl Serialize for Retry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Backoff => serializer.serialize_bool(true),
            Self::Never => serializer.serialize_bool(false),
            Self::AfterMs(ms) => serializer.serialize_u64(ms),
        }
    }
}

/// The answer to the end of a lease.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EndedLease {
    /// The state of the job.
    pub state: JobState,
    /// The next jobs, if the call has leased them.
    #[serde(default)]
    pub jobs: Vec<LeasedJob>,
}

/// The end of a lease, for [`Jobs::settle`].
#[derive(Debug, Clone, Serialize)]
pub struct Settlement {
    /// The id of the job.
    pub id: String,
    /// The token of the lease.
    pub token: String,
    /// How the lease ends.
    #[serde(flatten)]
    pub end: End,
}

/// How a lease ends.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// The job is done, or continues.
    Complete(Completion),
    /// The attempt failed.
    Fail(Failure),
    /// The job returns to the queue, and the attempt does not count.
    Release,
}

impl Settlement {
    /// Creates the end of the lease of a job.
    #[must_use]
    pub fn new(job: &LeasedJob, end: End) -> Self {
        Self {
            id: job.id.clone(),
            token: job.token.clone(),
            end,
        }
    }
}

/// The outcomes of many settlements.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Settled {
    /// One outcome for each settlement, in their order.
    pub outcomes: Vec<SettledJob>,
    /// The next jobs, if the call has leased them.
    #[serde(default)]
    pub jobs: Vec<LeasedJob>,
}

/// The outcome of one settlement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct SettledJob {
    /// The id of the job.
    pub id: String,
    /// Whether the lease is settled.
    pub outcome: SettlementOutcome,
    /// The state of the job.
    pub state: Option<JobState>,
}

/// Whether a lease is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SettlementOutcome {
    /// This call or an earlier one has settled the lease.
    Settled,
    /// The lease has expired or belongs to another worker.
    NotYours,
    /// The job does not exist, or is deleted.
    Unknown,
}

/// The body of a call that ends one lease.
#[derive(Serialize)]
struct Ending<'a, T> {
    token: &'a str,
    #[serde(flatten)]
    end: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_next: Option<&'a LeaseRequest>,
}

/// The body of a call that ends many leases.
#[derive(Serialize)]
struct Settle<'a> {
    jobs: &'a [Settlement],
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_next: Option<&'a LeaseRequest>,
}

/// With `lease_next` a call leases the next jobs in the same step. If its answer was lost, the leases that it may have started expire.
impl Jobs<'_> {
    /// Completes a job, or continues it with [`Completion::then`].
    ///
    /// # Errors
    /// 409 `lease_over` if the lease has expired or the job was cancelled, with the member `state`; 409 `too_many_types` if the job would
    /// continue with one type too many; 404 `not_found` if the job is deleted.
    pub async fn complete(
        self,
        job: &LeasedJob,
        completion: &Completion,
        lease_next: Option<&LeaseRequest>,
    ) -> Result<EndedLease, Error> {
        self.end(job, "complete", completion, lease_next).await
    }

    /// Fails an attempt: the job is retried, or is dead after its last attempt.
    ///
    /// # Errors
    /// 409 `lease_over` if the lease has expired or the job was cancelled, with the member `state`; 404 `not_found` if the job is deleted.
    pub async fn fail(
        self,
        job: &LeasedJob,
        failure: &Failure,
        lease_next: Option<&LeaseRequest>,
    ) -> Result<EndedLease, Error> {
        self.end(job, "fail", failure, lease_next).await
    }

    /// Settles up to 1,000 leases of a queue, each independently.
    ///
    /// # Errors
    /// 422 `validation_failed` if a settlement is invalid: nothing is changed. A lease that cannot be settled is not an error: see
    /// [`SettledJob::outcome`].
    pub async fn settle(
        self,
        queue: &str,
        settlements: &[Settlement],
        lease_next: Option<&LeaseRequest>,
    ) -> Result<Settled, Error> {
        let call = self.client.post(&["v1", "queues", queue, "settle"])?;
        let jobs = settlements;
        let call = call.json(&Settle { jobs, lease_next })?.repeatable();
        call.waiting(waiting(lease_next)).fetch().await
    }

    async fn end(
        self,
        job: &LeasedJob,
        verb: &str,
        end: &impl Serialize,
        lease_next: Option<&LeaseRequest>,
    ) -> Result<EndedLease, Error> {
        let token = &job.token;
        let call = self.client.post(&["v1", "jobs", &job.id, verb])?;
        let call = call.json(&Ending { token, end, lease_next })?.repeatable();
        call.waiting(waiting(lease_next)).fetch().await
    }
}

fn waiting(lease_next: Option<&LeaseRequest>) -> Option<u32> {
    lease_next.and_then(|request| request.wait_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_end_is_written_beside_its_lease() {
        let written = |end| {
            let (id, token) = ("q.1".to_owned(), "t".to_owned());
            serde_json::to_string(&Settlement { id, token, end }).unwrap()
        };
        let completion = Completion {
            result: Some(RawValue::from_string("1.50".to_owned()).unwrap()),
            then: None,
        };
        assert_eq!(
            written(End::Complete(completion)),
            r#"{"id":"q.1","token":"t","end":"complete","result":1.50}"#
        );
        assert_eq!(written(End::Release), r#"{"id":"q.1","token":"t","end":"release"}"#);
        let retries = [Retry::Backoff, Retry::Never, Retry::AfterMs(5)].map(|retry| json!(retry));
        assert_eq!(json!(retries), json!([true, false, 5]));
    }
}
