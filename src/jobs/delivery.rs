//! Delivers leased jobs from Redis to the caller. If the caller is gone (its client has disconnected, its future was dropped), the jobs are
//! released at once, and the attempt does not count.
//!
//! If the answer of Redis is lost, Redis has recorded the leased jobs under the name of the call: they are released as soon as Redis answers.
//! If the instance crashes before that, their leases expire as after a crash of a worker: the attempt counts, and the job is dead if it was
//! the last.

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
    /// Adds the part of the allowance that the jobs need.
    fn within(mut self, allowance: Allowance) -> Self {
        self.room = allowance.of(&self.jobs);
        self
    }
}

/// Wraps leased jobs that are released unless they are delivered. If they are dropped when the runtime ends, their leases expire.
fn undelivered(jobs: Jobs, queue: Id, taken: Taken, lease: Duration) -> Undelivered<Taken> {
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

/// Releases the jobs that a call may have leased whose answer was lost. The name of the call is reused only after that.
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

/// Returns the error for a task that ended without an answer, by a panic or with its runtime. The outcome of its call is unknown.
fn interrupted<E>(_closed: E) -> JobsError {
    StoreError::Interrupted.into()
}

impl Jobs {
    /// Leases ready jobs in a task of its own, so that no job is lost if this future is dropped.
    pub(super) async fn lease_in_task(
        &self,
        queue: &Id,
        request: &LeaseRequest,
        memory: Option<&Budget>,
    ) -> Result<Undelivered<Taken>, JobsError> {
        let allowance = Allowance::take(memory, request, self.settings())?;
        let (answer, answered) = oneshot::channel();
        let (jobs, queue, request) = (self.clone(), queue.clone(), request.clone());
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
            let offered = leased.map(|taken| undelivered(jobs, queue, taken.within(allowance), request.lease));
            // If the caller is gone, this drops the jobs, which releases them.
            drop(answer.send(offered));
        };
        tokio::spawn(caught("jobs.lease", leasing));
        answered.await.map_err(interrupted)?
    }

    /// Ends leases and leases ready jobs, in a task of its own.
    pub(super) async fn settle_in_task(
        &self,
        queue: &Id,
        settlements: Vec<Settlement>,
        next: LeaseRequest,
        memory: Option<&Budget>,
    ) -> Result<(Vec<SettleOutcome>, Undelivered<Taken>), JobsError> {
        let allowance = Allowance::take(memory, &next, self.settings())?;
        let (answer, answered) = oneshot::channel();
        let (jobs, queue) = (self.clone(), queue.clone());
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
            let offered = settled.map(|(outcomes, next)| (outcomes, undelivered(jobs, queue, within(next), lease)));
            drop(answer.send(offered));
        };
        tokio::spawn(caught("jobs.settle", settling));
        answered.await.map_err(interrupted)?
    }
}
