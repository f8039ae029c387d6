//! Encodes and decodes the records of jobs in Redis (see `lua/queue.lua`).

use super::id::JobId;
use super::model::{Backoff, BackoffKind, NewJob, State, UniqueMode};
use crate::ids::ExternalId;
use crate::store::StoreError;
use compact_str::CompactString;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::time::Duration;

/// The flags of a spec, added to `@`.
const IS_FORGOTTEN: u8 = 1;
const IS_UNIQUE: u8 = 2;
const HAS_LIMIT: u8 = 4;

/// Returns JSON on one line. Line ends outside of strings are replaced by spaces; strings have none.
pub(super) fn on_one_line(json: &RawValue) -> Cow<'_, str> {
    let text = json.get();
    // Most JSON is on one line, and a search for one byte is several times as fast as a replacement.
    if text.contains('\n') || text.contains('\r') {
        text.replace(['\n', '\r'], " ").into()
    } else {
        text.into()
    }
}

/// Returns the flags of a job, and its retention.
pub(super) fn flags(job: &NewJob) -> String {
    let mut flags = b'@';
    if job.keep_result.as_secs() == 0 {
        flags |= IS_FORGOTTEN;
    }
    if job.unique.is_some() {
        flags |= IS_UNIQUE;
    }
    if !job.timeout.is_zero() {
        flags |= HAS_LIMIT;
    }
    format!("{}{:08}", char::from(flags), job.keep_result.as_secs())
}

/// Returns the terms of the unique key of a job, as `lua/put_unique.lua` expects them.
pub(super) fn terms(job: &NewJob) -> String {
    let Some(unique) = &job.unique else {
        return String::new();
    };
    let mode = match unique.mode {
        UniqueMode::Refuse => 'r',
        UniqueMode::Replace => 'p',
        UniqueMode::Debounce => 'd',
    };
    let longest = unique.max_wait.map(|most| format!(",{}", most.as_millis()));
    let keep = unique.keep.unwrap_or_default().as_millis();
    format!("{mode}{keep}{} {}", longest.unwrap_or_default(), encoded(&unique.key))
}

/// Percent-encodes a unique key, because spaces separate fields. The keys of an earlier release encode to themselves.
fn encoded(key: &str) -> String {
    // `check` has refused invalid keys.
    ExternalId::parse(key).map_or_else(|_| String::new(), |key| key.encoded())
}

/// Returns `BRIEF` from `MAX_ATTEMPTS` on, and the payload.
pub(super) fn brief(job: &NewJob) -> String {
    let Backoff {
        kind,
        base,
        max,
        jitter,
    } = job.backoff;
    let kind = match kind {
        BackoffKind::Fixed => 'f',
        BackoffKind::Exponential => 'e',
    };
    format!(
        "{} {kind} {} {} {jitter:.3} {} {} {} {}\n{}",
        job.max_attempts,
        base.as_millis(),
        max.as_millis(),
        job.timeout.as_millis(),
        job.priority,
        job.kind,
        job.unique
            .as_ref()
            .map(|unique| encoded(&unique.key))
            .unwrap_or_default(),
        on_one_line(&job.payload),
    )
}

/// A parsed spec, without the number of the type and the place.
#[derive(Debug)]
pub(super) struct Spec<'a> {
    pub since_ms: i64,
    pub created_ms: i64,
    pub keep_s: u64,
    pub max_attempts: u32,
    pub backoff: Backoff,
    pub timeout: Duration,
    pub priority: u16,
    pub kind: &'a str,
    pub unique_key: &'a str,
    /// Empty in lists.
    pub payload: &'a str,
}

impl<'a> Spec<'a> {
    pub fn read(text: &'a str) -> Result<Self, StoreError> {
        Self::parse(text).ok_or_else(|| StoreError::Answer("jobs: a spec".to_owned()))
    }

    fn parse(text: &'a str) -> Option<Self> {
        let (head, payload) = text.split_once('\n').unwrap_or((text, ""));
        let keep_s = head.get(1..9)?.parse().ok()?;
        let since_ms = head.get(9..22)?.parse().ok()?;
        let mut fields = head.get(23..)?.split(' ').skip(2);
        let created_ms = fields.next()?.parse().ok()?;
        let max_attempts = fields.next()?.parse().ok()?;
        let kind = match fields.next()? {
            "f" => BackoffKind::Fixed,
            _ => BackoffKind::Exponential,
        };
        let mut ms = || Some(Duration::from_millis(fields.next()?.parse().ok()?));
        let (base, max) = (ms()?, ms()?);
        let jitter = fields.next()?.parse().ok()?;
        let timeout = Duration::from_millis(fields.next()?.parse().ok()?);
        Some(Self {
            since_ms,
            created_ms,
            keep_s,
            max_attempts,
            backoff: Backoff {
                kind,
                base,
                max,
                jitter,
            },
            timeout,
            priority: fields.next()?.parse().ok()?,
            kind: fields.next()?,
            unique_key: fields.next()?,
            payload,
        })
    }
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The number of the attempt; the first is 1.
    pub attempt: u32,
    /// When, by Redis's clock, Unix milliseconds.
    pub at_ms: i64,
    /// The reason.
    pub error: String,
}

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// The id.
    pub id: JobId,
    /// The type, `type` in JSON.
    pub kind: CompactString,
    /// The state.
    pub state: State,
    /// The payload; `None` in lists.
    pub payload: Option<Box<RawValue>>,
    /// 0 to 1,000; higher priorities run first.
    pub priority: u16,
    /// The number of attempts, including one in progress.
    pub attempts: u32,
    /// Maximum number of attempts.
    pub max_attempts: u32,
    /// The delay between attempts.
    pub backoff: Backoff,
    /// The time limit of an attempt; zero for none.
    pub timeout: Duration,
    /// The unique key.
    pub unique_key: Option<CompactString>,
    /// The retention of the job after it is done.
    pub keep_result: Duration,
    /// When it was added, Unix milliseconds; all times are Redis's.
    pub created_ms: i64,
    /// When it is first due.
    pub run_at_ms: i64,
    /// When it was last leased.
    pub leased_ms: Option<i64>,
    /// When it was completed, died or was cancelled.
    pub ended_ms: Option<i64>,
    /// When it is due, its lease expires, or it will be deleted, by its state; `None` for a ready job.
    pub until_ms: Option<i64>,
    /// The last progress that its worker reported.
    pub progress: Option<Box<RawValue>>,
    /// The result.
    pub result: Option<Box<RawValue>>,
    /// The last failures, the latest last.
    pub failures: Vec<Failure>,
}

