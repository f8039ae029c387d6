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

/// A type of job: what it carries, and what is done about it. Its terms are constants beside the handler.
///
/// A job runs **at least once**: again after a failure, and after a crash between its last deed and the word of it. So what
/// it does has to be safe to do twice: an upsert, a call with the job's id as its idempotency key.
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
    /// The type, as the queue has it.
    const NAME: &'static str;
    /// The queue that its jobs are put into.
    const QUEUE: &'static str;
    /// Higher ones first, 0 to 1,000.
    const PRIORITY: u16 = 0;
    /// How often it is tried before it is dead.
    const MAX_ATTEMPTS: u32 = 5;
    /// How long to wait before it is tried again.
    const BACKOFF: Backoff = Backoff {
        kind: BackoffKind::Exponential,
        base: Duration::from_secs(1),
        max: Duration::from_mins(10),
        jitter: 0.2,
    };
    /// How long one attempt may take, from its lease on; zero for as long as it likes.
    const TIMEOUT: Duration = Duration::from_mins(1);
    /// How long it is remembered when it is done.
    const KEEP_RESULT: Duration = Duration::from_hours(1);

    /// What all handlers of this type share: clients, settings.
    type State: Send + Sync + 'static;

    /// Reads the payload. Also asked when a job is put in by way of this service, so that what is not acceptable is refused
    /// then.
    ///
    /// # Errors
    /// Everything that is wrong with it, each by its member.
    fn parse(payload: &str) -> Result<Self, Vec<Fault>>;

    /// What else is wrong with a job that is put in, by the members of a job in JSON.
    fn check(&self, _job: &NewJob) -> Vec<Fault> {
        Vec::new()
    }

    /// Does it. The future is dropped where it waits when the lease is lost or the time is over.
    fn run(self, context: Context<Self::State>) -> impl Future<Output = Result<Outcome, JobFailure>> + Send;

    /// Puts a job of this type into its queue, on its terms.
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

    /// A job of this type, on its terms.
    ///
    /// # Errors
    /// If the payload cannot be written as JSON.
    fn new_job(payload: &impl Serialize) -> Result<NewJob, serde_json::Error> {
        let kind = CompactString::const_new(Self::NAME);
        Ok(Self::on_its_terms(NewJob::new(kind, to_raw_value(payload)?)))
    }

    /// A job on the terms of this type.
    #[must_use]
    fn on_its_terms(job: NewJob) -> NewJob {
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

/// Reads a payload by serde: [`Job::parse`] for a type that has nothing more to say.
///
/// # Errors
/// One fault, of the payload as a whole.
pub fn json<T: DeserializeOwned>(payload: &str) -> Result<T, Vec<Fault>> {
    serde_json::from_str(payload).map_err(|error| vec![Fault::new("", error.to_string())])
}

/// How a job went well.
#[derive(Debug)]
pub enum Outcome {
    /// Done.
    Done,
    /// Done, and this came of it.
    Result(Box<RawValue>),
    /// Goes on later, as the same job: one cancellation ends it, whatever it has become.
    Then {
        /// As what; as the same type if `None`.
        kind: Option<&'static str>,
        /// With what; with the same payload if `None`.
        payload: Option<Box<RawValue>>,
        /// After how long.
        delay: Duration,
    },
}

impl Outcome {
    /// Done, and this came of it.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn result(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self::Result(to_raw_value(value)?))
    }
}

/// How a job failed: what to remember of it, and whether to try again. Any error becomes one by `?`, tried again as the
/// job's terms have it.
#[derive(Debug)]
pub struct JobFailure {
    /// For people.
    pub error: String,
    /// When to try again.
    pub retry: Retry,
}

impl JobFailure {
    /// To be tried again as the job's terms have it.
    pub fn new(error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            retry: Retry::Policy,
        }
    }

    /// Not to be tried again.
    pub fn never(error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            retry: Retry::Never,
        }
    }

    /// To be tried again as the job's terms have it, but not before so long.
    pub fn at_least(delay: Duration, error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            retry: Retry::AtLeast(delay),
        }
    }

    /// Nothing was begun, as what it needs is not to be had: to be tried again after a time, and no attempt.
    pub fn uncounted(delay: Duration, error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            retry: Retry::Uncounted(delay),
        }
    }

    /// To be tried again after a time.
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
