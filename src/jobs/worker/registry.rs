use super::context::{Context, Lease};
use super::{Job, JobFailure, Outcome};
use crate::jobs::{Fault, Jobs, NewJob};
use compact_str::CompactString;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// The types of jobs that this process runs, each with the state of its handlers.
#[derive(Debug, Default, Clone)]
pub struct Registry {
    handlers: HashMap<CompactString, Arc<dyn Handler>>,
}

impl Registry {
    /// Registers the type `J` with its state. A second registration replaces the first.
    #[must_use]
    pub fn with<J: Job>(mut self, state: Arc<J::State>) -> Self {
        let handler: HandlerOf<J> = HandlerOf {
            state,
            job: PhantomData,
        };
        self.handlers
            .insert(CompactString::const_new(J::NAME), Arc::new(handler));
        self
    }

    /// Returns the distinct queues of the types, by name.
    #[must_use]
    pub fn queues(&self) -> Vec<&'static str> {
        let mut queues: Vec<_> = self.handlers.values().map(|handler| handler.queue()).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }

    /// Returns the types of a queue, for its pool.
    #[must_use]
    pub fn of_queue(&self, queue: &str) -> Self {
        let of_queue = self.handlers.iter().filter(|(_, handler)| handler.queue() == queue);
        Self {
            handlers: of_queue
                .map(|(kind, handler)| (kind.clone(), Arc::clone(handler)))
                .collect(),
        }
    }

    /// Returns the types, by name.
    #[must_use]
    pub fn kinds(&self) -> Vec<CompactString> {
        let mut kinds: Vec<_> = self.handlers.keys().cloned().collect();
        kinds.sort_unstable();
        kinds
    }

    /// Validates a job by its type. A type that is not registered is a fault.
    ///
    /// # Errors
    /// All faults, by the pointers of a job in JSON.
    pub fn check(&self, job: &NewJob) -> Result<(), Vec<Fault>> {
        let Some(handler) = self.handlers.get(&job.kind) else {
            let kinds = self.kinds().join(", ");
            return Err(vec![Fault::new(
                "type",
                format!("this queue has jobs of the types {kinds} only"),
            )]);
        };
        let under_payload = |fault: Fault| {
            let member = if fault.member.is_empty() {
                "payload".to_owned()
            } else {
                format!("payload/{}", fault.member)
            };
            Fault { member, ..fault }
        };
        handler.check(job, &under_payload)
    }

    /// Returns a job with the defaults of its type.
    #[must_use]
    pub fn with_defaults(&self, job: NewJob) -> NewJob {
        match self.handlers.get(&job.kind) {
            Some(handler) => handler.with_defaults(job),
            None => job,
        }
    }

    pub(super) fn get(&self, kind: &str) -> Option<&Arc<dyn Handler>> {
        self.handlers.get(kind)
    }
}

/// A [`Job`] without its type.
pub(super) trait Handler: Send + Sync + fmt::Debug {
    /// Starts an attempt.
    fn start(&self, payload: &str, lease: &Arc<Lease>, jobs: &Jobs) -> Attempt;
    /// Validates a job. `place` adds the path of the payload to a fault.
    fn check(&self, job: &NewJob, place: &dyn Fn(Fault) -> Fault) -> Result<(), Vec<Fault>>;
    fn with_defaults(&self, job: NewJob) -> NewJob;
    fn timeout(&self) -> Duration;
    fn queue(&self) -> &'static str;
}

/// A running handler.
pub(super) type Attempt = BoxFuture<'static, Result<Outcome, JobFailure>>;

struct HandlerOf<J: Job> {
    state: Arc<J::State>,
    job: PhantomData<fn() -> J>,
}

impl<J: Job> fmt::Debug for HandlerOf<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handler({})", J::NAME)
    }
}

impl<J: Job> Handler for HandlerOf<J> {
    fn start(&self, payload: &str, lease: &Arc<Lease>, jobs: &Jobs) -> Attempt {
        match J::parse(payload) {
            Ok(job) => Box::pin(job.run(Context {
                lease: Arc::clone(lease),
                jobs: jobs.clone(),
                state: Arc::clone(&self.state),
                limit: lease.limit(J::TIMEOUT),
            })),
            Err(faults) => {
                let mut error = "the payload is not valid".to_owned();
                for Fault { member, detail, .. } in faults {
                    // Writing to a String cannot fail.
                    let _ = write!(error, "; /{member}: {detail}");
                }
                Box::pin(async move { Err(JobFailure::never(error)) })
            }
        }
    }

    fn check(&self, job: &NewJob, place: &dyn Fn(Fault) -> Fault) -> Result<(), Vec<Fault>> {
        let faults = match J::parse(job.payload.get()) {
            Ok(parsed) => parsed.check(job),
            Err(faults) => faults.into_iter().map(place).collect(),
        };
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn with_defaults(&self, job: NewJob) -> NewJob {
        J::with_defaults(job)
    }

    fn timeout(&self) -> Duration {
        J::TIMEOUT
    }

    fn queue(&self) -> &'static str {
        J::QUEUE
    }
}
