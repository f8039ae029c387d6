use super::call_names::CallNames;
use super::commands::{self, Taken, Target};
use super::error::{Fault, JobsError};
use super::id::{JobId, LeaseToken};
use super::known::KnownQueues;
use super::model::{Added, End, LeaseRequest, Leased, NewJob, RunAt, SettleOutcome, Settlement};
use super::record::Job;
use super::settings::JobSettings;
use super::wakeups::Wakeups;
use super::{check, delivery};
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

/// Looks at a job before it is put in: what its type refuses is not acceptable. Also at what one goes on as, of which the type may
/// not be said, and is empty then.
pub type Validator = Arc<dyn Fn(&Id, &NewJob) -> Result<(), Vec<Fault>> + Send + Sync>;

/// Gives a job the terms that are usual for its type in a queue; what its sender said comes after.
pub type Usual = Arc<dyn Fn(&Id, NewJob) -> NewJob + Send + Sync>;

/// Queues over a connection; clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    link: Link,
    wakeups: Wakeups,
    settings: JobSettings,
    known: KnownQueues,
    call_names: Arc<CallNames>,
    validator: Option<Validator>,
    usual: Option<Usual>,
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
    /// Queues over a connection. `wakeups` is what the whole process shares.
    #[must_use]
    pub fn new(link: Link, wakeups: Wakeups, settings: JobSettings) -> Self {
        Self(Arc::new(Inner {
            known: KnownQueues::new(link.store()),
            call_names: CallNames::new(),
            link,
            wakeups,
            settings,
            validator: None,
            usual: None,
        }))
    }

    /// The same with someone who looks at each job before it is put in.
    #[must_use]
    pub fn with_validator(self, validator: Validator) -> Self {
        let inner = self.again();
        Self(Arc::new(Inner {
            validator: Some(validator),
            ..inner
        }))
    }

    /// The same with someone who knows what is usual for the jobs of a type.
    #[must_use]
    pub fn with_usual(self, usual: Usual) -> Self {
        let inner = self.again();
        Self(Arc::new(Inner {
            usual: Some(usual),
            ..inner
        }))
    }

    fn again(&self) -> Inner {
        Inner {
            link: self.0.link.clone(),
            wakeups: self.0.wakeups.clone(),
            settings: self.0.settings,
            known: KnownQueues::new(self.0.link.store()),
            call_names: CallNames::new(),
            validator: self.0.validator.clone(),
            usual: self.0.usual.clone(),
        }
    }

    /// A job with the terms that are usual for its type.
    #[must_use]
    pub fn with_defaults(&self, queue: &Id, job: NewJob) -> NewJob {
        match &self.0.usual {
            Some(usual) => usual(queue, job),
            None => job,
        }
    }

    /// The connection.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.0.link
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &JobSettings {
        &self.0.settings
    }

    /// Names for calls that lease jobs.
    pub(super) fn call_names(&self) -> &Arc<CallNames> {
        &self.0.call_names
    }

    pub(super) fn target<'a>(&'a self, queue: &'a Id) -> Target<'a> {
        Target {
            link: &self.0.link,
            known: &self.0.known,
            occupancy: self.0.wakeups.occupancy(),
            settings: &self.0.settings,
            queue,
            once: None,
        }
    }

    pub(super) fn queues_key(&self) -> String {
        self.0.link.store().keys().queues()
    }

    pub(super) fn wakeups(&self) -> &Wakeups {
        &self.0.wakeups
    }

    /// The queue of a job.
    fn home(id: &JobId) -> Result<Id, JobsError> {
        Id::parse(id.queue()).map_err(|_no_id| JobsError::Unknown)
    }

    /// Sees to it that every instance looks after the queue. For what puts something in: whoever only asks for jobs, of any name
    /// that there may be, takes no place among the queues.
    pub(super) async fn note(&self, queue: &Id) -> Result<(), JobsError> {
        check::queue(queue)?;
        if !self.0.known.is_to_be_noted(queue) {
            return Ok(());
        }
        let at = Instant::now();
        if !commands::register(&self.0.link, &self.queues_key(), queue, self.0.settings.queues).await? {
            return Err(JobsError::TooManyQueues);
        }
        self.0.known.noted(queue, at);
        self.0.wakeups.noted().insert(queue, at);
        Ok(())
    }

    /// Registers again the queues that this process has registered lately; used when Redis has lost them.
    pub(super) async fn note_again(&self) -> Result<(), JobsError> {
        for queue in self.0.wakeups.noted().lately() {
            commands::register(&self.0.link, &self.queues_key(), &queue, self.0.settings.queues).await?;
        }
        Ok(())
    }

    /// What is wrong with jobs that are to be put in.
    ///
    /// # Errors
    /// [`JobsError::Invalid`] with every fault.
    pub fn check(&self, queue: &Id, jobs: &[NewJob]) -> Result<(), JobsError> {
        check::queue(queue)?;
        let mut faults = Vec::new();
        if !(1..=check::MAX_BATCH).contains(&jobs.len()) {
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

    /// Puts up to 1,000 jobs in, all or none; answered in their order.
    ///
    /// # Errors
    /// [`JobsError::Invalid`], [`JobsError::TooManyTypes`], [`JobsError::TooManyQueues`], [`JobsError::TooManyWaiting`],
    /// [`JobsError::TooManyBytes`]: nothing was put in.
    /// [`JobsError::Store`].
    pub async fn add(&self, queue: &Id, jobs: Vec<NewJob>) -> Result<Vec<Added>, JobsError> {
        self.add_once(queue, jobs, None).await.map(|(added, _)| added)
    }

    /// The same, once for each idempotency key; says whether a call with the key was carried out before, and with what result.
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

    /// The same for jobs that [have been checked](Self::check).
    pub(super) async fn add_checked(
        &self,
        queue: &Id,
        jobs: Vec<NewJob>,
        once: Option<&Once>,
    ) -> Result<(Vec<Added>, bool), JobsError> {
        self.0.link.store().room()?;
        if self.0.known.is_to_be_noted(queue) {
            // What the script would refuse is not to take a place among the queues.
            self.check_for_new_queue(&jobs).await?;
        }
        self.note(queue).await?;
        commands::add(self.target(queue), &jobs, once).await
    }

    /// What a queue that has nothing yet would refuse.
    async fn check_for_new_queue(&self, jobs: &[NewJob]) -> Result<(), JobsError> {
        let kinds: HashSet<&str> = jobs.iter().map(|job| job.kind.as_str()).collect();
        if kinds.len() > check::MAX_TYPES {
            return Err(JobsError::TooManyTypes);
        }
        let at = |job: &NewJob| match job.run_at {
            RunAt::At(at) => Some(at),
            RunAt::Now | RunAt::After(_) => None,
        };
        if jobs.iter().all(|job| at(job).is_none()) {
            return Ok(());
        }
        let latest = self.0.link.now_ms().await? + check::YEAR_MS.end();
        let late = jobs.iter().position(|job| at(job).is_some_and(|at| at > latest));
        late.map_or(Ok(()), |index| Err(commands::too_far(index)))
    }

    /// Ends leases, up to 1,000 at once, each by itself; and leases what is ready, if asked to and any of them holds, in the same
    /// step. The next lease is waited for only if nothing is ready. With no leases to end it is a lease. Repeated settlements are answered as the first were, as
    /// long as the job is remembered and nobody has leased it again.
    ///
    /// # Errors
    /// [`JobsError::Invalid`], [`JobsError::TooManyTypes`]: nothing was done. [`JobsError::Store`].
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

    /// The same for a caller that may be gone by then, and with memory for what is leased. The settlements
    /// [have been checked](Self::check_settlements).
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
            let (outcomes, _) = commands::settle(self.target(queue), &settlements, None).await?;
            return Ok((outcomes, none()));
        };
        if settlements.is_empty() {
            return Ok((Vec::new(), self.offer(queue, next, memory).await?));
        }
        check::lease(next)?;
        let (outcomes, taken) = delivery::settle(self, queue, settlements, next.clone(), memory).await?;
        let is_any_held = outcomes
            .iter()
            .any(|outcome| matches!(outcome, SettleOutcome::Settled(_)));
        if !taken.jobs.is_empty() || next.wait.is_zero() || !is_any_held {
            return Ok((outcomes, taken));
        }
        // The settlements hold whatever comes of the waiting.
        let waited = self.wait(queue, next, memory, pending()).await;
        Ok((outcomes, waited.map_or_else(|_lost| none(), |(_, taken)| taken)))
    }

    /// What is wrong with the ends of leases.
    ///
    /// # Errors
    /// [`JobsError::Invalid`] with every fault.
    pub(super) fn check_settlements(&self, queue: &Id, settlements: &[Settlement]) -> Result<(), JobsError> {
        check::queue(queue)?;
        check::settlements(queue, settlements, self.0.settings.payload)?;
        self.check_continuations(queue, settlements)
    }

    /// What jobs are to go on as is looked at as if it were put in.
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
            // A payload of no type: where types are looked at at all, that is none of them.
            let job = NewJob::new(
                kind.clone().unwrap_or_default(),
                payload.clone().unwrap_or_else(|| RawValue::NULL.to_owned()),
            );
            // Of the payload that it has, nothing is known here; and its terms stay.
            let is_told =
                |fault: &Fault| fault.member == "type" || payload.is_some() && fault.member.starts_with("payload");
            if let Err(found) = validator(queue, &job) {
                let in_then = |fault: Fault| {
                    let detail = if kind.is_none() && fault.member == "type" {
                        "is missing: a payload is looked at by it".to_owned()
                    } else {
                        fault.detail
                    };
                    Fault::new(format!("then/{}", fault.member), detail).of(index)
                };
                faults.extend(found.into_iter().filter(is_told).map(in_then));
            }
        }
        check::finish(faults)
    }

    /// Gives back jobs that were not begun: they go to the places that they had, and the attempts do not count.
    ///
    /// # Errors
    /// [`JobsError::Store`]: some come back at the end of their leases.
    pub async fn release(&self, queue: &Id, leased: Vec<Leased>) -> Result<(), JobsError> {
        let back = leased.into_iter().map(|Leased { id, token, .. }| (id, token));
        self.release_each(queue, back).await.map(drop)
    }

    /// The same for jobs that were leased together. Returns how many were.
    pub(super) async fn release_all(&self, queue: &Id, ids: &[JobId], token: LeaseToken) -> Result<usize, JobsError> {
        self.release_each(queue, ids.iter().map(|id| (id.clone(), token))).await
    }

    async fn release_each(
        &self,
        queue: &Id,
        leased: impl Iterator<Item = (JobId, LeaseToken)>,
    ) -> Result<usize, JobsError> {
        let back = |(id, token)| Settlement {
            id,
            token,
            end: End::Release,
        };
        let settlements: Vec<Settlement> = leased.map(back).collect();
        if settlements.is_empty() {
            return Ok(0);
        }
        let (outcomes, _) = commands::settle(self.target(queue), &settlements, None).await?;
        let is_released = |outcome: &&SettleOutcome| matches!(outcome, SettleOutcome::Settled(_));
        Ok(outcomes.iter().filter(is_released).count())
    }

    /// Lets a lease last for so long from now on, never shorter than it would and never beyond the job's time limit; returns
    /// when it ends, Unix milliseconds.
    ///
    /// # Errors
    /// [`JobsError::NotYours`], [`JobsError::Unknown`], [`JobsError::Invalid`], [`JobsError::Store`].
    pub async fn extend(&self, id: &JobId, token: LeaseToken, lease: Duration) -> Result<i64, JobsError> {
        check::lease_time(lease)?;
        commands::extend(self.target(&Self::home(id)?), id, token, lease).await
    }

    /// Notes how far a job is: any JSON of up to 4 KiB, instead of what was noted before.
    ///
    /// # Errors
    /// As [`Self::extend`].
    pub async fn progress(&self, id: &JobId, token: LeaseToken, value: &RawValue) -> Result<(), JobsError> {
        check::json("progress", value, check::MAX_PROGRESS)?;
        commands::progress(self.target(&Self::home(id)?), id, token, value).await
    }

    /// A job as it is.
    ///
    /// # Errors
    /// [`JobsError::Unknown`], [`JobsError::Store`].
    pub async fn get(&self, id: &JobId) -> Result<Job, JobsError> {
        let found = commands::find(self.target(&Self::home(id)?), id).await?;
        found.ok_or(JobsError::Unknown)
    }

    /// Cancels a job that has not ended. A worker that has it is told so by whatever it says next. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`JobsError::Conflict`]: it has ended. [`JobsError::Unknown`], [`JobsError::Store`].
    pub async fn cancel(&self, id: &JobId) -> Result<(), JobsError> {
        commands::cancel(self.target(&Self::home(id)?), id.short(), "")
            .await
            .map(drop)
    }

    /// Cancels the job that has a unique key, as [`Self::cancel`] does, and frees the key; returns the job. Where it has ended it keeps
    /// the key.
    ///
    /// # Errors
    /// As [`Self::cancel`]; [`JobsError::Unknown`] also if no job has the key.
    pub async fn cancel_unique(&self, queue: &Id, key: &ExternalId) -> Result<JobId, JobsError> {
        check::queue(queue)?;
        commands::cancel(self.target(queue), "", &key.encoded()).await
    }

    /// Makes a delayed job ready now, and one that is dead or was cancelled ready again, with all its attempts before it.
    ///
    /// # Errors
    /// [`JobsError::Conflict`]: it is leased or done, or another job has its unique key. [`JobsError::Unknown`], [`JobsError::Store`].
    pub async fn retry(&self, id: &JobId) -> Result<(), JobsError> {
        commands::retry(self.target(&Self::home(id)?), id).await
    }

    pub(super) fn forget(&self, queue: &Id) {
        self.0.known.forget(queue);
    }
}
