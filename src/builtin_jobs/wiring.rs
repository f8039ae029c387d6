//! Connects the service's own jobs with the slices below: the registry of their types, and the validator and the defaults of their queue.

use super::{BuiltinJobSettings, Dependencies, SweepPiece, Webhooks, WorkSettings, registry, tasks};
use crate::cache::{self, Cache, Warmed};
use crate::jobs::worker::Registry;
use crate::jobs::{self, JobDefaults, Jobs, Validator};
use crate::outgoing::Outgoing;
use crate::sessions;
use crate::store::Link;
use crate::wiring::{Process, SetupError, Wiring};
use actix_web::rt;
use futures_util::FutureExt;
use prometheus::IntCounterVec;
use std::sync::Arc;

/// The slice in a process.
#[derive(Debug)]
pub struct Slice {
    settings: WorkSettings,
    types: Registry,
    jobs: Jobs,
    /// Attempts at jobs, by queue and outcome.
    attempts: IntCounterVec,
}

impl Slice {
    /// Creates the state of the process, and sets the validator and the defaults of the own queue.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(
        process: &Process,
        settings: &BuiltinJobSettings,
        jobs: &jobs::Slice,
        cache: &cache::Slice,
    ) -> Result<Self, SetupError> {
        let work = &settings.work;
        let outgoing = Outgoing::new(&settings.outgoing).map_err(SetupError::Outgoing)?;
        let types = types(
            work,
            outgoing,
            webhooks(work)?,
            &process.link,
            cache.cache(&process.link),
        );
        jobs.validate_with(validator(work, &types), defaults(work, &types));
        Ok(Self {
            settings: work.clone(),
            types,
            jobs: jobs.jobs(&process.link),
            attempts: jobs.metrics().attempts.clone(),
        })
    }
}

impl Wiring for Slice {
    type Settings = BuiltinJobSettings;

    fn check(settings: &BuiltinJobSettings) -> Result<(), SetupError> {
        webhooks(&settings.work).map(drop)
    }

    fn start_tasks(&self, process: &Process) {
        if process.store.is_configured() && self.settings.work_concurrency > 0 {
            tasks::start(
                &self.settings,
                &self.jobs,
                &self.types,
                &self.attempts,
                process.supervisor(),
            );
        }
    }
}

fn webhooks(settings: &WorkSettings) -> Result<Webhooks, SetupError> {
    Webhooks::parse(&settings.webhook_urls, &settings.webhook_secrets).map_err(SetupError::settings)
}

/// Returns the types of the service's own jobs.
fn types(settings: &WorkSettings, outgoing: Outgoing, webhooks: Webhooks, link: &Link, cache: Cache) -> Registry {
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
fn validator(settings: &WorkSettings, types: &Registry) -> Validator {
    let (queue, types) = (settings.work_queue.clone(), types.clone());
    Arc::new(move |at, job| if *at == queue { types.check(job) } else { Ok(()) })
}

/// Returns the defaults of the types of jobs in the service's own queue.
fn defaults(settings: &WorkSettings, types: &Registry) -> JobDefaults {
    let (queue, types) = (settings.work_queue.clone(), types.clone());
    Arc::new(move |at, job| if *at == queue { types.with_defaults(job) } else { job })
}
