//! Jobs on their way from Redis to who asked for them. Whoever has gone meanwhile (a client that closed its connection, a future
//! that was dropped) gets none: they go back to their places at once, and the attempt does not count.
//!
//! Where the answer of Redis itself is lost nobody knows of the leases: those jobs come back at the ends of them as after a crash
//! of their worker, with the attempt counted; and are dead if it was the last.

use super::api::Jobs;
use super::commands::{self, Taken};
use super::error::JobsError;
use super::id::LeaseToken;
use super::model::{LeaseRequest, SettleOutcome, Settlement};
use crate::ids::Id;
use crate::runtime::{caught, failpoint};
use crate::store::StoreError;
use std::mem;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Leased jobs that nobody has taken yet. Dropped, it gives them back.
#[derive(Debug)]
struct Parcel {
    jobs: Jobs,
    queue: Id,
    taken: Taken,
}

impl Parcel {
    fn open(mut self) -> Taken {
        mem::take(&mut self.taken)
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        let leased = mem::take(&mut self.taken.jobs);
        if leased.is_empty() {
            return;
        }
        // Dropped by the end of the runtime, it leaves them to the ends of their leases.
        let Ok(runtime) = Handle::try_current() else { return };
        let (jobs, queue) = (self.jobs.clone(), self.queue.clone());
        let releasing = async move {
            if let Err(error) = jobs.release(&queue, leased).await {
                tracing::debug!(%error, "jobs that nobody waited for come back at the end of their leases");
            }
        };
        runtime.spawn(caught("jobs.release", releasing));
    }
}

/// A task that panics, or ends with its runtime, drops its answer; the outcome is unknown then.
fn cut_off<E>(_closed: E) -> JobsError {
    StoreError::Interrupted.into()
}

/// Leases what is ready, in a task of its own: dropped in the middle, this loses nothing.
pub(super) async fn lease(jobs: &Jobs, queue: &Id, request: &LeaseRequest) -> Result<Taken, JobsError> {
    let (answer, answered) = oneshot::channel();
    let (jobs, queue, request) = (jobs.clone(), queue.clone(), request.clone());
    let leasing = async move {
        failpoint("jobs.lease");
        let taken = commands::lease(jobs.target(&queue), &request, LeaseToken::draw()).await;
        let parcel = taken.map(|taken| Parcel { jobs, queue, taken });
        // Not to be delivered, it is dropped.
        drop(answer.send(parcel));
    };
    tokio::spawn(caught("jobs.lease", leasing));
    Ok(answered.await.map_err(cut_off)??.open())
}

/// Ends leases and leases what is ready, in a task of its own.
pub(super) async fn settle(
    jobs: &Jobs,
    queue: &Id,
    settlements: Vec<Settlement>,
    next: LeaseRequest,
) -> Result<(Vec<SettleOutcome>, Taken), JobsError> {
    let (answer, answered) = oneshot::channel();
    let (jobs, queue) = (jobs.clone(), queue.clone());
    let settling = async move {
        failpoint("jobs.settle");
        let next = Some((&next, LeaseToken::draw()));
        let settled = commands::settle(jobs.target(&queue), &settlements, next).await;
        let parcel = settled.map(|(outcomes, taken)| (outcomes, Parcel { jobs, queue, taken }));
        drop(answer.send(parcel));
    };
    tokio::spawn(caught("jobs.settle", settling));
    let (outcomes, parcel) = answered.await.map_err(cut_off)??;
    Ok((outcomes, parcel.open()))
}
