//! Connects the service's own jobs with other slices, and creates the pool, the validator and the defaults of their queue.

use super::{Dependencies, SweepPiece, Webhooks, WorkSettings, registry};
use crate::cache::{Cache, Warmed};
use crate::jobs::worker::{Pool, PoolSettings, Registry};
use crate::jobs::{JobDefaults, Jobs, Validator, WorkerMetrics};
use crate::outgoing::Outgoing;
use crate::sessions;
use crate::store::Link;
use actix_web::rt;
use futures_util::FutureExt;
use prometheus::IntCounterVec;
use std::sync::Arc;

/// Returns the registry of the service's own jobs.
#[must_use]
pub fn build(settings: &WorkSettings, outgoing: Outgoing, webhooks: Webhooks, link: &Link, cache: Cache) -> Registry {
    let sweeping = link.clone();
    registry(Dependencies {
        outgoing,
        webhooks,
        reminders: settings.reminder_hours.clone(),
        commission_rate: settings.commission_rate,
        sweep_sessions: Box::new(move |cursor| {
            let link = sweeping.clone();
            async move {
                let swept = sessions::sweep::sweep(&link, cursor).await?;
                Ok(SweepPiece {
                    next: swept.next,
                    looked_at: swept.looked_at,
                    removed: swept.removed,
                })
            }
            .boxed()
        }),
        warm_cache: Some(Box::new(move || {
            let warming = rt::spawn(warm(cache.clone()));
            async move { warming.await.map_err(|panic| panic.to_string())? }.boxed()
        })),
    })
}

/// Returns how many parts of the cache were filled: none if another instance fills it.
async fn warm(cache: Cache) -> Result<u64, String> {
    match cache.warm().await {
        Ok(Warmed::Here { failed: 0, done }) => Ok(u64::try_from(done).unwrap_or(u64::MAX)),
        Ok(Warmed::Here { failed, .. }) => Err(format!("{failed} parts could not be warmed")),
        Ok(Warmed::Elsewhere) => Ok(0),
        Err(error) => Err(error.to_string()),
    }
}

/// Returns the validator of jobs in the service's own queue. Jobs in other queues are not checked.
#[must_use]
pub fn validator(settings: &WorkSettings, own_jobs: &Registry) -> Validator {
    let (queue, types) = (settings.work_queue.clone(), own_jobs.clone());
    Arc::new(move |at, job| if *at == queue { types.check(job) } else { Ok(()) })
}

/// Returns the defaults of the types of jobs in the service's own queue.
#[must_use]
pub fn defaults(settings: &WorkSettings, own_jobs: &Registry) -> JobDefaults {
    let (queue, types) = (settings.work_queue.clone(), own_jobs.clone());
    Arc::new(move |at, job| if *at == queue { types.with_defaults(job) } else { job })
}

/// Returns the pool that runs the jobs, or `None` if this instance runs none.
#[must_use]
pub fn pool(settings: &WorkSettings, jobs: Jobs, own_jobs: Registry, counters: &IntCounterVec) -> Option<Pool> {
    if settings.work_concurrency == 0 {
        return None;
    }
    let pool = PoolSettings {
        concurrency: settings.work_concurrency.into(),
        lease: settings.lease(),
        drain: settings.drain(),
    };
    let queue = settings.work_queue.clone();
    let metrics = WorkerMetrics::of(counters, &queue);
    Some(Pool::new(jobs, queue, own_jobs, pool, metrics))
}
