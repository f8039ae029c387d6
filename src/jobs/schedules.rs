//! The schedules of queues, which add jobs repeatedly.
//!
//! A few times a second every instance reads the schedules of all queues and fires those that are due. It passes the schedule that it has
//! read, and the script adds the job only if the schedule has not changed: so of several instances one fires. Firings that were due while no
//! instance ran fire once afterwards, or are skipped, as the schedule specifies. A firing is also skipped while the last job of the schedule still
//! waits, unless the schedule allows it, so that a queue without workers does not fill with equal jobs.

use super::api::Jobs;
use super::check;
use super::commands::{self, AllFound, Found};
use super::error::{Fault, JobsError};
use super::limits::MAX_SCHEDULES;
use super::model::{Backoff, BackoffKind, NewJob, RunAt, Unique, UniqueMode};
use super::schedule::{Schedule, ScheduleError};
use crate::clock::whole_ms;
use crate::ids::Id;
use crate::store::StoreError;
use compact_str::CompactString;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};
use utoipa::ToSchema;

/// The interval at which every queue is checked.
const TICK: Duration = Duration::from_millis(200);
/// The number of queues that are checked concurrently.
const AT_ONCE: usize = 16;
/// A queue that has had no schedules for this long is no longer checked.
const UNUSED: Duration = Duration::from_mins(10);
/// After this number of ticks all schedules are checked, not only those that are due.
const LOOK_AT_ALL: u32 = 25;
/// After this number of ticks, an hour, schedules are also checked by the rules of their time zones, which change with a release of the
/// database. The first check is soon after the start.
const LOOK_AT_RULES: u32 = 18_000;
/// A clock that is behind the last firing by less than this is ignored.
const BEHIND_MS: i64 = 1_000;
/// A firing that is later by more than this was missed.
const LATE_MS: i64 = 30_000;

/// What happens to firings that were due while no instance ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// One firing makes up for all of them.
    #[default]
    RunOnce,
    /// They are skipped.
    Skip,
}

/// A schedule to set.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    /// A cron expression; either it or `every_ms` is set.
    pub cron: Option<String>,
    /// The time zone of the cron expression.
    pub time_zone: Option<String>,
    /// An interval in milliseconds.
    pub every_ms: Option<i64>,
    /// What happens to missed firings.
    pub missed: Missed,
    /// Whether it fires while its last job is still ready or delayed.
    pub overlap: bool,
    /// The job that each firing adds. Its run time, if any, is a delay.
    pub job: NewJob,
}

/// A schedule with its firings.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Scheduled {
    /// Its name.
    pub name: String,
    /// Its definition.
    #[serde(flatten)]
    pub what: Stored,
    /// The next firing, Unix milliseconds.
    #[serde(skip)]
    pub next_ms: i64,
    /// The last firing, Unix milliseconds.
    #[serde(skip)]
    pub last_ms: Option<i64>,
}

/// The definition of a schedule, as it is stored and shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Stored {
    /// A cron expression of five fields, or six with seconds first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cron: Option<String>,
    /// A time zone of the IANA database; UTC if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time_zone: Option<String>,
    /// An interval.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub every_ms: Option<i64>,
    /// The start of the interval, Unix milliseconds.
    pub start_ms: i64,
    /// What happens to firings that were due while no instance ran.
    pub missed: Missed,
    /// Whether it fires while its last job is still ready or delayed; otherwise that firing is skipped.
    #[serde(default)]
    pub overlap: bool,
    /// The job that each firing adds.
    pub job: StoredJob,
}

impl Stored {
    /// Returns the size of the payload of its job, bytes.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.job.payload.get().len()
    }
}

/// The job of a schedule, with the members that `POST /v1/queues/{queue}/jobs` accepts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StoredJob {
    r#type: String,
    #[schema(value_type = serde_json::Value)]
    payload: Box<RawValue>,
    priority: u16,
    delay_ms: u64,
    max_attempts: u32,
    backoff: StoredBackoff,
    timeout_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    unique_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    unique_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    unique_for_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    max_wait_ms: Option<u64>,
    keep_result_s: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
struct StoredBackoff {
    kind: String,
    base_ms: u64,
    max_ms: u64,
    jitter: f64,
}

