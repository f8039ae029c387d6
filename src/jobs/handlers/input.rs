//! Parses the bodies of requests into the model. This checks the structure of the JSON; `check` checks ranges and sizes for all callers.

use super::super::limits::{
    ATTEMPTS, COUNT, KEEP_S, LEASE_MS, MAX_BATCH, MAX_TYPES, PRIORITY, TIMEOUT_MS, WAIT_MS, YEAR_MS,
};
use super::super::schedule::{MAX_EVERY_MS, MIN_EVERY_MS};
use super::super::schedules::{Missed, NewSchedule};
use super::super::{
    Backoff, BackoffKind, End, JobId, LeaseRequest, LeaseToken, NewJob, Retry, RunAt, Settlement, Unique, UniqueMode,
};
use super::MAX_SMALL_BODY;
use crate::http::{AppData, Fields, FromBody, Problem, Scalar};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::time::Duration;

/// Converts milliseconds from a range without negative numbers.
fn ms(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}

/// Parses one job or an array of jobs. Returns the jobs, and whether the body is an array.
pub(super) fn new_jobs(body: &[u8], apply_defaults: &dyn Fn(NewJob) -> NewJob) -> Result<(Vec<NewJob>, bool), Problem> {
    Fields::parse_one_or_many(body, 1..=MAX_BATCH, |fields| new_job(fields, apply_defaults))
}

/// Parses a schedule with its job.
pub(super) fn schedule(body: &[u8], apply_defaults: &dyn Fn(NewJob) -> NewJob) -> Result<NewSchedule, Problem> {
    let mut fields = Fields::parse(body)?;
    let job = fields.required("job", |fields, name| {
        fields.object(name, |job| {
            let made = new_job(job, apply_defaults)?;
            if matches!(made.run_at, RunAt::At(_)) {
                job.refuse("run_at", "is not allowed in a schedule");
            }
            Some(made)
        })?
    });
    let (cron, time_zone) = (fields.text("cron", 256), fields.text("time_zone", 64));
    let every_ms = fields.integer("every_ms", MIN_EVERY_MS..=MAX_EVERY_MS);
    let missed = match fields.text("missed", 16).as_deref() {
        None | Some("run_once") => Missed::RunOnce,
        Some("skip") => Missed::Skip,
        Some(_) => {
            fields.refuse("missed", "must be run_once or skip");
            Missed::RunOnce
        }
    };
    let overlap = fields.boolean("overlap").unwrap_or(false);
    fields.finish(job.map(|job| NewSchedule {
        cron,
        time_zone,
        every_ms,
        missed,
        overlap,
        job,
    }))
}

/// Parses a job.
fn new_job(fields: &mut Fields<'_>, apply_defaults: &dyn Fn(NewJob) -> NewJob) -> Option<NewJob> {
    let payload = fields.take("payload").unwrap_or(RawValue::NULL).to_owned();
    let backoff = fields.object("backoff", BackoffMembers::read);
    // The other members are checked even without a type.
    let kind = fields.required("type", Fields::id);
    let mut job = apply_defaults(NewJob::new(kind.as_deref().unwrap_or_default(), payload));
    if let Some(members) = backoff {
        job.backoff = members.or(job.backoff);
    }
    if let Some(priority) = fields.integer("priority", PRIORITY) {
        job.priority = u16::try_from(priority).unwrap_or(0);
    }
    job.run_at = match (fields.integer("delay_ms", YEAR_MS), fields.time("run_at")) {
        (Some(_), Some(_)) => {
            fields.refuse("run_at", "is not allowed together with delay_ms");
            RunAt::Now
        }
        (Some(delay), None) => RunAt::After(ms(delay)),
        (None, Some(at)) => RunAt::At(at),
        (None, None) => RunAt::Now,
    };
    if let Some(attempts) = fields.integer("max_attempts", ATTEMPTS) {
        job.max_attempts = u32::try_from(attempts).unwrap_or(1);
    }
    if let Some(timeout) = fields.integer("timeout_ms", TIMEOUT_MS) {
        job.timeout = ms(timeout);
    }
    if let Some(keep) = fields.integer("keep_result_s", KEEP_S) {
        job.keep_result = Duration::from_secs(keep.unsigned_abs());
    }
    job.unique = read_unique(fields);
    kind.map(|_| job)
}

/// The members of a backoff in a body.
struct BackoffMembers {
    kind: Option<BackoffKind>,
    base: Option<Duration>,
    max: Option<Duration>,
    jitter: Option<f64>,
}

