use clap::Args;

/// The locks slice.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Locks")]
pub struct LockSettings {
    /// Requests that may wait for one lock, over all instances; beyond it the answer is 503
    // One script call looks through no more than 10,000.
    #[arg(long = "lock-waiters", env = "LOCKS_MAX_WAITERS", default_value_t = Self::default().max_waiters, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_waiters: u32,
}

impl Default for LockSettings {
    fn default() -> Self {
        Self { max_waiters: 1_000 }
    }
}