impl StoredJob {
    fn of(job: &NewJob) -> Self {
        let unique = job.unique.as_ref();
        Self {
            r#type: job.kind.to_string(),
            payload: job.payload.clone(),
            priority: job.priority,
            delay_ms: match job.run_at {
                RunAt::After(delay) => whole_ms(delay),
                RunAt::Now | RunAt::At(_) => 0,
            },
            max_attempts: job.max_attempts,
            backoff: StoredBackoff {
                kind: match job.backoff.kind {
                    BackoffKind::Fixed => "fixed",
                    BackoffKind::Exponential => "exponential",
                }
                .to_owned(),
                base_ms: whole_ms(job.backoff.base),
                max_ms: whole_ms(job.backoff.max),
                jitter: job.backoff.jitter,
            },
            timeout_ms: whole_ms(job.timeout),
            unique_key: unique.map(|unique| unique.key.to_string()),
            unique_mode: unique.map(|unique| {
                match unique.mode {
                    UniqueMode::Refuse => "refuse",
                    UniqueMode::Replace => "replace",
                    UniqueMode::Debounce => "debounce",
                }
                .to_owned()
            }),
            unique_for_ms: unique.and_then(|unique| unique.keep).map(whole_ms),
            max_wait_ms: unique.and_then(|unique| unique.max_wait).map(whole_ms),
            keep_result_s: job.keep_result.as_secs(),
        }
    }

    fn job(&self) -> NewJob {
        let Self { backoff, .. } = self;
        NewJob {
            kind: CompactString::new(&self.r#type),
            payload: self.payload.clone(),
            priority: self.priority,
            run_at: match self.delay_ms {
                0 => RunAt::Now,
                delay => RunAt::After(Duration::from_millis(delay)),
            },
            max_attempts: self.max_attempts,
            backoff: Backoff {
                kind: if backoff.kind == "fixed" {
                    BackoffKind::Fixed
                } else {
                    BackoffKind::Exponential
                },
                base: Duration::from_millis(backoff.base_ms),
                max: Duration::from_millis(backoff.max_ms),
                jitter: backoff.jitter,
            },
            timeout: Duration::from_millis(self.timeout_ms),
            unique: self.unique_key.as_ref().map(|key| Unique {
                key: CompactString::new(key),
                mode: match self.unique_mode.as_deref() {
                    Some("replace") => UniqueMode::Replace,
                    Some("debounce") => UniqueMode::Debounce,
                    _ => UniqueMode::Refuse,
                },
                keep: self.unique_for_ms.map(Duration::from_millis),
                max_wait: self.max_wait_ms.map(Duration::from_millis),
            }),
            keep_result: Duration::from_secs(self.keep_result_s),
        }
    }
}

impl Stored {
    fn schedule(&self) -> Result<Schedule, JobsError> {
        let (cron, zone) = (self.cron.as_deref(), self.time_zone.as_deref());
        Schedule::parse(cron, zone, self.every_ms, self.start_ms).map_err(|error| invalid(&error))
    }
}

fn invalid(error: &ScheduleError) -> JobsError {
    JobsError::Invalid(vec![Fault::new(error.member(), error.to_string())])
}

impl Jobs {
    /// Sets a schedule of a queue, and replaces one of the same name. A schedule that is set again unchanged keeps its firing times.
    ///
    /// # Errors
    /// [`JobsError::Invalid`], [`JobsError::TooManySchedules`], [`JobsError::TooManyQueues`]: nothing was changed.
    /// [`JobsError::Store`].
    pub async fn set_schedule(&self, queue: &Id, name: &Id, new: &NewSchedule) -> Result<Scheduled, JobsError> {
        check::queue(queue)?;
        let mut what = Stored {
            cron: new.cron.clone(),
            time_zone: new.time_zone.clone(),
            every_ms: new.every_ms,
            start_ms: 0,
            missed: new.missed,
            overlap: new.overlap,
            job: StoredJob::of(&new.job),
        };
        let mut faults = match what.schedule() {
            Err(JobsError::Invalid(faults)) => faults,
            _ => Vec::new(),
        };
        if let Err(JobsError::Invalid(more)) = self.check(queue, std::slice::from_ref(&new.job)) {
            let in_job = |fault: Fault| Fault::new(format!("job/{}", fault.member), fault.detail);
            faults.extend(more.into_iter().map(in_job));
        }
        if !faults.is_empty() {
            return Err(JobsError::Invalid(faults));
        }
        let AllFound { now, schedules, .. } = commands::schedules(&self.target(queue), false, MAX_SCHEDULES).await?;
        let was = schedules.iter().find(|known| *known.name == **name);
        if was.is_none() {
            self.link().store().room()?;
        }
        let unchanged = was.filter(|was| {
            let Ok(was) = serde_json::from_str::<Stored>(&was.what) else {
                return false;
            };
            what.start_ms = was.start_ms;
            (&was.cron, &was.time_zone, was.every_ms) == (&what.cron, &what.time_zone, what.every_ms)
        });
        if unchanged.is_none() {
            what.start_ms = now;
        }
        let due = what
            .schedule()?
            .next_after(now)
            .ok_or_else(|| invalid(&ScheduleError::Never))?;
        let record = serde_json::to_string(&what).unwrap_or_default();
        self.register(queue).await?;
        // Registered before the schedule is set: a registration is deleted only after a time without schedules.
        let most = self.settings().queues;
        if !commands::register(self.link(), &scheduled(self), queue, most).await? {
            return Err(JobsError::TooManyQueues);
        }
        let next_ms = commands::set_schedule(
            &self.target(queue),
            name,
            (&record, &new.job.kind),
            due,
            unchanged,
            MAX_SCHEDULES,
        )
        .await?;
        Ok(Scheduled {
            name: name.to_string(),
            what,
            next_ms,
            last_ms: unchanged.and_then(Found::fired_last),
        })
    }

