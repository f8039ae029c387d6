//! The closed loop: threads with a runtime each, connections distributed among them, one clock for all.

use super::crowd::Visited;
use super::error::LoadError;
use super::outcome::Outcome;
use super::progress::{self, Counter};
use super::report::GroupReport;
use super::workload::Workload;
use crate::cli::client::{Client, ClientError, Endpoint, Limits};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::select;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// A connection that got no answer, or a 503, waits this long: a refused request costs very little, and without a
/// pause a failing service would get a million requests a second.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);

/// The options of a load.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) endpoint: Endpoint,
    pub(super) limits: Limits,
    pub(super) duration: Duration,
    pub(super) threads: u32,
    /// Whether to show the progress.
    pub(super) shows_progress: bool,
    /// True once the load has to end early.
    pub(super) stop: Arc<AtomicBool>,
}

/// When a connection stops sending.
struct Until {
    end: Instant,
    stop: Arc<AtomicBool>,
}

impl Until {
    fn is_over(&self, now: Instant) -> bool {
        now >= self.end || self.stop.load(Ordering::Relaxed)
    }
}

/// Connections that are reported together.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    /// One per connection.
    pub(super) workloads: Vec<Workload>,
}

/// Runs all groups at once for the duration of the plan; returns their results, and the entities that they have sent.
pub(super) async fn drive(plan: &Plan, groups: Vec<Group>) -> Result<(Vec<GroupReport>, Vec<Visited>), LoadError> {
    let threads = plan.threads as usize;
    let mut shares: Vec<Vec<(usize, Workload)>> = (0..threads).map(|_| Vec::new()).collect();
    let mut totals = Vec::new();
    let mut next = 0;
    for (index, group) in groups.into_iter().enumerate() {
        totals.push((group.name, group.workloads.len(), Outcome::default()));
        for workload in group.workloads {
            shares[next % threads].push((index, workload));
            next += 1;
        }
    }
    let ready = Arc::new(Barrier::new(threads));
    let (mut ends, mut counters) = (Vec::new(), Vec::new());
    for share in shares {
        let counter = Counter::default();
        counters.push(counter.clone());
        let (sender, receiver) = oneshot::channel();
        let (plan, ready) = (plan.clone(), Arc::clone(&ready));
        thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                // The receiver is only gone when another thread's failure was already reported.
                let _ = sender.send(run_thread(&plan, share, &ready, &counter));
            })
            .map_err(LoadError::Thread)?;
        ends.push(receiver);
    }
    let all_end = async {
        for end in ends {
            for (index, outcome) in end.await.map_err(|_gone| LoadError::Lost)?? {
                totals[index].2.merge(&outcome);
            }
        }
        Ok::<_, LoadError>(totals)
    };
    let mut totals = select! {
        totals = all_end => totals?,
        () = progress::show(counters, plan.duration), if plan.shows_progress => return Err(LoadError::Lost),
    };
    let made = totals
        .iter_mut()
        .flat_map(|(_, _, outcome)| mem::take(&mut outcome.made));
    let made = made.collect();
    let reports = totals
        .into_iter()
        .map(|(name, connections, outcome)| GroupReport::new(name, connections, outcome));
    Ok((reports.collect(), made))
}

fn run_thread(
    plan: &Plan,
    share: Vec<(usize, Workload)>,
    ready: &Barrier,
    counter: &Counter,
) -> Result<Vec<(usize, Outcome)>, LoadError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let connected = runtime.map_err(LoadError::Thread).and_then(|runtime| {
        let clients = runtime.block_on(connect(plan, share.len()))?;
        Ok((runtime, clients))
    });
    // Also after a failure, because otherwise the other threads would wait for this one forever.
    ready.wait();
    let (runtime, clients) = connected?;
    let start = Instant::now();
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for ((index, workload), client) in share.into_iter().zip(clients) {
            let until = Until {
                end: start + plan.duration,
                stop: Arc::clone(&plan.stop),
            };
            let counter = counter.clone();
            tasks.spawn(async move { (index, closed_loop(client, workload, start, until, counter).await) });
        }
        let mut outcomes = Vec::new();
        while let Some(outcome) = tasks.join_next().await {
            outcomes.push(outcome.map_err(|_panicked| LoadError::Lost)?);
        }
        Ok(outcomes)
    })
}

/// Connections are opened before the clock starts.
async fn connect(plan: &Plan, count: usize) -> Result<Vec<Client>, LoadError> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        let mut client = Client::new(plan.endpoint.clone(), plan.limits);
        client.connect().await.map_err(|source| LoadError::Unreachable {
            url: plan.endpoint.to_string(),
            source,
        })?;
        clients.push(client);
    }
    Ok(clients)
}

async fn closed_loop(
    mut client: Client,
    mut workload: Workload,
    start: Instant,
    until: Until,
    counter: Counter,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut statuses: Vec<(u16, u64)> = Vec::new();
    loop {
        workload.compose();
        let sent = Instant::now();
        if until.is_over(sent) {
            break;
        }
        match client.send(workload.request()).await {
            Ok(response) => {
                outcome.latencies.record(sent.elapsed());
                counter.add_one();
                outcome.body_bytes += response.body.len() as u64;
                match statuses.iter_mut().find(|(status, _)| *status == response.status) {
                    Some((_, count)) => *count += 1,
                    None => statuses.push((response.status, 1)),
                }
                if !response.is_success() {
                    *outcome.errors.entry("status").or_default() += 1;
                    if response.status == 503 {
                        sleep(PAUSE_AFTER_ERROR).await;
                    }
                } else if let Some(complaint) = workload.complaint(&response) {
                    *outcome.errors.entry(complaint).or_default() += 1;
                } else {
                    outcome.operations += workload.operations();
                }
            }
            Err(error) => {
                *outcome.errors.entry(ClientError::kind(&error)).or_default() += 1;
                sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
    outcome.elapsed = start.elapsed();
    outcome.made.extend(workload.visited());
    outcome.statuses.extend(statuses);
    outcome
}
