//! Jobs on their way from Redis to the caller that leases them. If the caller has gone meanwhile (the client closed its connection, the
//! future was dropped), the jobs return to their places at once, and the attempt does not count.
//!
//! Where the answer of Redis itself is lost, Redis has noted under the call's name which jobs were leased: those are given back as soon
//! as Redis answers. If the instance dies with it, they come back at the ends of their leases as after a crash of their
//! worker, with the attempt counted; and are dead if it was the last.

use super::allowance::Allowance;
use super::api::Jobs;
use super::call_names::CallName;
use super::commands::{self, Taken, Taking};
use super::error::JobsError;
use super::id::{JobId, LeaseToken};
use super::model::{LeaseRequest, SettleOutcome, Settlement};
use crate::ids::Id;
use crate::runtime::{Budget, GiveBack, Undelivered, caught, failpoint};
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

impl Taken {
    /// The same with the part of the memory that was taken for it.
    fn within(mut self, allowance: Allowance) -> Self {
        self.room = allowance.of(&self.jobs);
        self
    }
}

/// Leased jobs that nobody has got yet. Dropped by the end of the runtime they are left to the ends of their leases.
fn parcel(jobs: Jobs, queue: Id, taken: Taken, lease: Duration) -> Undelivered<Taken> {
    let Some(drawn) = taken.jobs.first().map(|job| job.token) else {
        return Undelivered::new(taken, GiveBack::nothing());
    };
    let ids: Arc<[JobId]> = taken.jobs.iter().map(|job| job.id.clone()).collect();
    let give_back = GiveBack::new(move || {
        jobs.link().clone().give_back("jobs.release", lease, move |_link| {
            let (jobs, queue, ids) = (jobs.clone(), queue.clone(), Arc::clone(&ids));
            async move {
                match jobs.release_all(&queue, &ids, drawn).await {
                    Err(JobsError::Store(error)) => Err(error),
                    _ => Ok(()),
                }
            }
        });
    });
    Undelivered::new(taken, give_back)
}

/// Gives back what a call may have leased whose answer was lost. Its name is another call's only after that.
fn recall_if_lost<T>(
    outcome: &Result<T, JobsError>,
    jobs: &Jobs,
    queue: &Id,
    token: LeaseToken,
    name: CallName,
    lease: Duration,
) {
    let Err(JobsError::Store(StoreError::Lost(_))) = outcome else {
        return;
    };
    let (jobs, queue, name) = (jobs.clone(), queue.clone(), Arc::new(name));
    jobs.link().clone().give_back("jobs.recall", lease, move |_link| {
        let (jobs, queue, name) = (jobs.clone(), queue.clone(), Arc::clone(&name));
        async move {
            let ids = commands::leased_by(jobs.target(&queue), name.as_str(), token).await?;
            match jobs.release_all(&queue, &ids, token).await {
                Err(JobsError::Store(error)) => Err(error),
                _ => Ok(()),
            }
        }
    });
}

/// A task that panics, or ends with its runtime, drops its answer; the outcome is unknown then.
fn cut_off<E>(_closed: E) -> JobsError {
    StoreError::Interrupted.into()
}

/// Leases what is ready, in a task of its own: dropped in the middle, this loses nothing.
pub(super) async fn lease(
    jobs: &Jobs,
    queue: &Id,
    request: &LeaseRequest,
    memory: Option<&Budget>,
) -> Result<Undelivered<Taken>, JobsError> {
    let allowance = Allowance::take(memory, request, jobs.settings())?;
    let (answer, answered) = oneshot::channel();
    let (jobs, queue, request) = (jobs.clone(), queue.clone(), request.clone());
    let leasing = async move {
        failpoint("jobs.lease");
        let (token, name) = (LeaseToken::draw(), jobs.call_names().take());
        let taking = Taking {
            request: &request,
            bytes: allowance.bytes,
            token,
            name: name.as_str(),
        };
        let leased = commands::lease(jobs.target(&queue), taking).await;
        recall_if_lost(&leased, &jobs, &queue, token, name, request.lease);
        let parcel = leased.map(|taken| parcel(jobs, queue, taken.within(allowance), request.lease));
        // Not to be delivered, it is dropped.
        drop(answer.send(parcel));
    };
    tokio::spawn(caught("jobs.lease", leasing));
    answered.await.map_err(cut_off)?
}

/// Ends leases and leases what is ready, in a task of its own.
pub(super) async fn settle(
    jobs: &Jobs,
    queue: &Id,
    settlements: Vec<Settlement>,
    next: LeaseRequest,
    memory: Option<&Budget>,
) -> Result<(Vec<SettleOutcome>, Undelivered<Taken>), JobsError> {
    let allowance = Allowance::take(memory, &next, jobs.settings())?;
    let (answer, answered) = oneshot::channel();
    let (jobs, queue) = (jobs.clone(), queue.clone());
    let settling = async move {
        failpoint("jobs.settle");
        let (token, name, lease) = (LeaseToken::draw(), jobs.call_names().take(), next.lease);
        let taking = Taking {
            request: &next,
            bytes: allowance.bytes,
            token,
            name: name.as_str(),
        };
        let settled = commands::settle(jobs.target(&queue), &settlements, Some(taking)).await;
        recall_if_lost(&settled, &jobs, &queue, token, name, lease);
        let within = |taken: Taken| taken.within(allowance);
        let parcel = settled.map(|(outcomes, next)| (outcomes, parcel(jobs, queue, within(next), lease)));
        drop(answer.send(parcel));
    };
    tokio::spawn(caught("jobs.settle", settling));
    answered.await.map_err(cut_off)?
}