    /// Returns up to `most` (1 to 100) schedules of a queue after the first `skip`, by their next firing, and the number of all schedules. A
    /// schedule that fires between two calls may be missing or returned twice.
    ///
    /// # Errors
    /// [`JobsError::Store`].
    pub async fn schedules(&self, queue: &Id, skip: usize, most: usize) -> Result<(Vec<Scheduled>, u64), JobsError> {
        check::queue(queue)?;
        let most = most.clamp(1, MAX_SCHEDULES);
        let found = commands::schedules_behind(&self.target(queue), false, skip, most).await?;
        Ok((found.schedules.into_iter().filter_map(read).collect(), found.all))
    }

    /// Returns a schedule.
    ///
    /// # Errors
    /// [`JobsError::UnknownSchedule`], [`JobsError::Store`].
    pub async fn schedule(&self, queue: &Id, name: &Id) -> Result<Scheduled, JobsError> {
        check::queue(queue)?;
        let found = commands::find_schedule(&self.target(queue), name).await?;
        found.and_then(read).ok_or(JobsError::UnknownSchedule)
    }

    /// Returns how many schedules a call may read at once if their payloads may take up to `bytes`.
    #[must_use]
    pub fn schedules_within(&self, bytes: usize) -> usize {
        let largest = usize::try_from(self.settings().payload).unwrap_or(usize::MAX);
        (bytes / largest).clamp(1, MAX_SCHEDULES)
    }

    /// Deletes a schedule. The jobs that it has added stay.
    ///
    /// # Errors
    /// [`JobsError::UnknownSchedule`], [`JobsError::Store`].
    pub async fn remove_schedule(&self, queue: &Id, name: &Id) -> Result<(), JobsError> {
        check::queue(queue)?;
        if commands::remove_schedule(&self.target(queue), name).await? {
            Ok(())
        } else {
            Err(JobsError::UnknownSchedule)
        }
    }
}

/// Returns a schedule that was stored, unless its record is damaged.
fn read(found: Found) -> Option<Scheduled> {
    Some(Scheduled {
        what: serde_json::from_str(&found.what).ok()?,
        next_ms: found.due,
        last_ms: found.fired_last(),
        name: found.name,
    })
}

/// Fires due schedules, forever.
pub async fn keep_firing(jobs: Jobs) {
    // Not at the same time as the other instances.
    sleep(TICK.mul_f64(rand::random_range(0.0..1.0))).await;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Schedules that could not fire at the last tick; each is logged once.
    let mut unable = HashSet::new();
    let mut looks: u32 = 0;
    loop {
        tick.tick().await;
        looks = looks.wrapping_add(1);
        if !jobs.link().is_up() {
            continue;
        }
        let Ok(queues) = commands::queues(jobs.link(), &scheduled(&jobs), jobs.settings().queues).await else {
            continue;
        };
        let what = match () {
            () if looks % LOOK_AT_RULES == LOOK_AT_ALL => Look::Rules,
            () if looks.is_multiple_of(LOOK_AT_ALL) => Look::All,
            () => Look::Due,
        };
        let fire = async |queue| fire_due(&jobs, queue, what).await;
        let failures: Vec<_> = stream::iter(&queues)
            .map(fire)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let now: HashSet<_> = failures.into_iter().flatten().collect();
        for (place, error) in now.difference(&unable) {
            tracing::warn!(place, error, "a schedule cannot fire; it is retried");
        }
        unable = now;
    }
}

fn scheduled(jobs: &Jobs) -> String {
    jobs.link().store().keys().queues_with_schedules()
}

/// What is checked besides due schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Nothing.
    Due,
    /// Whether the clock was set back since a schedule fired last.
    All,
    /// Whether a schedule is due when its expression and its time zone say.
    Rules,
}

