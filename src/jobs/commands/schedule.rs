use super::target::{Reply, Target, not_understood, script};
use crate::ids::Id;
use crate::jobs::error::JobsError;
use crate::jobs::id::JobId;
use crate::jobs::model::NewJob;
use crate::jobs::record::{brief, flags, terms};
use crate::store::Script;
use std::sync::LazyLock;

static SET_SCHEDULE: LazyLock<Script> = script!("set_schedule", "sizes", "held", "types");
static SCHEDULES: LazyLock<Script> = script!("schedules");
static FIND_SCHEDULE: LazyLock<Script> = script!("find_schedule");
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

/// The number of digits of the last firing, which a record starts with.
const LAST_DIGITS: usize = 13;

/// Sets a schedule, and returns when it is due: if it still has the record `unchanged`, it keeps its due time, otherwise it is due at
/// `due`.
pub(in crate::jobs) async fn set_schedule(
    target: &Target,
    name: &Id,
    (what, kind): (&str, &str),
    due: i64,
    unchanged: Option<&Found>,
    most: usize,
) -> Result<i64, JobsError> {
    let was = unchanged.map(Found::record).unwrap_or_default();
    let mut reply = target
        .run(&SET_SCHEDULE, 7, what.len() + was.len(), |call| {
            call.arg(name.as_str()).arg(what).arg(due).arg(&was);
            call.arg(most).arg(kind).arg(target.room().1);
        })
        .await?;
    reply.number()?;
    Ok(reply.number()?)
}

/// Deletes a schedule. Returns whether it existed.
pub(in crate::jobs) async fn remove_schedule(target: &Target, name: &Id) -> Result<bool, JobsError> {
    let mut reply = target
        .run(&SET_SCHEDULE, 7, 0, |call| {
            call.arg(name.as_str()).arg("").arg(0).arg("").arg(0).arg("").arg(0);
        })
        .await?;
    Ok(reply.number()? == 1)
}

/// Changes when a schedule is due, unless the schedule has changed since it was read.
pub(in crate::jobs) async fn mend_schedule(target: &Target, seen: &Found, due: i64) -> Result<(), JobsError> {
    let record = seen.record();
    target
        .run(&MEND, 4, record.len(), |call| {
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
    /// Its last firing, Unix milliseconds; 0 for never.
    pub last: i64,
    /// Its JSON, as it was set.
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
    /// The number of all schedules of the queue.
    pub all: u64,
    /// The requested schedules.
    pub schedules: Vec<Found>,
}

/// Returns the schedules of a queue by when they are due, or only those that are due now.
pub(in crate::jobs) async fn schedules(target: &Target, only_due: bool, most: usize) -> Result<AllFound, JobsError> {
    schedules_behind(target, only_due, 0, most).await
}

/// Returns the schedules after the first `skip`, as [`schedules`] does.
pub(in crate::jobs) async fn schedules_behind(
    target: &Target,
    only_due: bool,
    skip: usize,
    most: usize,
) -> Result<AllFound, JobsError> {
    let reply = target
        .run(&SCHEDULES, 3, 0, |call| {
            call.arg(u8::from(only_due)).arg(most).arg(skip);
        })
        .await?;
    read(reply)
}

/// Returns a schedule by its name.
pub(in crate::jobs) async fn find_schedule(target: &Target, name: &Id) -> Result<Option<Found>, JobsError> {
    let reply = target
        .run(&FIND_SCHEDULE, 1, 0, |call| {
            call.arg(name.as_str());
        })
        .await?;
    Ok(read(reply)?.schedules.pop())
}

fn read(mut reply: Reply) -> Result<AllFound, JobsError> {
    let (now, all) = (reply.number()?, reply.count()?);
    let mut schedules = Vec::new();
    while reply.left() > 0 {
        let (name, due, record) = (reply.text()?, reply.number()?, reply.text()?);
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

/// Fires a schedule, unless it has changed since it was read. Returns whether this call fired it. Unless the schedule `overlaps`, no job is
/// added while its last job still waits.
pub(in crate::jobs) async fn fire(
    target: &Target,
    seen: &Found,
    next: Option<i64>,
    job: Option<&NewJob>,
    overlaps: bool,
) -> Result<bool, JobsError> {
    let id = JobId::draw(&target.queue);
    let record = seen.record();
    let bytes = record.len() + job.map_or(0, |job| 256 + job.payload.get().len());
    let mut reply = target
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
    Ok(reply.number()? == 1)
}
