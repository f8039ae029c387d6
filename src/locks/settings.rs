use clap::Args;

/// The settings of the locks slice.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Locks")]
pub struct LockSettings {
    /// Maximum requests of all instances that wait for one lock; more are answered 503
    // One script call checks at most 10,000.
    #[arg(long = "lock-waiters", env = "LOCKS_MAX_WAITERS", default_value_t = Self::default().max_waiters, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_waiters: u32,
}

impl Default for LockSettings {
    fn default() -> Self {
        Self { max_waiters: 1_000 }
    }
}