/// Fires the due schedules of a queue, and corrects wrong due times as far as `what` specifies. Returns the schedules that could not fire, with the
/// errors. A schedule that could not fire because Redis was unavailable fires at the next tick.
async fn fire_due(jobs: &Jobs, queue: &Id, what: Look) -> Vec<(String, String)> {
    let mut failures = Vec::new();
    let mut note = |place: String, error: JobsError| match error {
        JobsError::Store(StoreError::Unavailable | StoreError::Lost(_)) => {}
        error => failures.push((place, error.to_string())),
    };
    match look(jobs, queue, what == Look::Due).await {
        Ok(found) => {
            for schedule in found.schedules {
                let done = if schedule.due <= found.now {
                    fire(jobs, queue, found.now, &schedule).await
                } else {
                    mend(jobs, queue, found.now, what, &schedule).await
                };
                // A failure of one schedule does not affect the others.
                if let Err(error) = done {
                    note(format!("{queue}/{}", schedule.name), error);
                }
            }
        }
        Err(error) => note(queue.to_string(), error),
    }
    failures
}

/// Returns the schedules of a queue, or only those that are due.
async fn look(jobs: &Jobs, queue: &Id, only_due: bool) -> Result<AllFound, JobsError> {
    let found = commands::schedules(&jobs.target(queue), only_due, MAX_SCHEDULES).await?;
    if found.all > 0 {
        // A queue with a schedule is in use even if it has no jobs.
        jobs.register(queue).await?;
    } else {
        commands::unregister(jobs.link(), &scheduled(jobs), queue, UNUSED).await?;
    }
    Ok(found)
}

async fn fire(jobs: &Jobs, queue: &Id, now: i64, schedule: &Found) -> Result<(), JobsError> {
    let what: Stored = serde_json::from_str(&schedule.what)
        .map_err(|error| JobsError::Invalid(vec![Fault::new("schedule", error.to_string())]))?;
    let next = what.schedule()?.next_after(now.max(schedule.due));
    let is_left_out = what.missed == Missed::Skip && now - schedule.due > LATE_MS;
    let job = (!is_left_out).then(|| what.job.job());
    commands::fire(&jobs.target(queue), schedule, next, job.as_ref(), what.overlap).await?;
    Ok(())
}

/// Corrects when a schedule is due: brings it forward if the clock was set back since it last fired, and moves it either way if the rules
/// of its time zone have changed.
async fn mend(jobs: &Jobs, queue: &Id, now: i64, look: Look, schedule: &Found) -> Result<(), JobsError> {
    let what: Stored = serde_json::from_str(&schedule.what)
        .map_err(|error| JobsError::Invalid(vec![Fault::new("schedule", error.to_string())]))?;
    let latest = schedule.last.max(what.start_ms);
    let was_set_back = latest > now + BEHIND_MS;
    if !was_set_back && look != Look::Rules {
        return Ok(());
    }
    // If the clock is behind by less, past firings are not due again.
    let after = if was_set_back { now } else { now.max(latest) };
    match what.schedule()?.next_after(after) {
        Some(next) if next < schedule.due || next != schedule.due && look == Look::Rules => {
            commands::mend_schedule(&jobs.target(queue), schedule, next).await
        }
        _ => Ok(()),
    }
}
