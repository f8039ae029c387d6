use super::call_names::{CallName, CallNames};
use super::check;
use super::commands::{self, Taken, Target};
use super::delivery;
use super::error::{Fault, JobsError};
use super::id::{JobId, LeaseToken};
use super::limits::{MAX_BATCH, MAX_PROGRESS, MAX_TYPES, YEAR_MS};
use super::model::{Added, End, LeaseRequest, Leased, NewJob, RunAt, SettleOutcome, Settlement};
use super::queue_cache::QueueCache;
use super::record::Job;
use super::settings::JobSettings;
use super::wakeups::Wakeups;
use crate::ids::{ExternalId, Id};
use crate::once::Once;
use crate::runtime::{Budget, GiveBack, Undelivered};
use crate::store::Link;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Validates a job before it is added, and the new type and payload of a job that continues; the type is empty if it does not change.
pub type Validator = Arc<dyn Fn(&Id, &NewJob) -> Result<(), Vec<Fault>> + Send + Sync>;

/// Sets the defaults of a job's type in a queue. Members that the client gives override them.
pub type JobDefaults = Arc<dyn Fn(&Id, NewJob) -> NewJob + Send + Sync>;

/// The queues of a Redis connection. Clones share it.
#[derive(Debug, Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    link: Link,
    wakeups: Wakeups,
    settings: JobSettings,
    queue_cache: Arc<QueueCache>,
    call_names: Arc<CallNames>,
    validator: Option<Validator>,
    defaults: Option<JobDefaults>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("link", &self.link)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Jobs {
    /// Creates the queues of a connection. All threads of a process share `wakeups`.
    #[must_use]
    pub fn new(link: Link, wakeups: Wakeups, settings: JobSettings) -> Self {
        Self(Arc::new(Inner {
            queue_cache: Arc::new(QueueCache::new(link.store())),
            call_names: CallNames::new(),
            link,
            wakeups,
            settings,
            validator: None,
            defaults: None,
        }))
    }

    /// Adds a validator of jobs.
    #[must_use]
    pub fn with_validator(self, validator: Validator) -> Self {
        let inner = self.to_inner();
        Self(Arc::new(Inner {
            validator: Some(validator),
            ..inner
        }))
    }

    /// Adds the defaults of the types of jobs.
    #[must_use]
    pub fn with_job_defaults(self, defaults: JobDefaults) -> Self {
        let inner = self.to_inner();
        Self(Arc::new(Inner {
            defaults: Some(defaults),
            ..inner
        }))
    }

    fn to_inner(&self) -> Inner {
        Inner {
            link: self.0.link.clone(),
            wakeups: self.0.wakeups.clone(),
            settings: self.0.settings,
            queue_cache: Arc::new(QueueCache::new(self.0.link.store())),
            call_names: CallNames::new(),
            validator: self.0.validator.clone(),
            defaults: self.0.defaults.clone(),
        }
    }

    /// Returns a job with the defaults of its type.
    #[must_use]
    pub fn with_defaults(&self, queue: &Id, job: NewJob) -> NewJob {
        match &self.0.defaults {
            Some(apply) => apply(queue, job),
            None => job,
        }
    }

    /// Returns the connection.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.0.link
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> &JobSettings {
        &self.0.settings
    }

    /// Returns a name for a call that leases jobs.
    pub(super) fn call_name(&self) -> CallName {
        self.0.call_names.take()
    }

    /// Returns a queue, for the commands.
    pub(super) fn target(&self, queue: &Id) -> Target {
        Target {
            link: self.0.link.clone(),
            queue_cache: Arc::clone(&self.0.queue_cache),
            occupancy: Arc::clone(self.0.wakeups.occupancy()),
            settings: self.0.settings,
            queue: queue.clone(),
            once: None,
        }
    }

    pub(super) fn queues_key(&self) -> String {
        self.0.link.store().keys().queues()
    }

    pub(super) fn wakeups(&self) -> &Wakeups {
        &self.0.wakeups
    }

    /// Returns the queue of a job.
    fn home(id: &JobId) -> Result<Id, JobsError> {
        Id::parse(id.queue()).map_err(|_no_id| JobsError::Unknown)
    }

    /// Registers a queue, so that every instance sweeps it. Only calls that add something register: a lease request may name any queue, and
    /// must not use up the maximum number of queues.
    pub(super) async fn register(&self, queue: &Id) -> Result<(), JobsError> {
        check::queue(queue)?;
        if !self.0.queue_cache.needs_registration(queue) {
            return Ok(());
        }
        let at = Instant::now();
        if !commands::register(&self.0.link, &self.queues_key(), queue, self.0.settings.queues).await? {
            return Err(JobsError::TooManyQueues);
        }
        self.0.queue_cache.mark_registered(queue, at);
        self.0.wakeups.registered().insert(queue, at);
        Ok(())
    }

    /// Registers again the queues that this process has registered recently; used when Redis has lost the registrations.
    pub(super) async fn register_again(&self) -> Result<(), JobsError> {
        for queue in self.0.wakeups.registered().recent() {
            commands::register(&self.0.link, &self.queues_key(), &queue, self.0.settings.queues).await?;
        }
        Ok(())
    }

    /// Validates jobs.
    ///
    /// # Errors
    /// [`JobsError::Invalid`] with every fault.
    pub fn check(&self, queue: &Id, jobs: &[NewJob]) -> Result<(), JobsError> {
        check::queue(queue)?;
        let mut faults = Vec::new();
        if !(1..=MAX_BATCH).contains(&jobs.len()) {
            faults.push(Fault::new("", "must be 1 to 1000 jobs"));
            return check::finish(faults);
        }
        for (index, job) in jobs.iter().enumerate() {
            let mut found = check::new_job(job, self.0.settings.payload);
            if found.is_empty()
                && let Some(validator) = &self.0.validator
                && let Err(more) = validator(queue, job)
            {
                found = more;
            }
            faults.extend(found.into_iter().map(|fault| fault.of(index)));
        }
        check::finish(faults)
    }

    /// Adds up to 1,000 jobs, all or none. Returns the results in their order.
    ///
    /// # Errors
    /// [`JobsError::Invalid`], [`JobsError::TooManyTypes`], [`JobsError::TooManyQueues`], [`JobsError::TooManyWaiting`],
    /// [`JobsError::TooManyBytes`]: no job was added.
    /// [`JobsError::Store`].
    pub async fn add(&self, queue: &Id, jobs: Vec<NewJob>) -> Result<Vec<Added>, JobsError> {
        self.add_once(queue, jobs, None).await.map(|(added, _)| added)
    }

    /// Adds jobs as [`Self::add`] does, once for each idempotency key. Returns the results, and whether they are those of an earlier call with
    /// the same key.
    ///
    /// # Errors
    /// As [`Self::add`], and [`JobsError::KeyReused`].
    pub async fn add_once(
        &self,
        queue: &Id,
        jobs: Vec<NewJob>,
        once: Option<&Once>,
    ) -> Result<(Vec<Added>, bool), JobsError> {
        self.check(queue, &jobs)?;
        self.add_checked(queue, jobs, once).await
    }

    /// Adds jobs that [are valid](Self::check).
    pub(super) async fn add_checked(
        &self,
        queue: &Id,
        jobs: Vec<NewJob>,
        once: Option<&Once>,
    ) -> Result<(Vec<Added>, bool), JobsError> {
        self.0.link.store().room()?;
        if self.0.queue_cache.needs_registration(queue) {
            // Jobs that the script refuses must not register a queue.
            self.check_for_new_queue(&jobs).await?;
        }
        self.register(queue).await?;
        commands::add(self.target(queue), &jobs, once).await
    }

    /// Checks what the script would refuse in a new queue.
    async fn check_for_new_queue(&self, jobs: &[NewJob]) -> Result<(), JobsError> {
        let kinds: HashSet<&str> = jobs.iter().map(|job| job.kind.as_str()).collect();
        if kinds.len() > MAX_TYPES {
            return Err(JobsError::TooManyTypes);
        }
        let at = |job: &NewJob| match job.run_at {
            RunAt::At(at) => Some(at),
            RunAt::Now | RunAt::After(_) => None,
        };
        if jobs.iter().all(|job| at(job).is_none()) {
            return Ok(());
        }
        let latest = self.0.link.now_ms().await? + YEAR_MS.end();
        let late = jobs.iter().position(|job| at(job).is_some_and(|at| at > latest));
        late.map_or(Ok(()), |index| Err(commands::too_far(index)))
    }

    /// Ends up to 1,000 leases, each independently, and leases the next jobs in the same step, if requested and if any of the leases is held.
    /// It waits for jobs only if none is ready. With no leases to end it is a lease. A repeated settlement has the same outcome as long as the
    /// job is kept and not leased again.
    ///
    /// # Errors
    /// [`JobsError::Invalid`], [`JobsError::TooManyTypes`]: nothing was changed. [`JobsError::Store`].
    pub async fn settle(
        &self,
        queue: &Id,
        settlements: Vec<Settlement>,
        next: Option<&LeaseRequest>,
    ) -> Result<(Vec<SettleOutcome>, Vec<Leased>), JobsError> {
        self.check_settlements(queue, &settlements)?;
        let (outcomes, taken) = self.settle_and_offer(queue, settlements, next, None).await?;
        Ok((outcomes, taken.deliver().jobs))
    }

    /// Settles as [`Self::settle`] does, for a client that may disconnect, and takes the memory for the leased jobs. The settlements
    /// [are valid](Self::check_settlements).
    ///
    /// # Errors
    /// As [`Self::settle`]; [`JobsError::NoRoom`]: nothing was done.
    pub(super) async fn settle_and_offer(
        &self,
        queue: &Id,
        settlements: Vec<Settlement>,
        next: Option<&LeaseRequest>,
        memory: Option<&Budget>,
    ) -> Result<(Vec<SettleOutcome>, Undelivered<Taken>), JobsError> {
        let none = || Undelivered::new(Taken::default(), GiveBack::nothing());
        let Some(next) = next else {
            let (outcomes, _) = commands::settle(&self.target(queue), &settlements, None).await?;
            return Ok((outcomes, none()));
        };
        if settlements.is_empty() {
            return Ok((Vec::new(), self.offer(queue, next, memory).await?));
        }
        check::lease(next)?;
        let (target, name) = (self.target(queue), self.call_name());
        let (outcomes, taken) = delivery::settle(target, name, settlements, next.clone(), memory).await?;
        let is_any_held = outcomes
            .iter()
            .any(|outcome| matches!(outcome, SettleOutcome::Settled(_)));
        if !taken.jobs.is_empty() || next.wait.is_zero() || !is_any_held {
            return Ok((outcomes, taken));
        }
        // The settlements are done, whether the wait succeeds or fails.
        let waited = self.wait(queue, next, memory, pending()).await;
        Ok((outcomes, waited.map_or_else(|_lost| none(), |(_, taken)| taken)))
    }

    /// Validates the ends of leases.
    ///
    /// # Errors
    /// [`JobsError::Invalid`] with every fault.
    pub(super) fn check_settlements(&self, queue: &Id, settlements: &[Settlement]) -> Result<(), JobsError> {
        check::queue(queue)?;
        check::settlements(queue, settlements, self.0.settings.payload)?;
        self.check_continuations(queue, settlements)
    }

    /// Validates the new types and payloads of jobs that continue, as those of added jobs.
    fn check_continuations(&self, queue: &Id, settlements: &[Settlement]) -> Result<(), JobsError> {
        let Some(validator) = &self.0.validator else {
            return Ok(());
        };
        let mut faults = Vec::new();
        for (index, settlement) in settlements.iter().enumerate() {
            let End::Then { kind, payload, .. } = &settlement.end else {
                continue;
            };
            if kind.is_none() && payload.is_none() {
                continue;
            }
            // Without a type the validator, if it checks the queue, refuses the payload.
            let job = NewJob::new(
                kind.clone().unwrap_or_default(),
                payload.clone().unwrap_or_else(|| RawValue::NULL.to_owned()),
            );
            // The current payload is not known here, and the other members do not change.
            let is_relevant =
                |fault: &Fault| fault.member == "type" || payload.is_some() && fault.member.starts_with("payload");
            if let Err(found) = validator(queue, &job) {
                let in_then = |fault: Fault| {
                    let detail = if kind.is_none() && fault.member == "type" {
                        "is missing: a new payload requires it".to_owned()
                    } else {
                        fault.detail
                    };
                    Fault::new(format!("then/{}", fault.member), detail).of(index)
                };
                faults.extend(found.into_iter().filter(is_relevant).map(in_then));
            }
        }
        check::finish(faults)
    }

    /// Releases jobs that were not started: they return to their places in line, and the attempts do not count.
    ///
    /// # Errors
    /// [`JobsError::Store`]: some jobs may return only when their leases expire.
    pub async fn release(&self, queue: &Id, leased: Vec<Leased>) -> Result<(), JobsError> {
        let leased = leased.into_iter().map(|Leased { id, token, .. }| (id, token));
        commands::release(&self.target(queue), leased).await
    }

    /// Extends a lease to a duration from now on. It is never shortened, and never extended beyond the job's time limit. Returns when it
    /// expires, Unix milliseconds.
    ///
    /// # Errors
    /// [`JobsError::NotYours`], [`JobsError::Unknown`], [`JobsError::Invalid`], [`JobsError::Store`].
    pub async fn extend(&self, id: &JobId, token: LeaseToken, lease: Duration) -> Result<i64, JobsError> {
        check::lease_time(lease)?;
        commands::extend(&self.target(&Self::home(id)?), id, token, lease).await
    }

    /// Stores the progress of a job: any JSON of up to 4 KiB, which replaces the previous progress.
    ///
    /// # Errors
    /// As [`Self::extend`].
    pub async fn progress(&self, id: &JobId, token: LeaseToken, value: &RawValue) -> Result<(), JobsError> {
        check::json("progress", value, MAX_PROGRESS)?;
        commands::progress(&self.target(&Self::home(id)?), id, token, value).await
    }

    /// Returns a job.
    ///
    /// # Errors
    /// [`JobsError::Unknown`], [`JobsError::Store`].
    pub async fn get(&self, id: &JobId) -> Result<Job, JobsError> {
        let found = commands::find(&self.target(&Self::home(id)?), id).await?;
        found.ok_or(JobsError::Unknown)
    }

    /// Cancels a job that has not ended. The next call of a worker that has leased it fails. Repeating the call changes nothing.
    ///
    /// # Errors
    /// [`JobsError::Conflict`]: it has ended. [`JobsError::Unknown`], [`JobsError::Store`].
    pub async fn cancel(&self, id: &JobId) -> Result<(), JobsError> {
        commands::cancel(&self.target(&Self::home(id)?), id.short(), "")
            .await
            .map(drop)
    }

    /// Cancels the job that has a unique key, as [`Self::cancel`] does, and frees the key. Returns the job. A job that has ended keeps the key.
    ///
    /// # Errors
    /// As [`Self::cancel`]; [`JobsError::Unknown`] also if no job has the key.
    pub async fn cancel_unique(&self, queue: &Id, key: &ExternalId) -> Result<JobId, JobsError> {
        check::queue(queue)?;
        commands::cancel(&self.target(queue), "", &key.encoded()).await
    }

    /// Makes a delayed job ready now, or a dead or cancelled job ready again with all its attempts restored.
    ///
    /// # Errors
    /// [`JobsError::Conflict`]: it is leased or done, or another job has its unique key. [`JobsError::Unknown`], [`JobsError::Store`].
    pub async fn retry(&self, id: &JobId) -> Result<(), JobsError> {
        commands::retry(&self.target(&Self::home(id)?), id).await
    }

    pub(super) fn forget(&self, queue: &Id) {
        self.0.queue_cache.forget(queue);
    }
}
