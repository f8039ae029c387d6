//! The results of a simulation, counted per connection and summed.

use crate::cli::histogram::{Latencies, Percentiles};
use fleetpulse_client::{Attempt, AttemptOutcome, Error};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The most kinds of errors that are counted separately, because details can contain values.
const MAX_ERROR_KINDS: usize = 32;

/// Counts of one connection.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    pub(super) accepted: u64,
    pub(super) stale: u64,
    pub(super) buffered: u64,
    pub(super) rejected: u64,
    pub(super) lost: u64,
    pub(super) retries: u64,
    pub(super) latencies: Latencies,
    errors: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts an attempt of a request.
    pub(super) fn attempt(&mut self, attempt: &Attempt) {
        match attempt.outcome {
            AttemptOutcome::Status(status) => {
                self.latencies.record(attempt.latency);
                if !(200..300).contains(&status) {
                    self.error(&format!("status {status}"), 1);
                }
            }
            AttemptOutcome::NotConnected => self.error("connect", 1),
            AttemptOutcome::Timeout => self.error("timeout", 1),
            AttemptOutcome::Broken => self.error("closed", 1),
            AttemptOutcome::AnswerTooLarge => self.error("too large", 1),
            _ => self.error("other", 1),
        }
        self.retries += u64::from(attempt.next_in.is_some());
    }

    /// Counts the fixes of a request that failed: refused, or lost if the service may accept them another time. Its attempts are counted
    /// already.
    pub(super) fn failure(&mut self, error: &Error, fixes: u64) {
        match error {
            Error::Problem(problem) if problem.status != 503 => self.rejected += fixes,
            Error::Decode(_) => {
                self.lost += fixes;
                self.error("unexpected answer", 1);
            }
            _ => self.lost += fixes,
        }
    }

    /// Counts an error by its kind.
    pub(super) fn error(&mut self, kind: &str, count: u64) {
        if let Some(known) = self.errors.get_mut(kind) {
            *known += count;
        } else if self.errors.len() < MAX_ERROR_KINDS {
            self.errors.insert(kind.to_owned(), count);
        } else {
            *self.errors.entry("other".to_owned()).or_default() += count;
        }
    }

    /// Adds another connection's counts.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.accepted += other.accepted;
        self.stale += other.stale;
        self.buffered += other.buffered;
        self.rejected += other.rejected;
        self.lost += other.lost;
        self.retries += other.retries;
        self.latencies.merge(&other.latencies);
        for (kind, count) in &other.errors {
            self.error(kind, *count);
        }
    }
}

/// The results of a simulation.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The duration of the simulation, seconds.
    pub seconds: f64,
    /// Fixes sent, each counted once however often it had to be sent.
    pub sent: u64,
    /// Fixes sent a second.
    pub per_second: f64,
    /// Fixes stored.
    pub accepted: u64,
    /// Fixes ignored because the service had newer ones.
    pub stale: u64,
    /// Fixes accepted while the Redis of the service was unavailable.
    pub buffered: u64,
    /// Fixes refused.
    pub rejected: u64,
    /// Fixes for which no answer was received, even after retries.
    pub lost: u64,
    /// Requests sent again after a 503 or a broken connection.
    pub retries: u64,
    /// Answered requests.
    pub requests: u64,
    /// From sending a request to having its whole answer.
    pub latency: Percentiles,
    /// Errors by kind.
    pub errors: BTreeMap<String, u64>,
    /// The result of `--verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
}

/// The positions that were read after a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Equal to the last row of their entity.
    pub right: u64,
    /// Different, or missing although their TTL has not ended.
    pub wrong: u64,
    /// Expired, because their TTL has ended.
    pub expired: u64,
    /// The first few that are wrong.
    pub wrong_ids: Vec<String>,
}

impl Summary {
    pub(super) fn new(tally: Tally, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let per_second = tally.sent as f64 / seconds.max(1e-9);
        Self {
            seconds,
            sent: tally.sent,
            per_second,
            accepted: tally.accepted,
            stale: tally.stale,
            buffered: tally.buffered,
            rejected: tally.rejected,
            lost: tally.lost,
            retries: tally.retries,
            requests: tally.latencies.count(),
            latency: tally.latencies.percentiles(),
            errors: tally.errors,
            verified: None,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} fixes in {:.1} s: {:.0}/s, in {} requests",
            self.sent, self.seconds, self.per_second, self.requests
        )?;
        writeln!(
            f,
            "accepted {} · stale {} · buffered {} · rejected {} · lost {} · requests sent again {}",
            self.accepted, self.stale, self.buffered, self.rejected, self.lost, self.retries
        )?;
        write!(f, "latency {}", self.latency)?;
        for (kind, count) in &self.errors {
            write!(f, "\nerror: {kind} × {count}")?;
        }
        if let Some(found) = &self.verified {
            let Verified {
                right, wrong, expired, ..
            } = found;
            write!(f, "\nverified: {right} right · {wrong} wrong · {expired} expired")?;
            if !found.wrong_ids.is_empty() {
                write!(f, " (wrong: {} …)", found.wrong_ids.join(", "))?;
            }
        }
        Ok(())
    }
}