impl Job {
    /// Decodes a job from its records. `run` is empty if there is none; `when` is 0 for never.
    pub(super) fn read(id: JobId, spec: &str, run: &str, when: i64) -> Result<Self, StoreError> {
        let spec = Spec::read(spec)?;
        let run = Run::parse(run).ok_or_else(|| StoreError::Answer("jobs: a run".to_owned()))?;
        let has_ended = matches!(run.state, State::Done | State::Dead | State::Cancelled);
        Ok(Self {
            id,
            kind: spec.kind.into(),
            state: run.state,
            payload: json(spec.payload),
            priority: spec.priority,
            attempts: run.attempts,
            max_attempts: spec.max_attempts,
            backoff: spec.backoff,
            timeout: spec.timeout,
            unique_key: ExternalId::decode(spec.unique_key).map(|key| key.as_str().into()),
            keep_result: Duration::from_secs(spec.keep_s),
            created_ms: spec.created_ms,
            run_at_ms: spec.since_ms,
            leased_ms: (run.leased_ms > 0).then_some(run.leased_ms),
            ended_ms: has_ended.then_some(run.since_ms),
            until_ms: (when > 0).then_some(when),
            progress: json(run.progress),
            result: json(run.result),
            failures: run.failures,
        })
    }
}

fn json(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}

struct Run<'a> {
    state: State,
    leased_ms: i64,
    since_ms: i64,
    attempts: u32,
    progress: &'a str,
    result: &'a str,
    failures: Vec<Failure>,
}

impl<'a> Run<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self {
                state: State::Ready,
                leased_ms: 0,
                since_ms: 0,
                attempts: 0,
                progress: "",
                result: "",
                failures: Vec::new(),
            });
        }
        let mut lines = text.split('\n');
        let head = lines.next()?;
        let (progress, result) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
        let failure = |line: &str| {
            let (attempt, rest) = line.split_once(' ')?;
            let (at_ms, error) = rest.split_once(' ')?;
            Some(Failure {
                attempt: attempt.parse().ok()?,
                at_ms: at_ms.parse().ok()?,
                error: serde_json::from_str(error).ok()?,
            })
        };
        Some(Self {
            state: State::from_letter(head.chars().next()?)?,
            leased_ms: head.get(18..31)?.parse().ok()?,
            // Absent in some runs of leased jobs, where it is not used.
            since_ms: head.get(43..56).map_or(Some(0), |since| since.parse().ok())?,
            attempts: head.get(40..43)?.parse().ok()?,
            progress,
            result,
            failures: lines.filter_map(failure).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Unique;
    use super::*;
    use crate::ids::Id;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn records_are_decoded_as_encoded() {
        let mut job = NewJob::new("send-email", raw("{\"to\":\n\"a\"}"));
        job.priority = 7;
        job.timeout = Duration::from_mins(1);
        job.unique = Some(Unique {
            key: "order|1".into(),
            mode: UniqueMode::Debounce,
            keep: Some(Duration::from_secs(1)),
            max_wait: Some(Duration::from_secs(9)),
        });
        assert_eq!((&*flags(&job), &*terms(&job)), ("F00003600", "d1000,9000 order%7C1"));
        let spec = format!("{}1700000000000 1 17 1699999999999 {}", flags(&job), brief(&job));
        let id = JobId::draw(&Id::parse("emails").unwrap());
        let head = "xfAAAAAAAAAAAAAAAA1700000000001F000036000031700000000002 1 17";
        let run = format!("{head}\n50\n\n3 1700000000002 \"no\\n\"");
        let read = Job::read(id, &spec, &run, 5).unwrap();
        assert_eq!((read.state, read.attempts, &*read.kind), (State::Dead, 3, "send-email"));
        assert_eq!(read.payload.unwrap().get(), "{\"to\": \"a\"}");
        assert_eq!(
            (read.priority, read.timeout, read.backoff),
            (7, job.timeout, job.backoff)
        );
        assert_eq!(
            (read.created_ms, read.run_at_ms),
            (1_699_999_999_999, 1_700_000_000_000)
        );
        assert_eq!(
            (read.leased_ms, read.ended_ms),
            (Some(1_700_000_000_001), Some(1_700_000_000_002))
        );
        assert_eq!(read.unique_key.as_deref(), Some("order|1"));
        assert_eq!((read.progress.unwrap().get(), read.result.is_none()), ("50", true));
        assert_eq!(read.failures[0].error, "no\n");
    }
}
