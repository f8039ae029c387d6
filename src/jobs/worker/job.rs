use super::Context;
use crate::ids::Id;
use crate::jobs::{Added, Backoff, BackoffKind, Fault, Jobs, JobsError, NewJob, Retry};
use compact_str::CompactString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use std::error::Error;
use std::fmt::Display;
use std::time::Duration;

/// A type of job: its payload, its handler, and its defaults as constants.
///
/// A job runs **at least once**: it runs again after a failure, and after a crash before its completion was stored. So its effect must be
/// idempotent: an upsert, or a call with the job's id as its idempotency key.
///
/// ```
/// use fleetpulse::jobs::worker::{Context, Job, JobFailure, Outcome, json};
/// use fleetpulse::jobs::Fault;
///
/// #[derive(serde::Deserialize)]
/// struct SendEmail { to: String }
///
/// impl Job for SendEmail {
///     const NAME: &'static str = "send-email";
///     const QUEUE: &'static str = "mail";
///     const MAX_ATTEMPTS: u32 = 8;
///     type State = ();
///
///     fn parse(payload: &str) -> Result<Self, Vec<Fault>> {
///         json(payload)
///     }
///
///     async fn run(self, context: Context<()>) -> Result<Outcome, JobFailure> {
///         println!("attempt {} to write to {}", context.attempt(), self.to);
///         Ok(Outcome::Done)
///     }
/// }
/// ```
pub trait Job: Sized + Send + 'static {
    /// The name of the type.
    const NAME: &'static str;
    /// The queue of the jobs.
    const QUEUE: &'static str;
    /// The priority, 0 to 1,000; higher priorities run first.
    const PRIORITY: u16 = 0;
    /// Maximum number of attempts.
    const MAX_ATTEMPTS: u32 = 5;
    /// The delay between attempts.
    const BACKOFF: Backoff = Backoff {
        kind: BackoffKind::Exponential,
        base: Duration::from_secs(1),
        max: Duration::from_mins(10),
        jitter: 0.2,
    };
    /// The time limit of an attempt, from its lease on; zero for none.
    const TIMEOUT: Duration = Duration::from_mins(1);
    /// The retention of a job after it is done.
    const KEEP_RESULT: Duration = Duration::from_hours(1);

    /// The state that all handlers of this type share, such as clients and settings.
    type State: Send + Sync + 'static;

    /// Parses the payload. It is also called when a job is added, so that an invalid payload is refused then.
    ///
    /// # Errors
    /// All faults, each with its member.
    fn parse(payload: &str) -> Result<Self, Vec<Fault>>;

    /// Returns further faults of a job that is added, by the members of a job in JSON.
    fn check(&self, _job: &NewJob) -> Vec<Fault> {
        Vec::new()
    }

    /// Runs the job. The future is dropped at an await when the lease is lost or the time limit is exceeded.
    fn run(self, context: Context<Self::State>) -> impl Future<Output = Result<Outcome, JobFailure>> + Send;

    /// Adds a job of this type to its queue, with its defaults.
    ///
    /// # Errors
    /// As [`Jobs::add`]; [`JobsError::Invalid`] also if the payload cannot be written as JSON.
    fn put(jobs: &Jobs, payload: &impl Serialize) -> impl Future<Output = Result<Added, JobsError>> {
        let invalid = |member: &str, error: &dyn Error| JobsError::Invalid(vec![Fault::new(member, error.to_string())]);
        let job = Self::new_job(payload).map_err(|error| invalid("payload", &error));
        async move {
            let queue = Id::parse(Self::QUEUE).map_err(|error| invalid("queue", &error))?;
            let added = jobs.add(&queue, vec![job?]).await?;
            added.into_iter().next().ok_or(JobsError::Unknown)
        }
    }

    /// Creates a job of this type, with its defaults.
    ///
    /// # Errors
    /// If the payload cannot be written as JSON.
    fn new_job(payload: &impl Serialize) -> Result<NewJob, serde_json::Error> {
        let kind = CompactString::const_new(Self::NAME);
        Ok(Self::with_defaults(NewJob::new(kind, to_raw_value(payload)?)))
    }

    /// Sets the defaults of this type in a job.
    #[must_use]
    fn with_defaults(job: NewJob) -> NewJob {
        NewJob {
            priority: Self::PRIORITY,
            max_attempts: Self::MAX_ATTEMPTS,
            backoff: Self::BACKOFF,
            timeout: Self::TIMEOUT,
            keep_result: Self::KEEP_RESULT,
            ..job
        }
    }
}

/// Parses a payload by serde, for [`Job::parse`] of a type without further checks.
///
/// # Errors
/// One fault, of the payload as a whole.
pub fn json<T: DeserializeOwned>(payload: &str) -> Result<T, Vec<Fault>> {
    serde_json::from_str(payload).map_err(|error| vec![Fault::new("", error.to_string())])
}

/// The outcome of a successful attempt.
#[derive(Debug)]
pub enum Outcome {
    /// The job is done.
    Done,
    /// The job is done, with a result.
    Result(Box<RawValue>),
    /// The job continues later under the same id, so that one cancellation ends the series.
    Then {
        /// The new type; unchanged if `None`.
        kind: Option<&'static str>,
        /// The new payload; unchanged if `None`.
        payload: Option<Box<RawValue>>,
        /// The delay.
        delay: Duration,
    },
}

impl Outcome {
    /// Returns the outcome of a job that is done, with a result.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn result(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self::Result(to_raw_value(value)?))
    }
}

/// A failed attempt: the error, and whether the job is retried. `?` converts any error; the job is then retried after its backoff.
#[derive(Debug)]
pub struct JobFailure {
    /// The error, for people.
    pub error: String,
    /// Whether and when the job is retried.
    pub retry: Retry,
}

impl JobFailure {
    /// Creates a failure that is retried after the backoff.
    pub fn new(error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            retry: Retry::Policy,
        }
    }

    /// Creates a failure that is not retried.
    pub fn never(error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            retry: Retry::Never,
        }
    }

    /// Creates a failure that is retried after the backoff, but not before `delay`.
    pub fn at_least(delay: Duration, error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            retry: Retry::AtLeast(delay),
        }
    }

    /// Creates a failure that is retried after `delay`, and whose attempt does not count: nothing was started, because something that the job
    /// needs was unavailable.
    pub fn uncounted(delay: Duration, error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            retry: Retry::Uncounted(delay),
        }
    }

    /// Creates a failure that is retried after `delay`.
    pub fn after(delay: Duration, error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            retry: Retry::After(delay),
        }
    }
}

impl<E: Error> From<E> for JobFailure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        Self::new(text)
    }
}
