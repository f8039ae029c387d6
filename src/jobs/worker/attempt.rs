use super::context::Lease;
use super::registry::{Attempt, Handler};
use super::{JobFailure, Outcome};
use crate::jobs::{Jobs, Leased};
use crate::runtime::panic_text;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep_until};

/// One attempt of a job: the handler, guarded by catching panics, by a time limit, and by its lease.
pub(super) struct Running {
    pub lease: Arc<Lease>,
    work: Attempt,
    /// The time limit from the lease on; zero for none.
    limit: Duration,
    /// Created when the handler first waits: most handlers never do.
    over: Option<Pin<Box<Sleep>>>,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Ended {
    Ran(Result<Outcome, JobFailure>),
    Panicked(String),
    TimedOut(Duration),
    /// The lease was lost, so the attempt cannot be settled.
    Lost,
}

impl Running {
    /// Starts an attempt. Returns the message of a panic before the first await.
    pub fn begin(leased: &Leased, lease: &Arc<Lease>, handler: &dyn Handler, jobs: &Jobs) -> Result<Self, String> {
        let work = catch_unwind(AssertUnwindSafe(|| handler.start(leased.payload.get(), lease, jobs)))
            .map_err(|panic| panic_message(&*panic))?;
        Ok(Self {
            lease: Arc::clone(lease),
            work,
            limit: lease.limit(handler.timeout()),
            over: None,
        })
    }
}

impl Future for Running {
    type Output = (Arc<Lease>, Ended);

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let ended = ready!(this.poll_end(task));
        Poll::Ready((Arc::clone(&this.lease), ended))
    }
}

impl Running {
    fn poll_end(&mut self, task: &mut TaskContext<'_>) -> Poll<Ended> {
        let this = self;
        if this.lease.is_lost() {
            return Poll::Ready(Ended::Lost);
        }
        match catch_unwind(AssertUnwindSafe(|| this.work.as_mut().poll(task))) {
            Ok(Poll::Ready(result)) => return Poll::Ready(Ended::Ran(result)),
            Ok(Poll::Pending) => {}
            Err(panic) => return Poll::Ready(Ended::Panicked(panic_message(&*panic))),
        }
        if this.lease.watch(task) {
            return Poll::Ready(Ended::Lost);
        }
        let limit = this.limit;
        if limit.is_zero() {
            return Poll::Pending;
        }
        let over = this
            .over
            .get_or_insert_with(|| Box::pin(sleep_until(this.lease.start + limit)));
        over.as_mut().poll(task).map(|()| Ended::TimedOut(limit))
    }
}

/// Returns the message of a panic.
fn panic_message(panic: &(dyn Any + Send)) -> String {
    format!("panicked: {}", panic_text(panic))
}
