//! `fleetpulse simulate`: a fleet that moves through a city, or a replayed recording, pushing positions to a running
//! service over HTTP as apps and vehicles do.

mod fleet;
mod movement;
mod push;
mod replay;
mod summary;
mod target;

pub use fleet::{FleetOptions, run_fleet};
pub use replay::{ReplayOptions, TraceError, run_replay};
pub use summary::{Summary, Verified};

use super::args::{kind, positive_duration, speed};
use super::client::ClientError;
use crate::tracking::Kind;
use clap::Args;
use fleetpulse_client::Error;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::ctrl_c;

/// Push the positions of a simulated fleet, or of a recording, to a running service.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// The service.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Kind of the entities: drivers, vehicles or users [default: drivers; vehicles with --replay].
    #[arg(long, value_parser = kind)]
    pub kind: Option<Kind>,
    /// Size of the fleet.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    pub vehicles: u32,
    /// Simulated or recorded seconds in a second; 0 means --as-fast.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Push as fast as the service answers.
    #[arg(long)]
    pub as_fast: bool,
    /// Duration of the simulation: 60s, 500ms, 2m [default: until Ctrl-C].
    #[arg(long, value_parser = positive_duration)]
    pub duration: Option<Duration>,
    /// Time between two fixes of a vehicle.
    #[arg(long, default_value = "2s", value_parser = positive_duration)]
    pub interval: Duration,
    /// Fixes in a request [default: 1, in a POST each; 500 with --replay].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch: Option<u32>,
    /// Seed of the random movement.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of connections. Each entity uses one of them, so that its fixes stay in order.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// Play this recording instead: CSV with a header, `id,ts_ms,lat,lon[,speed,heading]`, gzip or plain.
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// After a replay, read the position of every entity and compare it with its last row; exit 1 if one is wrong.
    #[arg(long, requires = "replay")]
    pub verify: bool,
    /// TTL of the service: --verify accepts that an entity whose last fix is older has expired.
    #[arg(long, default_value = "300s", value_parser = positive_duration)]
    pub ttl: Duration,
    /// Time limit of a request.
    #[arg(long, default_value = "10s", value_parser = positive_duration)]
    pub timeout: Duration,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

impl SimulateArgs {
    fn is_as_fast(&self) -> bool {
        self.as_fast || self.speed <= 0.0
    }

    fn fleet_options(self) -> FleetOptions {
        FleetOptions {
            as_fast: self.is_as_fast(),
            speed: if self.speed > 0.0 { self.speed } else { 1.0 },
            url: self.url,
            kind: self.kind.unwrap_or(Kind::Drivers),
            vehicles: self.vehicles,
            duration: self.duration,
            interval: self.interval,
            batch: self.batch.unwrap_or(1),
            prefix: "",
            seed: self.seed,
            connections: self.connections,
            timeout: self.timeout,
            progress: true,
        }
    }

    fn replay_options(self, path: PathBuf) -> ReplayOptions {
        ReplayOptions {
            as_fast: self.is_as_fast(),
            speed: self.speed,
            url: self.url,
            kind: self.kind.unwrap_or(Kind::Vehicles),
            path,
            batch: self.batch.unwrap_or(500),
            connections: self.connections,
            verify: self.verify,
            ttl: self.ttl,
            timeout: self.timeout,
            progress: true,
        }
    }
}

/// Why a simulation did not run, or failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The service cannot be reached, or its URL is not usable.
    #[error("{url}: {source}")]
    Unreachable {
        /// The URL.
        url: String,
        /// The error.
        source: ClientError,
    },
    /// A client cannot be created, or `--verify` cannot read a position.
    #[error("{url}: {source}")]
    Client {
        /// The URL of the service.
        url: String,
        /// The error.
        source: Error,
    },
    /// The recording cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The task of a connection ended early.
    #[error("a connection's task ended early")]
    Lost,
    /// `--verify` found positions that differ from the last rows of the recording.
    #[error("{0} positions are wrong")]
    Wrong(u64),
    /// The summary could not be printed.
    #[error("cannot write the summary: {0}")]
    Report(#[from] serde_json::Error),
}

/// Runs the simulation until its end or Ctrl-C, and prints its summary.
///
/// # Errors
/// [`SimulateError`]; errors of single requests are counted in the summary instead.
#[expect(clippy::print_stdout, reason = "the summary is this command's output")]
pub async fn run(args: SimulateArgs) -> Result<(), SimulateError> {
    let json = args.json;
    let stop = async {
        // If the handler cannot be installed, the signal ends the process, as it does by default.
        let _ = ctrl_c().await;
    };
    let summary = if let Some(path) = args.replay.clone() {
        run_replay(args.replay_options(path), stop).await?
    } else {
        run_fleet(args.fleet_options(), stop).await?
    };
    if json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        println!("{summary}");
    }
    match summary.verified {
        Some(Verified { wrong, .. }) if wrong > 0 => Err(SimulateError::Wrong(wrong)),
        _ => Ok(()),
    }
}

/// A progress bar on stderr, drawn only if stderr is a terminal.
fn progress_bar(shown: bool, total: Option<u64>) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{wide_bar} {human_pos} of {human_len} fixes · {per_sec} · {eta} left",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {human_pos} fixes · {per_sec} · {elapsed}",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests;
