use super::target::{Target, script};
use crate::jobs::error::JobsError;
use crate::jobs::id::{JobId, LeaseToken};
use crate::jobs::record::{Job, on_one_line};
use crate::store::Script;
use serde_json::value::RawValue;
use std::sync::LazyLock;
use std::time::Duration;

static EXTEND: LazyLock<Script> = script!("extend", "sizes", "record", "job", "within", "reclaim" ["due", "forget", "ends", "tail", "attempt", "reclaim"]);
static PROGRESS: LazyLock<Script> = script!("progress", "sizes", "record", "job", "within", "tail", "reclaim" ["due", "forget", "ends", "attempt", "reclaim"]);
static FIND: LazyLock<Script> = script!("find");
static CANCEL: LazyLock<Script> = script!("cancel", "sizes", "record", "job", "forget", "ends");
static RETRY: LazyLock<Script> = script!("retry", "sizes", "record", "job", "held", "revive");

/// Converts the error of a call that requires a lease.
fn lease_error(error: JobsError) -> JobsError {
    match error {
        JobsError::Conflict(state) => JobsError::NotYours(state),
        error => error,
    }
}

/// Extends a lease to a duration from now on. Returns when it expires, Unix milliseconds.
pub(in crate::jobs) async fn extend(
    target: &Target,
    id: &JobId,
    token: LeaseToken,
    lease: Duration,
) -> Result<i64, JobsError> {
    let extended = target.change(&EXTEND, 3, 64, |call| {
        let ms = u64::try_from(lease.as_millis()).unwrap_or(0);
        call.arg(id.short()).arg(token.as_str()).arg(ms);
    });
    Ok(extended.await.map_err(lease_error)?.number()?)
}

/// Stores the progress of a leased job.
pub(in crate::jobs) async fn progress(
    target: &Target,
    id: &JobId,
    token: LeaseToken,
    value: &RawValue,
) -> Result<(), JobsError> {
    let value = on_one_line(value);
    let noted = target.change(&PROGRESS, 3, value.len(), |call| {
        call.arg(id.short()).arg(token.as_str()).arg(&value);
    });
    noted.await.map(drop).map_err(lease_error)
}

/// Returns a job.
pub(in crate::jobs) async fn find(target: &Target, id: &JobId) -> Result<Option<Job>, JobsError> {
    let mut reply = target
        .run(&FIND, 1, 0, |call| {
            call.arg(id.short());
        })
        .await?;
    if reply.left() == 0 {
        return Ok(None);
    }
    let (_state, spec, run) = (reply.text()?, reply.text()?, reply.text()?);
    Ok(Some(Job::read(id.clone(), &spec, &run, reply.number()?)?))
}

/// Cancels a job by its short id, or, if that is empty, by its unique key. Returns the job.
pub(in crate::jobs) async fn cancel(target: &Target, short: &str, key: &str) -> Result<JobId, JobsError> {
    let mut reply = target
        .change(&CANCEL, 2, 128, |call| {
            call.arg(short).arg(key);
        })
        .await?;
    Ok(JobId::of(&target.queue, &reply.text()?))
}

/// Makes a job ready now.
pub(in crate::jobs) async fn retry(target: &Target, id: &JobId) -> Result<(), JobsError> {
    target
        .change(&RETRY, 1, 0, |call| {
            call.arg(id.short());
        })
        .await
        .map(drop)
}
