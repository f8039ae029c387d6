use super::{Target, script};
use crate::ids::Id;
use crate::jobs::error::JobsError;
use crate::jobs::id::JobId;
use crate::jobs::model::NewJob;
use crate::jobs::record::{brief, flags, terms};
use crate::store::Script;
use std::sync::LazyLock;

static SET_SCHEDULE: LazyLock<Script> = script!("set_schedule");
static SCHEDULES: LazyLock<Script> = script!("schedules");
static FIRE: LazyLock<Script> = script!("fire", "put");

/// Sets a schedule, by what it is and when it is due, or takes it away; returns whether there was one of that name.
pub(in crate::jobs) async fn set_schedule(
    target: Target<'_>,
    name: &Id,
    what: Option<(&str, i64)>,
    most: usize,
) -> Result<bool, JobsError> {
    let (record, due) = what.unwrap_or_default();
    let mut words = target
        .look(&SET_SCHEDULE, 4, record.len(), |call| {
            call.arg(name.as_str()).arg(record).arg(due).arg(most);
        })
        .await?;
    Ok(words.number()? == 1)
}

/// Schedules as they are stored.
#[derive(Debug)]
pub(in crate::jobs) struct Found {
    /// Redis's clock, Unix milliseconds.
    pub now: i64,
    /// How many the queue has in all.
    pub all: u64,
    /// The name, when it is due, what it is.
    pub schedules: Vec<(String, i64, String)>,
}

/// The schedules of a queue by when they are due, or of those only what is due now.
pub(in crate::jobs) async fn schedules(target: Target<'_>, only_due: bool, most: usize) -> Result<Found, JobsError> {
    let mut words = target
        .look(&SCHEDULES, 2, 0, |call| {
            call.arg(u8::from(only_due)).arg(most);
        })
        .await?;
    let (now, all) = (words.number()?, words.count()?);
    let mut schedules = Vec::new();
    while words.left() > 0 {
        schedules.push((words.text()?, words.number()?, words.text()?));
    }
    Ok(Found { now, all, schedules })
}

/// Puts the job of a schedule in, if there is one to be put in and the schedule is due still when it was seen to be; returns
/// whether it was.
pub(in crate::jobs) async fn fire(
    target: Target<'_>,
    name: &str,
    seen: i64,
    next: Option<i64>,
    job: Option<&NewJob>,
) -> Result<bool, JobsError> {
    let id = JobId::draw(target.queue);
    let bytes = job.map_or(0, |job| 256 + job.payload.get().len());
    let mut words = target
        .change(&FIRE, 10, bytes, |call| {
            call.arg(name).arg(seen);
            match next {
                Some(next) => call.arg(next),
                None => call.arg(""),
            };
            if let Some(job) = job {
                call.arg(job.kind.as_str()).arg(id.short()).arg(job.priority);
                call.arg(super::put::when(job)).arg(terms(job));
                call.arg(flags(job)).arg(brief(job));
            }
        })
        .await?;
    Ok(words.number()? == 1)
}
