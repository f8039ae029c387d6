use super::{Target, not_understood, script};
use crate::ids::Id;
use crate::jobs::error::JobsError;
use crate::jobs::id::JobId;
use crate::jobs::model::NewJob;
use crate::jobs::record::{brief, flags, terms};
use crate::store::Script;
use std::sync::LazyLock;

static SET_SCHEDULE: LazyLock<Script> = script!("set_schedule", "sizes", "held", "types");
static SCHEDULES: LazyLock<Script> = script!("schedules");
static FIRE: LazyLock<Script> = script!(
    "fire",
    "types",
    "put",
    "sizes",
    "due",
    "forget",
    "held",
    "bound_by",
    "record",
    "job",
    "put_one",
    "put_unique"
);
static MEND: LazyLock<Script> = script!("mend_schedule");

/// Digits of the time that stands before what a schedule is.
const LAST_DIGITS: usize = 13;

/// Sets a schedule of jobs of a type, and returns when it is due: where the one there is still what `goes_on` was, when that is;
/// otherwise when `due` says.
pub(in crate::jobs) async fn set_schedule(
    target: Target<'_>,
    name: &Id,
    (what, kind): (&str, &str),
    due: i64,
    goes_on: Option<&Found>,
    most: usize,
) -> Result<i64, JobsError> {
    let was = goes_on.map(Found::record).unwrap_or_default();
    let mut words = target
        .look(&SET_SCHEDULE, 7, what.len() + was.len(), |call| {
            call.arg(name.as_str()).arg(what).arg(due).arg(&was);
            call.arg(most).arg(kind).arg(target.room().1);
        })
        .await?;
    words.number()?;
    Ok(words.number()?)
}

/// Takes a schedule away; returns whether there was one of that name.
pub(in crate::jobs) async fn remove_schedule(target: Target<'_>, name: &Id) -> Result<bool, JobsError> {
    let mut words = target
        .look(&SET_SCHEDULE, 7, 0, |call| {
            call.arg(name.as_str()).arg("").arg(0).arg("").arg(0).arg("").arg(0);
        })
        .await?;
    Ok(words.number()? == 1)
}

/// Changes when a schedule is due, unless the schedule has changed since it was read.
pub(in crate::jobs) async fn mend_schedule(target: Target<'_>, seen: &Found, due: i64) -> Result<(), JobsError> {
    let record = seen.record();
    target
        .look(&MEND, 4, record.len(), |call| {
            call.arg(&seen.name).arg(seen.due).arg(&record).arg(due);
        })
        .await?;
    Ok(())
}

/// A schedule as it is stored.
#[derive(Debug)]
pub(in crate::jobs) struct Found {
    pub name: String,
    /// When it is due, Unix milliseconds.
    pub due: i64,
    /// When it fired last, Unix milliseconds; 0 for never.
    pub last: i64,
    /// What it is, as it was set.
    pub what: String,
}

impl Found {
    pub fn fired_last(&self) -> Option<i64> {
        (self.last > 0).then_some(self.last)
    }

    fn record(&self) -> String {
        format!("{:0LAST_DIGITS$}{}", self.last, self.what)
    }
}

/// Schedules of a queue.
#[derive(Debug)]
pub(in crate::jobs) struct AllFound {
    /// Redis's clock, Unix milliseconds.
    pub now: i64,
    /// How many the queue has in all.
    pub all: u64,
    /// What was looked for.
    pub schedules: Vec<Found>,
}

/// The schedules of a queue by when they are due, or of those only what is due now.
pub(in crate::jobs) async fn schedules(target: Target<'_>, only_due: bool, most: usize) -> Result<AllFound, JobsError> {
    schedules_behind(target, only_due, 0, most).await
}

/// The same behind the first `skip` of them.
pub(in crate::jobs) async fn schedules_behind(
    target: Target<'_>,
    only_due: bool,
    skip: usize,
    most: usize,
) -> Result<AllFound, JobsError> {
    let mut words = target
        .look(&SCHEDULES, 3, 0, |call| {
            call.arg(u8::from(only_due)).arg(most).arg(skip);
        })
        .await?;
    let (now, all) = (words.number()?, words.count()?);
    let mut schedules = Vec::new();
    while words.left() > 0 {
        let (name, due, record) = (words.text()?, words.number()?, words.text()?);
        let (last, what) = record.split_at_checked(LAST_DIGITS).ok_or_else(not_understood)?;
        schedules.push(Found {
            name,
            due,
            last: last.parse().map_err(|_no_number| not_understood())?,
            what: what.to_owned(),
        });
    }
    Ok(AllFound { now, all, schedules })
}

/// Puts the job of a schedule in, if there is one to be put in and the schedule is still what it was seen to be; returns whether
/// it was. Unless it `overlaps`, the job is left out while the last one of the schedule waits still.
pub(in crate::jobs) async fn fire(
    target: Target<'_>,
    seen: &Found,
    next: Option<i64>,
    job: Option<&NewJob>,
    overlaps: bool,
) -> Result<bool, JobsError> {
    let id = JobId::draw(target.queue);
    let record = seen.record();
    let bytes = record.len() + job.map_or(0, |job| 256 + job.payload.get().len());
    let mut words = target
        .change(&FIRE, 12, bytes, |call| {
            call.arg(&seen.name).arg(seen.due).arg(&record);
            match next {
                Some(next) => call.arg(next),
                None => call.arg(""),
            };
            call.arg(u8::from(overlaps));
            if let Some(job) = job {
                call.arg(job.kind.as_str()).arg(id.short()).arg(job.priority);
                call.arg(super::put::when(job)).arg(terms(job));
                call.arg(flags(job)).arg(brief(job));
            }
        })
        .await?;
    Ok(words.number()? == 1)
}
