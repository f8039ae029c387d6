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

/// The types of jobs that somebody handles here, each with what its handlers share.
#[derive(Debug, Default, Clone)]
pub struct Registry {
    handlers: HashMap<CompactString, Arc<dyn Handler>>,
}

impl Registry {
    /// Handles jobs of type `J` with this state; a second registration takes the place of the first.
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

    /// The queues of the types, each once, by name.
    #[must_use]
    pub fn queues(&self) -> Vec<&'static str> {
        let mut queues: Vec<_> = self.handlers.values().map(|handler| handler.queue()).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }

    /// Those of its types that are put into a queue: what a pool of that queue handles.
    #[must_use]
    pub fn of_queue(&self, queue: &str) -> Self {
        let of_queue = self.handlers.iter().filter(|(_, handler)| handler.queue() == queue);
        Self {
            handlers: of_queue
                .map(|(kind, handler)| (kind.clone(), Arc::clone(handler)))
                .collect(),
        }
    }

    /// The types, in the order of their names.
    #[must_use]
    pub fn kinds(&self) -> Vec<CompactString> {
        let mut kinds: Vec<_> = self.handlers.keys().cloned().collect();
        kinds.sort_unstable();
        kinds
    }

    /// What the type of a job says about its payload, by the pointers of a job in JSON. A type that is not handled here is
    /// a fault as well.
    ///
    /// # Errors
    /// Everything that is wrong with it.
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

    /// A job on the terms of its type.
    #[must_use]
    pub fn usual(&self, job: NewJob) -> NewJob {
        match self.handlers.get(&job.kind) {
            Some(handler) => handler.usual(job),
            None => job,
        }
    }

    pub(super) fn get(&self, kind: &str) -> Option<&Arc<dyn Handler>> {
        self.handlers.get(kind)
    }
}

/// A [`Job`] without its type.
pub(super) trait Handler: Send + Sync + fmt::Debug {
    /// Begins an attempt.
    fn start(&self, payload: &str, lease: &Arc<Lease>, jobs: &Jobs) -> Attempt;
    /// `place` says where a fault of the payload is.
    fn check(&self, job: &NewJob, place: &dyn Fn(Fault) -> Fault) -> Result<(), Vec<Fault>>;
    fn usual(&self, job: NewJob) -> NewJob;
    fn timeout(&self) -> Duration;
    fn queue(&self) -> &'static str;
}

/// A handler at its work.
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
                let mut error = "the payload is not acceptable".to_owned();
                for Fault { member, detail, .. } in faults {
                    // Writing to a string does not fail.
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

    fn usual(&self, job: NewJob) -> NewJob {
        J::on_its_terms(job)
    }

    fn timeout(&self) -> Duration {
        J::TIMEOUT
    }

    fn queue(&self) -> &'static str {
        J::QUEUE
    }
}
