//! Delivers leased jobs from Redis to the caller. If the caller is gone (its client has disconnected, its future was dropped), the jobs are
//! released at once, and the attempt does not count.
//!
//! If the answer of Redis is lost, Redis has recorded the leased jobs under the name of the call: they are released as soon as Redis answers.
//! If the instance crashes before that, their leases expire as after a crash of a worker: the attempt counts, and the job is dead if it was
//! the last.

use super::allowance::Allowance;
use super::call_names::CallName;
use super::commands::{self, Taken, Taking, Target};
use super::error::JobsError;
use super::id::{JobId, LeaseToken};
use super::model::{LeaseRequest, SettleOutcome, Settlement};
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
fn undelivered(target: Target, taken: Taken, lease: Duration) -> Undelivered<Taken> {
    let Some(drawn) = taken.jobs.first().map(|job| job.token) else {
        return Undelivered::new(taken, GiveBack::nothing());
    };
    let ids: Arc<[JobId]> = taken.jobs.iter().map(|job| job.id.clone()).collect();
    let give_back = GiveBack::new(move || {
        target.link.clone().give_back("jobs.release", lease, move |_link| {
            let (target, ids) = (target.clone(), Arc::clone(&ids));
            async move { release(&target, &ids, drawn).await }
        });
    });
    Undelivered::new(taken, give_back)
}

/// Releases jobs that were leased with the same token. Fails only if it may be retried.
async fn release(target: &Target, ids: &[JobId], token: LeaseToken) -> Result<(), StoreError> {
    match commands::release(target, ids.iter().map(|id| (id.clone(), token))).await {
        Err(JobsError::Store(error)) => Err(error),
        _ => Ok(()),
    }
}

/// Releases the jobs that a call may have leased whose answer was lost. The name of the call is reused only after that.
fn recall_if_lost<T>(
    outcome: &Result<T, JobsError>,
    target: &Target,
    token: LeaseToken,
    name: CallName,
    lease: Duration,
) {
    let Err(JobsError::Store(StoreError::Lost(_))) = outcome else {
        return;
    };
    let (link, target, name) = (&target.link, target.clone(), Arc::new(name));
    link.give_back("jobs.recall", lease, move |_link| {
        let (target, name) = (target.clone(), Arc::clone(&name));
        async move {
            let ids = commands::leased_by(&target, name.as_str(), token).await?;
            release(&target, &ids, token).await
        }
    });
}

/// Returns the error for a task that ended without an answer, by a panic or with its runtime. The outcome of its call is unknown.
fn interrupted<E>(_closed: E) -> JobsError {
    StoreError::Interrupted.into()
}

/// Leases ready jobs in a task of its own, so that no job is lost if this future is dropped.
pub(super) async fn lease(
    target: Target,
    name: CallName,
    request: &LeaseRequest,
    memory: Option<&Budget>,
) -> Result<Undelivered<Taken>, JobsError> {
    let allowance = Allowance::take(memory, request, &target.settings)?;
    let (answer, answered) = oneshot::channel();
    let request = request.clone();
    let leasing = async move {
        failpoint("jobs.lease");
        let token = LeaseToken::draw();
        let taking = Taking {
            request: &request,
            bytes: allowance.bytes,
            token,
            name: name.as_str(),
        };
        let leased = commands::lease(&target, taking).await;
        recall_if_lost(&leased, &target, token, name, request.lease);
        let offered = leased.map(|taken| undelivered(target, taken.within(allowance), request.lease));
        // If the caller is gone, this drops the jobs, which releases them.
        drop(answer.send(offered));
    };
    tokio::spawn(caught("jobs.lease", leasing));
    answered.await.map_err(interrupted)?
}

/// Ends leases and leases ready jobs, in a task of its own.
pub(super) async fn settle(
    target: Target,
    name: CallName,
    settlements: Vec<Settlement>,
    next: LeaseRequest,
    memory: Option<&Budget>,
) -> Result<(Vec<SettleOutcome>, Undelivered<Taken>), JobsError> {
    let allowance = Allowance::take(memory, &next, &target.settings)?;
    let (answer, answered) = oneshot::channel();
    let settling = async move {
        failpoint("jobs.settle");
        let (token, lease) = (LeaseToken::draw(), next.lease);
        let taking = Taking {
            request: &next,
            bytes: allowance.bytes,
            token,
            name: name.as_str(),
        };
        let settled = commands::settle(&target, &settlements, Some(taking)).await;
        recall_if_lost(&settled, &target, token, name, lease);
        let within = |taken: Taken| taken.within(allowance);
        let offered = settled.map(|(outcomes, next)| (outcomes, undelivered(target, within(next), lease)));
        drop(answer.send(offered));
    };
    tokio::spawn(caught("jobs.settle", settling));
    answered.await.map_err(interrupted)?
}
