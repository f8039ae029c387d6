//! The arguments of `fleetpulse load`.

use super::crowd::MAX_ENTITIES;
use crate::cli::args::{kind, positive_duration};
use crate::tracking::Kind;
use clap::{Args, Subcommand};
use std::time::Duration;

/// Measure a running service under closed-loop load.
#[derive(Debug, Clone, Args)]
pub struct LoadArgs {
    /// The kind of load.
    #[command(subcommand)]
    pub command: LoadCommand,
}

/// The kinds of load.
#[derive(Debug, Clone, Subcommand)]
pub enum LoadCommand {
    /// One fix per POST.
    Ingest(CommonArgs),
    /// Batches of fixes.
    Batch(CommonArgs),
    /// Nearest-k queries at random places near the hot spots of a city.
    Nearby(CommonArgs),
    /// Single fixes on --connections, and nearby queries on --query-connections at the same time.
    Mix(MixArgs),
    /// GET any path.
    Get(PathArgs),
    /// POST --body to any path.
    Post(PathArgs),
}

/// The arguments of all loads.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct CommonArgs {
    /// The service.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Number of connections, each with one request in progress.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// Duration: 10s, 500ms, 2m.
    #[arg(long, default_value = "10s", value_parser = positive_duration)]
    pub duration: Duration,
    /// Kind of the entities: drivers, vehicles or users.
    #[arg(long, default_value = "drivers", value_parser = kind)]
    pub kind: Kind,
    /// Number of entities.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=MAX_ENTITIES))]
    pub entities: u32,
    /// Fixes in a batch.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch_size: u32,
    /// Send batches as NDJSON instead of a JSON array.
    #[arg(long)]
    pub ndjson: bool,
    /// Send latitude and longitude only, without speed and heading.
    #[arg(long)]
    pub bare: bool,
    /// Radius of a query, metres.
    #[arg(long, default_value_t = 2000)]
    pub radius_m: u32,
    /// Limit of a query.
    #[arg(long, default_value_t = 10)]
    pub limit: u32,
    /// Threads of the load generator.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// Send every entity's position once before the clock starts.
    #[arg(long)]
    pub preload: bool,
    /// Do not delete the entities that the load has created.
    #[arg(long)]
    pub keep: bool,
    /// Time limit of a request.
    #[arg(long, default_value = "10s", value_parser = positive_duration)]
    pub timeout: Duration,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `load mix`.
#[derive(Debug, Clone, Args)]
pub struct MixArgs {
    /// The arguments of all loads.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Number of connections that send nearby queries.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub query_connections: u32,
    /// Run the writes alone first, for the same duration, and report the share of their rate that is kept.
    #[arg(long)]
    pub baseline: bool,
    /// Write in batches instead of single fixes.
    #[arg(long)]
    pub batches: bool,
}

/// `load get` and `load post`.
#[derive(Debug, Clone, Args)]
pub struct PathArgs {
    /// The arguments of all loads.
    #[command(flatten)]
    pub common: CommonArgs,
    /// The path, with its query.
    #[arg(long)]
    pub path: String,
    /// A header to send, such as "authorization: Bearer …".
    #[arg(long)]
    pub header: Option<String>,
    /// Body of a POST, as application/json.
    #[arg(
        long,
        default_value = r#"{"lat":40.758896,"lon":-73.985130,"speed_mps":8.3,"heading_deg":119.0}"#
    )]
    pub body: String,
}

impl LoadArgs {
    /// The arguments of all loads.
    pub(super) const fn common(&self) -> &CommonArgs {
        match &self.command {
            LoadCommand::Ingest(common) | LoadCommand::Batch(common) | LoadCommand::Nearby(common) => common,
            LoadCommand::Mix(mix) => &mix.common,
            LoadCommand::Get(path) | LoadCommand::Post(path) => &path.common,
        }
    }
}
