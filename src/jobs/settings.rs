use crate::settings::bytes;
use clap::Args;
use std::time::Duration;

/// The settings of the jobs slice.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Jobs")]
pub struct JobSettings {
    /// Maximum size of a job's payload, and of its result, bytes
    #[arg(long = "job-payload", env = "JOBS_MAX_PAYLOAD", default_value_t = Self::default().payload, value_parser = clap::value_parser!(u32).range(1_024..=1_048_576))]
    pub payload: u32,
    /// Maximum number of done jobs that a queue keeps, and of cancelled ones; beyond it the oldest are deleted early
    #[arg(long = "job-keep-done", env = "JOBS_KEEP_DONE", default_value_t = Self::default().keep_done)]
    pub keep_done: u32,
    /// Maximum number of dead jobs that a queue keeps
    #[arg(long = "job-keep-dead", env = "JOBS_KEEP_DEAD", default_value_t = Self::default().keep_dead)]
    pub keep_dead: u32,
    /// Retention of a dead job, seconds
    #[arg(long = "job-dead-ttl", env = "JOBS_DEAD_TTL_S", default_value_t = Self::default().dead_s, value_parser = clap::value_parser!(u32).range(1..=31_622_400))]
    pub dead_s: u32,
    /// Entries that the event stream of a queue keeps, approximately; 0 for no events
    #[arg(long = "job-events", env = "JOBS_EVENTS", default_value_t = Self::default().events)]
    pub events: u32,
    /// Maximum number of queues; a job for one more is answered 409 `too_many_queues`
    // Every instance sweeps each of them every 5 s, and a few times a second if a job is leased or delayed.
    #[arg(long = "job-queues", env = "JOBS_MAX_QUEUES", default_value_t = Self::default().queues, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub queues: u32,
    /// Maximum number of waiting and leased jobs of all queues; one more is answered 429 `queue_full`
    #[arg(long = "job-waiting", env = "JOBS_MAX_WAITING", default_value_t = Self::default().waiting, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub waiting: u64,
    /// Maximum size of all queues, such as 512mb: their jobs, including ended ones that are kept, and their schedules; beyond
    /// it the answer is 429 `queue_full`
    #[arg(long = "job-bytes", env = "JOBS_MAX_BYTES", default_value_t = Self::default().bytes, value_parser = bytes)]
    pub bytes: u64,
}

impl JobSettings {
    /// Returns the retention of a dead job.
    #[must_use]
    pub fn dead(&self) -> Duration {
        Duration::from_secs(u64::from(self.dead_s))
    }
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            payload: 65_536,
            keep_done: 10_000,
            keep_dead: 10_000,
            dead_s: 7 * 86_400,
            events: 1_000,
            queues: 1_000,
            waiting: 1_000_000,
            bytes: 1 << 30,
        }
    }
}
