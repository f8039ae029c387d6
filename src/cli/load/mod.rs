//! `fleetpulse load`: closed-loop load and what it costs. Each connection sends its next request when the answer to its
//! last has come, so a latency is that of a service as busy as the connections make it, and never counts a queue that
//! the generator built itself.

mod cpu;
mod crowd;
mod drive;
mod report;
mod workload;

pub use report::{CpuReport, GroupReport, LoadReport};

use super::args::{kind, positive_duration};
use super::client::{Client, ClientError, Endpoint, Limits};
use super::encode;
use crate::tracking::Kind;
use clap::{Args, Subcommand};
use cpu::CpuReading;
use drive::{Group, Plan, drive};
use std::io;
use std::time::Duration;
use workload::Workload;

/// Put closed-loop load on a running service and measure it.
#[derive(Debug, Clone, Args)]
pub struct LoadArgs {
    /// What kind of load.
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
    /// Nearest-k queries at places drawn from a city's hot spots.
    Nearby(CommonArgs),
    /// Single fixes on --connections while --query-connections ask nearby without pause.
    Mix(MixArgs),
    /// GET any path.
    Get(PathArgs),
    /// POST --body to any path.
    Post(PathArgs),
}

/// What all loads have in common.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct CommonArgs {
    /// The service.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// How many connections, each with one request under way.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// How long: 10s, 500ms, 2m.
    #[arg(long, default_value = "10s", value_parser = positive_duration)]
    pub duration: Duration,
    /// Whose positions: drivers, vehicles or users.
    #[arg(long, default_value = "drivers", value_parser = kind)]
    pub kind: Kind,
    /// How many entities the fixes are of.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=crowd::MAX_ENTITIES))]
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
    /// How many a query asks for.
    #[arg(long, default_value_t = 10)]
    pub limit: u32,
    /// Threads of the load generator.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// Send every entity's position once before the clock starts.
    #[arg(long)]
    pub preload: bool,
    /// The longest wait for an answer.
    #[arg(long, default_value = "10s", value_parser = positive_duration)]
    pub timeout: Duration,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `load mix`.
#[derive(Debug, Clone, Args)]
pub struct MixArgs {
    /// What all loads have in common.
    #[command(flatten)]
    pub common: CommonArgs,
    /// How many connections ask nearby.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub query_connections: u32,
    /// Run the writes alone first, for as long, and report the ratio of their rate that is kept.
    #[arg(long)]
    pub baseline: bool,
    /// Write in batches instead of single fixes.
    #[arg(long)]
    pub batches: bool,
}