impl BackoffMembers {
    fn read(fields: &mut Fields<'_>) -> Self {
        let kind = fields.text("kind", 16).and_then(|kind| match kind.as_str() {
            "exponential" => Some(BackoffKind::Exponential),
            "fixed" => Some(BackoffKind::Fixed),
            _ => {
                fields.refuse("kind", "must be fixed or exponential");
                None
            }
        });
        Self {
            kind,
            base: fields.integer("base_ms", YEAR_MS).map(ms),
            max: fields.integer("max_ms", YEAR_MS).map(ms),
            jitter: fields.number("jitter", 0.0..=1.0),
        }
    }

    /// Returns the backoff with defaults for absent members. The default of the maximum is at least the given base.
    fn or(self, defaults: Backoff) -> Backoff {
        let base = self.base.unwrap_or(defaults.base);
        Backoff {
            kind: self.kind.unwrap_or(defaults.kind),
            base,
            max: self.max.unwrap_or(defaults.max.max(base)),
            jitter: self.jitter.unwrap_or(defaults.jitter),
        }
    }
}

fn read_unique(fields: &mut Fields<'_>) -> Option<Unique> {
    let key = fields.external_id("unique_key");
    let mode = fields.text("unique_mode", 16);
    let keep = fields.integer("unique_for_ms", 1..=*YEAR_MS.end()).map(ms);
    let max_wait = fields.integer("max_wait_ms", 1..=*YEAR_MS.end()).map(ms);
    if key.is_none() {
        // They have no effect without the key, and the client relies on them.
        for (name, is_there) in [
            ("unique_mode", mode.is_some()),
            ("unique_for_ms", keep.is_some()),
            ("max_wait_ms", max_wait.is_some()),
        ] {
            if is_there {
                fields.refuse(name, "is allowed only together with unique_key");
            }
        }
    }
    let mode = match mode.as_deref() {
        None | Some("refuse") => UniqueMode::Refuse,
        Some("replace") => UniqueMode::Replace,
        Some("debounce") => UniqueMode::Debounce,
        Some(_) => {
            fields.refuse("unique_mode", "must be refuse, replace or debounce");
            UniqueMode::Refuse
        }
    };
    key.map(|key| Unique {
        key: key.as_str().into(),
        mode,
        keep,
        max_wait,
    })
}

impl FromBody for LeaseRequest {
    const MAX_BYTES: usize = MAX_SMALL_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse_optional(body)?;
        let request = read_lease(&mut fields);
        fields.finish(Some(request))
    }
}

/// Dead jobs to move back to their queue, at most.
pub struct Redrive {
    pub(super) limit: u64,
}

impl FromBody for Redrive {
    const MAX_BYTES: usize = MAX_SMALL_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse_optional(body)?;
        let limit = fields.integer("limit", 1..=1_000).unwrap_or(1_000);
        fields.finish(Some(Self {
            limit: limit.unsigned_abs(),
        }))
    }
}

fn read_lease(fields: &mut Fields<'_>) -> LeaseRequest {
    let defaults = LeaseRequest::of(1);
    let types = fields.ids("types", MAX_TYPES).unwrap_or_default();
    LeaseRequest {
        count: fields
            .integer("count", COUNT)
            .map_or(1, |count| usize::try_from(count).unwrap_or(1)),
        lease: fields.integer("lease_ms", LEASE_MS).map_or(defaults.lease, ms),
        wait: fields.integer("wait_ms", WAIT_MS).map_or(defaults.wait, ms),
        kinds: types.iter().map(|kind| kind.as_str().into()).collect(),
    }
}

/// How a lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Complete,
    Fail,
    Release,
}

/// Parses the end of the lease of the job in the path, and the request for the next jobs.
pub(super) fn end(body: &[u8], verb: Verb) -> Result<(LeaseToken, End, Option<LeaseRequest>), Problem> {
    let mut fields = Fields::parse(body)?;
    let next = fields.object("lease_next", read_lease);
    let end = read_end(&mut fields, Some(verb));
    fields.finish(end.map(|(_, (token, end))| (token, end, next)))
}

/// Parses the ends of many leases, and the request for the next jobs.
pub(super) fn ends(body: &[u8]) -> Result<(Vec<Settlement>, Option<LeaseRequest>), Problem> {
    let mut fields = Fields::parse(body)?;
    let next = fields.object("lease_next", read_lease);
    let settlements = fields.required("jobs", |fields, name| {
        fields.each(name, 0..=MAX_BATCH, |job| {
            let (id, (token, end)) = read_end(job, None)?;
            Some(Settlement { id: id?, token, end })
        })
    });
    fields.finish(settlements.map(|settlements| (settlements, next)))
}

