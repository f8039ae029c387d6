use std::time::Duration;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is allowed; then it is counted.
    pub allowed: bool,
    /// The maximum number of units that the policy admits at once.
    pub limit: u32,
    /// The remaining units.
    pub remaining: u32,
    /// After which time the same cost would be admitted without other requests; zero if it was.
    pub retry_after: Duration,
    /// After which time all units are back.
    pub reset: Duration,
    /// Whether Redis did not answer: the policy's `fail` decided, and nothing was counted.
    pub degraded: bool,
}