/// `load get` and `load post`.
#[derive(Debug, Clone, Args)]
pub struct PathArgs {
    /// What all loads have in common.
    #[command(flatten)]
    pub common: CommonArgs,
    /// The path, with its query.
    #[arg(long)]
    pub path: String,
    /// What a POST sends, as application/json.
    #[arg(
        long,
        default_value = r#"{"lat":40.758896,"lon":-73.985130,"speed_mps":8.3,"heading_deg":119.0}"#
    )]
    pub body: String,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The service cannot be reached, or its URL is not usable.
    #[error("{url}: {source}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What is wrong.
        source: ClientError,
    },
    /// A thread or its runtime could not be started.
    #[error("cannot start a load thread: {0}")]
    Thread(#[source] io::Error),
    /// A load thread died.
    #[error("a load thread ended early")]
    Lost,
    /// The entities could not all be sent before the start.
    #[error("preloading was answered with status {0}")]
    Preload(u16),
    /// The report could not be printed.
    #[error("cannot write the report: {0}")]
    Report(#[from] serde_json::Error),
}

impl LoadArgs {
    const fn common(&self) -> &CommonArgs {
        match &self.command {
            LoadCommand::Ingest(common) | LoadCommand::Batch(common) | LoadCommand::Nearby(common) => common,
            LoadCommand::Mix(mix) => &mix.common,
            LoadCommand::Get(path) | LoadCommand::Post(path) => &path.common,
        }
    }
}

/// Runs the load and prints its report.
///
/// # Errors
/// [`LoadError`]; errors of single requests are counted in the report instead.
#[expect(clippy::print_stdout, reason = "the report is this command's output")]
pub async fn run(args: LoadArgs) -> Result<(), LoadError> {
    let report = measure(&args).await?;
    if args.common().json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

/// Runs the load.
///
/// # Errors
/// [`LoadError`]; errors of single requests are counted in the report instead.
pub async fn measure(args: &LoadArgs) -> Result<LoadReport, LoadError> {
    let common = args.common();
    let unreachable = |source| LoadError::Unreachable {
        url: common.url.clone(),
        source,
    };
    let endpoint = Endpoint::parse(&common.url).map_err(unreachable)?;
    let limits = Limits {
        timeout: common.timeout,
        ..Limits::default()
    };
    let mut control = Client::new(endpoint.clone(), limits);
    control.connect().await.map_err(unreachable)?;
    if common.preload {
        preload(&mut control, common).await?;
    }
    let plan = Plan {
        endpoint,
        limits,
        duration: common.duration,
        threads: common.threads,
    };
    let writers = |batches| Group {
        name: if batches { "batch" } else { "ingest" },
        workloads: (0..common.connections)
            .map(|nth| Workload::writes(&plan.endpoint, common, nth, batches))
            .collect(),
    };
    let queries = |connections| Group {
        name: "nearby",
        workloads: (0..connections)
            .map(|nth| Workload::nearby(&plan.endpoint, common, nth))
            .collect(),
    };
    let fixed = |name, request: Vec<u8>| Group {
        name,
        workloads: (0..common.connections)
            .map(|_| Workload::fixed(request.clone()))
            .collect(),
    };
    let mut request = Vec::new();
    let groups = match &args.command {
        LoadCommand::Ingest(_) => vec![writers(false)],
        LoadCommand::Batch(_) => vec![writers(true)],
        LoadCommand::Nearby(_) => vec![queries(common.connections)],
        LoadCommand::Mix(mix) => {
            let alone = if mix.baseline {
                Some(measured(&mut control, &plan, vec![writers(mix.batches)]).await?)
            } else {
                None
            };
            let both = vec![writers(mix.batches), queries(mix.query_connections)];
            let mut report = measured(&mut control, &plan, both).await?;
            report.compare_with(alone);
            return Ok(report);
        }
        LoadCommand::Get(get) => {
            encode::get(&mut request, &plan.endpoint, &get.path);
            vec![fixed("get", request)]
        }
        LoadCommand::Post(post) => {
            let template = encode::Template::post(&plan.endpoint, &post.path, encode::JSON);
            template.write(&mut request, b"", post.body.as_bytes());
            vec![fixed("post", request)]
        }
    };
    measured(&mut control, &plan, groups).await
}

/// Drives the groups between two readings of the CPU times.
async fn measured(control: &mut Client, plan: &Plan, groups: Vec<Group>) -> Result<LoadReport, LoadError> {
    let before = CpuReading::take(control).await;
    let groups = drive(plan, groups).await?;
    let after = CpuReading::take(control).await;
    Ok(LoadReport::new(groups, &before, &after))
}

/// Sends every entity's position once, in batches of the largest size that stays well under a body limit.
async fn preload(client: &mut Client, common: &CommonArgs) -> Result<(), LoadError> {
    const BATCH: u32 = 1000;
    let everything = CommonArgs {
        connections: 1,
        batch_size: BATCH.min(common.entities),
        ..common.clone()
    };
    let mut workload = Workload::writes(client.endpoint(), &everything, 0, true);
    for _ in 0..common.entities.div_ceil(BATCH) {
        let response = client
            .send(workload.compose())
            .await
            .map_err(|source| LoadError::Unreachable {
                url: common.url.clone(),
                source,
            })?;
        if !response.is_success() {
            return Err(LoadError::Preload(response.status));
        }
    }
    Ok(())
}
