//! `fleetpulse load`: closed-loop load and what it costs. Each connection sends its next request when the answer to its
//! last has come, so a latency is that of a service as busy as the connections make it, and never counts a queue that
//! the generator built itself.

mod args;
mod cpu;
mod crowd;
mod drive;
mod report;
mod workload;

pub use args::{CommonArgs, LoadArgs, LoadCommand, MixArgs, PathArgs};
pub use report::{CpuReport, GroupReport, LoadReport};

use super::client::{Client, ClientError, Endpoint, Limits};
use super::encode;
use cpu::CpuReading;
use drive::{Group, Plan, drive};
use std::io;
use workload::Workload;

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
            encode::add_header(&mut request, get.header.as_deref());
            vec![fixed("get", request)]
        }
        LoadCommand::Post(post) => {
            let template = encode::Template::post(&plan.endpoint, &post.path, encode::JSON);
            template.write(&mut request, b"", post.body.as_bytes());
            encode::add_header(&mut request, post.header.as_deref());
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

#[cfg(test)]
mod tests;
