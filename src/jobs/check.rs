//! Validates the arguments of all callers, from HTTP and from Rust, before a command is sent to Redis.

use super::error::{Fault, JobsError};
use super::id::MAX_QUEUE_LEN;
use super::limits::{ATTEMPTS, KEEP_S, LEASE_MS, MAX_BATCH, MAX_TYPES, PRIORITY, TIMEOUT_MS, WAIT_MS, YEAR_MS};
use super::model::{End, LeaseRequest, NewJob, Retry, RunAt, Settlement, UniqueMode};
use crate::ids::{ExternalId, Id};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Maximum nesting of JSON, so that parsers of clients accept it.
const MAX_DEPTH: usize = 64;

/// Returns the nesting depth of JSON.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text, mut is_escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Validates the name of a queue.
pub(super) fn queue(queue: &Id) -> Result<(), JobsError> {
    if queue.len() <= MAX_QUEUE_LEN {
        return Ok(());
    }
    let detail = format!("the name of a queue has at most {MAX_QUEUE_LEN} characters");
    Err(JobsError::Invalid(vec![Fault::new("queue", detail)]))
}

struct Faults(Vec<Fault>);

impl Faults {
    fn unless(&mut self, is_fine: bool, member: &str, detail: impl FnOnce() -> String) {
        if !is_fine {
            self.0.push(Fault::new(member, detail()));
        }
    }

    fn id(&mut self, member: &str, text: &str) {
        if let Err(error) = Id::parse(text) {
            self.0.push(Fault::new(member, error.to_string()));
        }
    }

    fn json(&mut self, member: &str, value: &RawValue, most: u32) {
        self.unless(value.get().len() <= most as usize, member, || {
            format!("must have at most {most} bytes")
        });
        self.unless(depth(value.get()) <= MAX_DEPTH, member, || {
            format!("must be nested at most {MAX_DEPTH} deep")
        });
    }

    fn ms(&mut self, member: &str, time: Duration, range: &RangeInclusive<i64>) {
        let is_within = i64::try_from(time.as_millis()).is_ok_and(|ms| range.contains(&ms));
        self.unless(is_within, member, || {
            format!("must be {} to {}", range.start(), range.end())
        });
    }
}

/// Returns the faults of a job.
pub(super) fn new_job(job: &NewJob, most_bytes: u32) -> Vec<Fault> {
    let mut faults = Faults(Vec::new());
    faults.id("type", &job.kind);
    faults.json("payload", &job.payload, most_bytes);
    faults.unless(PRIORITY.contains(&job.priority.into()), "priority", || {
        "must be 0 to 1000".to_owned()
    });
    match job.run_at {
        RunAt::After(delay) => faults.ms("delay_ms", delay, &YEAR_MS),
        // The script compares it with Redis's clock.
        RunAt::At(at) => faults.unless(at <= 9_999_999_999_999, "run_at", || "is too late".to_owned()),
        RunAt::Now => {}
    }
    faults.unless(ATTEMPTS.contains(&job.max_attempts.into()), "max_attempts", || {
        "must be 1 to 100".to_owned()
    });
    faults.ms("backoff/base_ms", job.backoff.base, &YEAR_MS);
    faults.ms("backoff/max_ms", job.backoff.max, &YEAR_MS);
    faults.unless((0.0..=1.0).contains(&job.backoff.jitter), "backoff/jitter", || {
        "must be 0 to 1".to_owned()
    });
    faults.ms("timeout_ms", job.timeout, &TIMEOUT_MS);
    if let Some(unique) = &job.unique {
        if let Err(error) = ExternalId::parse(&unique.key) {
            faults.0.push(Fault::new("unique_key", error.to_string()));
        }
        if let Some(keep) = unique.keep {
            faults.ms("unique_for_ms", keep, &(1..=*YEAR_MS.end()));
        }
        if let Some(most) = unique.max_wait {
            faults.ms("max_wait_ms", most, &(1..=*YEAR_MS.end()));
            faults.unless(unique.mode == UniqueMode::Debounce, "max_wait_ms", || {
                "is allowed only with unique_mode debounce".to_owned()
            });
        }
    }
    let keep_s = i64::try_from(job.keep_result.as_secs()).unwrap_or(i64::MAX);
    faults.unless(KEEP_S.contains(&keep_s), "keep_result_s", || {
        format!("must be 0 to {}", KEEP_S.end())
    });
    faults.0
}

