//! The report of a load, as text and as JSON.

use super::cpu::CpuReading;
use super::outcome::Outcome;
use crate::cli::histogram::Percentiles;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The figures of one run.
#[derive(Debug, Clone, Serialize)]
pub struct LoadReport {
    /// One per kind of request.
    pub groups: Vec<GroupReport>,
    /// The cost of the operations of all groups.
    pub cpu: CpuReport,
    /// The results of the writes alone, if they ran alone first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<GroupReport>,
    /// The share of the baseline's rate that the writes kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<f64>,
}

/// The figures of one kind of request.
#[derive(Debug, Clone, Serialize)]
pub struct GroupReport {
    /// `ingest`, `batch`, `nearby`, `get` or `post`.
    pub name: &'static str,
    /// The number of connections.
    pub connections: usize,
    /// The duration, seconds.
    pub seconds: f64,
    /// Answered requests.
    pub requests: u64,
    /// Operations that succeeded: fixes in batches, else requests.
    pub operations: u64,
    /// Operations that succeeded, a second.
    pub per_second: f64,
    /// From sending a request to having its whole answer.
    pub latency: Percentiles,
    /// Mean size of an answer's body, bytes.
    pub mean_body_bytes: f64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Errors by kind.
    pub errors: BTreeMap<&'static str, u64>,
}

/// CPU time for each operation of all groups together, microseconds; `None` if the server does not report it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CpuReport {
    /// Of the service.
    pub service_us_per_op: Option<f64>,
    /// Of its Redis.
    pub redis_us_per_op: Option<f64>,
    /// Of both.
    pub total_us_per_op: Option<f64>,
    /// Of the load generator, for each request.
    pub generator_us_per_request: Option<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

impl GroupReport {
    pub(super) fn new(name: &'static str, connections: usize, outcome: Outcome) -> Self {
        let requests = outcome.latencies.count();
        let seconds = outcome.elapsed.as_secs_f64();
        Self {
            name,
            connections,
            seconds,
            requests,
            operations: outcome.operations,
            per_second: ratio(outcome.operations, 1) / seconds.max(f64::MIN_POSITIVE),
            latency: outcome.latencies.percentiles(),
            mean_body_bytes: ratio(outcome.body_bytes, requests),
            statuses: outcome.statuses,
            errors: outcome.errors,
        }
    }
}

impl LoadReport {
    pub(super) fn new(groups: Vec<GroupReport>, before: &CpuReading, after: &CpuReading) -> Self {
        let operations = ratio(groups.iter().map(|group| group.operations).sum(), 1);
        let requests = ratio(groups.iter().map(|group| group.requests).sum(), 1);
        let each = |before: Option<f64>, after: Option<f64>, count: f64| {
            Some((after? - before?) * 1e6 / count).filter(|us| us.is_finite())
        };
        let service = each(before.service, after.service, operations);
        let redis = each(before.redis, after.redis, operations);
        Self {
            cpu: CpuReport {
                service_us_per_op: service,
                redis_us_per_op: redis,
                total_us_per_op: service.zip(redis).map(|(service, redis)| service + redis),
                generator_us_per_request: each(before.ourselves, after.ourselves, requests),
            },
            groups,
            baseline: None,
            kept: None,
        }
    }

    /// Returns the groups, and the writes alone.
    pub(super) fn all_groups(&self) -> impl Iterator<Item = &GroupReport> {
        self.groups.iter().chain(&self.baseline)
    }

    /// Compares the writes, which are the first group, with the same writes alone.
    pub(super) fn compare_with(&mut self, alone: Option<Self>) {
        self.baseline = alone.and_then(|alone| alone.groups.into_iter().next());
        self.kept = self
            .baseline
            .as_ref()
            .zip(self.groups.first())
            .map(|(alone, mixed)| mixed.per_second / alone.per_second)
            .filter(|kept| kept.is_finite());
    }
}

impl fmt::Display for GroupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<8} {:.0}/s  ({} operations in {} requests, {:.1} s, {} connections)",
            self.name, self.per_second, self.operations, self.requests, self.seconds, self.connections
        )?;
        writeln!(f, "         latency {}", self.latency)?;
        write!(f, "         answers of {:.0} bytes, by status:", self.mean_body_bytes)?;
        for (status, count) in &self.statuses {
            write!(f, " {status} × {count}")?;
        }
        for (error, count) in &self.errors {
            write!(f, "\n         ERRORS {error} × {count}")?;
        }
        Ok(())
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(alone) = &self.baseline {
            writeln!(f, "alone:\n{alone}\ntogether:")?;
        }
        for group in &self.groups {
            writeln!(f, "{group}")?;
        }
        if let Some(kept) = self.kept {
            writeln!(f, "kept     {:.0} % of the rate alone", kept * 100.0)?;
        }
        write!(f, "cpu     ")?;
        let mut part = |name: &str, us: Option<f64>| us.map_or(Ok(()), |us| write!(f, " {name} {us:.2} µs"));
        part("service", self.cpu.service_us_per_op)?;
        part("+ redis", self.cpu.redis_us_per_op)?;
        part("=", self.cpu.total_us_per_op)?;
        if self.cpu.service_us_per_op.is_some() {
            write!(f, " an operation;")?;
        }
        if let Some(us) = self.cpu.generator_us_per_request {
            write!(f, " generator {us:.2} µs a request")?;
        }
        Ok(())
    }
}
