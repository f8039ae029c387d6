//! `fleetpulse load`: closed-loop load and its cost. Each connection sends its next request when it has the answer to its
//! last, so a latency is that of a service which is as busy as the connections make it, and does not include a queue in
//! the generator.

mod args;
mod cleanup;
mod cpu;
mod crowd;
mod drive;
mod error;
mod outcome;
mod progress;
mod report;
mod workload;

pub use args::{CommonArgs, LoadArgs, LoadCommand, MixArgs, PathArgs};
pub use error::LoadError;
pub use report::{CpuReport, GroupReport, LoadReport};

use super::client::{Client, Endpoint, Limits};
use super::encode;
use actix_web::rt::spawn;
use cpu::CpuReading;
use crowd::Visited;
use drive::{Group, Plan, drive};
use std::io::{IsTerminal, stderr};
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::ctrl_c;
use workload::Workload;

/// Exit status of a process that was ended by Ctrl-C, as in shells.
const INTERRUPTED: i32 = 130;

/// Runs the load and prints its report.
///
/// # Errors
/// [`LoadError`], also if no request of a kind succeeded; errors of single requests are counted in the report instead.
#[expect(clippy::print_stdout, reason = "the report is this command's output")]
pub async fn run(args: LoadArgs) -> Result<(), LoadError> {
    let (report, left) = measure(&args).await?;
    if args.common().json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report}");
    }
    if let Some(group) = report.all_groups().find(|group| group.operations == 0) {
        return Err(LoadError::NoSuccess(group.name));
    }
    if left > 0 {
        return Err(LoadError::Left(left));
    }
    Ok(())
}

/// Runs the load, and removes the entities that it has created unless they are to be kept; returns its report, and how many entities could not
/// be removed.
///
/// # Errors
/// [`LoadError`]; errors of single requests are counted in the report instead.
pub async fn measure(args: &LoadArgs) -> Result<(LoadReport, u64), LoadError> {
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
    let plan = Plan {
        endpoint,
        limits,
        duration: common.duration,
        threads: common.threads,
        shows_progress: stderr().is_terminal(),
        stop: Arc::default(),
    };
    let mut made = Vec::new();
    let interrupt = spawn(stop_at_interrupt(Arc::clone(&plan.stop)));
    let measured = measure_with(args, &plan, &mut control, &mut made).await;
    let left = if common.keep {
        0
    } else {
        cleanup::remove(&plan, common.kind, made).await?
    };
    interrupt.abort();
    Ok((measured?, left))
}

/// Ends the load at the first Ctrl-C, so that the entities that it has created are removed; a second one ends the process at once.
async fn stop_at_interrupt(stop: Arc<AtomicBool>) {
    if ctrl_c().await.is_ok() {
        stop.store(true, Ordering::Relaxed);
        if ctrl_c().await.is_ok() {
            exit(INTERRUPTED);
        }
    }
}

async fn measure_with(
    args: &LoadArgs,
    plan: &Plan,
    control: &mut Client,
    made: &mut Vec<Visited>,
) -> Result<LoadReport, LoadError> {
    let common = args.common();
    if common.preload {
        preload(control, common, made).await?;
    }
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
                Some(measured(control, plan, vec![writers(mix.batches)], made).await?)
            } else {
                None
            };
            let both = vec![writers(mix.batches), queries(mix.query_connections)];
            let mut report = measured(control, plan, both, made).await?;
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
    measured(control, plan, groups, made).await
}

/// Drives the groups between two readings of the CPU times.
async fn measured(
    control: &mut Client,
    plan: &Plan,
    groups: Vec<Group>,
    made: &mut Vec<Visited>,
) -> Result<LoadReport, LoadError> {
    let before = CpuReading::take(control).await;
    let (groups, sent) = drive(plan, groups).await?;
    made.extend(sent);
    let after = CpuReading::take(control).await;
    Ok(LoadReport::new(groups, &before, &after))
}

/// Sends every entity's position once, in batches of the largest size that stays well under a body limit.
async fn preload(client: &mut Client, common: &CommonArgs, made: &mut Vec<Visited>) -> Result<(), LoadError> {
    const BATCH: u32 = 1000;
    let everything = CommonArgs {
        connections: 1,
        batch_size: BATCH.min(common.entities),
        ..common.clone()
    };
    let mut workload = Workload::writes(client.endpoint(), &everything, 0, true);
    let mut sent = Ok(());
    for _ in 0..common.entities.div_ceil(BATCH) {
        sent = match client.send(workload.compose()).await {
            Ok(response) if response.is_success() => continue,
            Ok(response) => Err(LoadError::Preload(response.status)),
            Err(source) => Err(LoadError::Unreachable {
                url: common.url.clone(),
                source,
            }),
        };
        break;
    }
    made.extend(workload.visited());
    sent
}

#[cfg(test)]
mod tests;