type ReadEnd = (Option<JobId>, (LeaseToken, End));

/// Parses one end. If `verb` is absent, the object has it and the id.
fn read_end(fields: &mut Fields<'_>, verb: Option<Verb>) -> Option<ReadEnd> {
    let result = fields.take("result").map(ToOwned::to_owned);
    let then = fields.object("then", read_then).flatten();
    let (id, verb) = if let Some(verb) = verb {
        (None, Some(verb))
    } else {
        let (id, verb) = (read_id(fields), read_verb(fields));
        if verb != Some(Verb::Fail) {
            fields.pass_over(&["error", "retry"]);
        }
        (id, verb)
    };
    let token = token(fields);
    if verb.is_some_and(|verb| verb != Verb::Complete) {
        for (name, is_there) in [("result", result.is_some()), ("then", then.is_some())] {
            if is_there {
                fields.refuse(name, "is allowed only for a completion");
            }
        }
    }
    let end = match verb? {
        Verb::Complete if then.is_some() && result.is_some() => {
            fields.refuse("result", "is not allowed together with then");
            None
        }
        Verb::Complete => Some(then.unwrap_or(End::Complete { result })),
        Verb::Release => Some(End::Release),
        Verb::Fail => {
            let error = fields.required("error", |fields, name| fields.text(name, usize::MAX));
            let retry = read_retry(fields);
            error.map(|error| End::Fail { error, retry })
        }
    };
    Some((id, (token?, end?)))
}

fn read_id(fields: &mut Fields<'_>) -> Option<JobId> {
    let text = fields.required("id", |fields, name| fields.text(name, usize::MAX))?;
    let id = JobId::parse(&text);
    if id.is_none() {
        fields.refuse("id", "is not the id of a job");
    }
    id
}

fn read_verb(fields: &mut Fields<'_>) -> Option<Verb> {
    let end = fields.required("end", |fields, name| fields.text(name, 16))?;
    match end.as_str() {
        "complete" => Some(Verb::Complete),
        "fail" => Some(Verb::Fail),
        "release" => Some(Verb::Release),
        _ => {
            fields.refuse("end", "must be complete, fail or release");
            None
        }
    }
}

/// Parses `retry`: true for the backoff of the job, false for never, a number for a delay in ms.
fn read_retry(fields: &mut Fields<'_>) -> Retry {
    match fields.scalar("retry") {
        None | Some(Scalar::Bool(true)) => return Retry::Policy,
        Some(Scalar::Bool(false)) => return Retry::Never,
        Some(Scalar::Number(number)) => {
            if let Some(after) = number.as_i64().filter(|after| YEAR_MS.contains(after)) {
                return Retry::After(ms(after));
            }
        }
        Some(_) => {}
    }
    fields.refuse("retry", format!("must be true, false, or 0 to {} ms", YEAR_MS.end()));
    Retry::Policy
}

fn read_then(fields: &mut Fields<'_>) -> Option<End> {
    let payload = fields.take("payload").map(ToOwned::to_owned);
    let kind = fields.id("type").map(|kind| kind.as_str().into());
    let delay = fields.required("delay_ms", |fields, name| fields.integer(name, YEAR_MS))?;
    Some(End::Then {
        kind,
        payload,
        delay: ms(delay),
    })
}

/// A lease to extend, by its token, and its new duration.
pub struct Extension {
    pub(super) token: LeaseToken,
    pub(super) lease: Duration,
}

impl FromBody for Extension {
    const MAX_BYTES: usize = MAX_SMALL_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let token = token(&mut fields);
        let lease = fields.required("lease_ms", |fields, name| fields.integer(name, LEASE_MS));
        let extension = token.zip(lease.map(ms));
        fields.finish(extension.map(|(token, lease)| Self { token, lease }))
    }
}

fn token(fields: &mut Fields<'_>) -> Option<LeaseToken> {
    let text = fields.required("token", |fields, name| fields.text(name, usize::MAX))?;
    let token = LeaseToken::parse(&text);
    if token.is_none() {
        fields.refuse("token", "is not the token of a lease");
    }
    token
}

/// The progress of a leased job, by the token of the lease.
pub struct Progress {
    pub(super) token: LeaseToken,
    pub(super) progress: Box<RawValue>,
}

impl FromBody for Progress {
    const MAX_BYTES: usize = MAX_SMALL_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let progress = fields.required_value("progress").map(ToOwned::to_owned);
        let token = token(&mut fields);
        fields.finish(token.zip(progress).map(|(token, progress)| Self { token, progress }))
    }
}
