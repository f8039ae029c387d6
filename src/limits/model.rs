use std::time::Duration;

/// The answer to a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be done; then it is counted.
    pub allowed: bool,
    /// The most units that the policy ever admits at once.
    pub limit: u32,
    /// Units that are left.
    pub remaining: u32,
    /// After which time the same cost would be admitted without other requests; zero if it was.
    pub retry_after: Duration,
    /// After which time all units are back.
    pub reset: Duration,
    /// Redis did not answer: decided by the policy's word for that, and counted nowhere.
    pub degraded: bool,
}
