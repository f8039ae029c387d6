use super::target::{Target, not_understood, script};
use crate::clock::whole_ms;
use crate::jobs::error::JobsError;
use crate::jobs::id::JobId;
use crate::jobs::model::{AddOutcome, Added, NewJob, RunAt};
use crate::jobs::record::{brief, flags, terms};
use crate::once::Once;
use crate::store::Script;
use std::sync::LazyLock;

static ADD: LazyLock<Script> = script!("add", "types", "put", "keys", "sizes", "due", "bound_by" ["forget", "held", "bound_by"], "put_unique" ["record", "job", "forget", "put_one", "put_unique"]);

/// Adds valid jobs, all or none, once for each idempotency key. Returns the results, and whether they are those of an earlier call with the
/// same key.
pub(in crate::jobs) async fn add(
    target: Target,
    jobs: &[NewJob],
    once: Option<&Once>,
) -> Result<(Vec<Added>, bool), JobsError> {
    let target = Target {
        once: once.cloned(),
        ..target
    };
    let digest = once.map_or("", |once| &once.body);
    let mut kinds: Vec<&str> = Vec::new();
    let mut numbers = Vec::with_capacity(jobs.len());
    for job in jobs {
        let number = kinds.iter().position(|kind| **kind == job.kind).unwrap_or_else(|| {
            kinds.push(&job.kind);
            kinds.len() - 1
        });
        numbers.push(number + 1);
    }
    let ids: Vec<JobId> = jobs.iter().map(|_| JobId::draw(&target.queue)).collect();
    let bytes: usize = jobs.iter().map(|job| 128 + job.payload.get().len()).sum();
    let mut reply = target
        .change(&ADD, 3 + kinds.len() + 7 * jobs.len(), bytes, |call| {
            call.arg(digest).arg(whole_ms(Once::KEPT));
            call.arg(kinds.len()).arg(&kinds);
            for ((job, id), number) in jobs.iter().zip(&ids).zip(&numbers) {
                call.arg(id.short()).arg(number).arg(job.priority);
                call.arg(when(job)).arg(terms(job)).arg(flags(job)).arg(brief(job));
            }
        })
        .await?;
    let created = |id| Added {
        id,
        outcome: AddOutcome::Created,
    };
    let mut added: Vec<Added> = ids.into_iter().map(created).collect();
    let before = reply.text()? == "before";
    while reply.left() > 0 {
        let index = usize::try_from(reply.number()? - 1).map_err(|_negative| not_understood())?;
        let job = added.get_mut(index).ok_or_else(not_understood)?;
        job.outcome = match &*reply.text()? {
            "created" => AddOutcome::Created,
            "existing" => AddOutcome::Existing,
            "replaced" => AddOutcome::Replaced,
            "debounced" => AddOutcome::Debounced,
            _ => return Err(not_understood().into()),
        };
        job.id = JobId::of(&target.queue, &reply.text()?);
    }
    Ok((added, before))
}

/// Returns the run time of a job, as `lua/put.lua` expects it.
pub(super) fn when(job: &NewJob) -> String {
    match job.run_at {
        RunAt::Now => String::new(),
        RunAt::After(delay) => format!("+{}", delay.as_millis()),
        RunAt::At(at) => format!("@{}", at.max(0)),
    }
}
