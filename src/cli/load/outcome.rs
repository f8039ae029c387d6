use super::crowd::Visited;
use crate::cli::histogram::Latencies;
use std::collections::BTreeMap;
use std::time::Duration;

/// The results of one connection, then of one group.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) latencies: Latencies,
    pub(super) operations: u64,
    pub(super) body_bytes: u64,
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) errors: BTreeMap<&'static str, u64>,
    /// From the common start to the last answer.
    pub(super) elapsed: Duration,
    /// The entities that were sent.
    pub(super) made: Vec<Visited>,
}

impl Outcome {
    /// Adds the results of another connection.
    pub(super) fn merge(&mut self, other: &Self) {
        self.latencies.merge(&other.latencies);
        self.operations += other.operations;
        self.body_bytes += other.body_bytes;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.made.extend_from_slice(&other.made);
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (error, count) in &other.errors {
            *self.errors.entry(error).or_default() += count;
        }
    }
}