/// Validates a request for jobs.
pub(super) fn lease(request: &LeaseRequest) -> Result<(), JobsError> {
    let mut faults = Faults(Vec::new());
    faults.unless((1..=MAX_BATCH).contains(&request.count), "count", || {
        "must be 1 to 1000".to_owned()
    });
    faults.ms("lease_ms", request.lease, &LEASE_MS);
    faults.ms("wait_ms", request.wait, &WAIT_MS);
    faults.unless(request.kinds.len() <= MAX_TYPES, "types", || {
        format!("must have at most {MAX_TYPES} elements")
    });
    for (index, kind) in request.kinds.iter().enumerate() {
        faults.id(&format!("types/{index}"), kind);
        faults.unless(
            !request.kinds[..index].contains(kind),
            &format!("types/{index}"),
            || "is listed twice".to_owned(),
        );
    }
    finish(faults.0)
}

/// Validates the ends of leases.
pub(super) fn settlements(queue: &str, settlements: &[Settlement], most_bytes: u32) -> Result<(), JobsError> {
    let mut all = Vec::new();
    if settlements.len() > MAX_BATCH {
        all.push(Fault::new("", format!("more than {MAX_BATCH} at once")));
    }
    let mut seen = HashSet::with_capacity(settlements.len());
    for (index, settlement) in settlements.iter().enumerate() {
        let mut faults = Faults(Vec::new());
        faults.unless(settlement.id.queue() == queue, "id", || {
            "is of another queue".to_owned()
        });
        faults.unless(seen.insert(settlement.id.as_str()), "id", || {
            "is listed twice".to_owned()
        });
        match &settlement.end {
            End::Complete { result: Some(result) } => faults.json("result", result, most_bytes),
            End::Fail {
                retry: Retry::After(delay) | Retry::AtLeast(delay) | Retry::Uncounted(delay),
                ..
            } => faults.ms("retry", *delay, &YEAR_MS),
            End::Then { kind, payload, delay } => {
                faults.ms("then/delay_ms", *delay, &YEAR_MS);
                if let Some(kind) = kind {
                    faults.id("then/type", kind);
                }
                if let Some(payload) = payload {
                    faults.json("then/payload", payload, most_bytes);
                }
            }
            End::Complete { .. } | End::Fail { .. } | End::Release => {}
        }
        all.extend(faults.0.into_iter().map(|fault| fault.of(index)));
    }
    finish(all)
}

/// Validates the duration of a lease.
pub(super) fn lease_time(lease: Duration) -> Result<(), JobsError> {
    let mut faults = Faults(Vec::new());
    faults.ms("lease_ms", lease, &LEASE_MS);
    finish(faults.0)
}

/// Validates the size and nesting of JSON.
pub(super) fn json(member: &str, value: &RawValue, most_bytes: u32) -> Result<(), JobsError> {
    let mut faults = Faults(Vec::new());
    faults.json(member, value, most_bytes);
    finish(faults.0)
}

pub(super) fn finish(faults: Vec<Fault>) -> Result<(), JobsError> {
    if faults.is_empty() {
        Ok(())
    } else {
        Err(JobsError::Invalid(faults))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_do_not_nest() {
        for (json, deep) in [
            ("1", 0),
            ("[]", 1),
            (r#"{"a":[1,[2]],"b":{}}"#, 3),
            (r#"["[[\"[[","\\",[]]"#, 2),
        ] {
            assert_eq!(depth(json), deep, "{json}");
        }
    }
}
