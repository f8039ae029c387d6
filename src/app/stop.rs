//! Serves requests, and stops in phases within one time budget.

use super::error::AppError;
use super::parts::Parts;
use crate::runtime::{Connections, Phase, StopReason};
use crate::store::embedded::Embedded;
use actix_web::dev::{Server, ServerHandle};
use actix_web::rt;
use std::io;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

/// The time that tasks have to end after the stop signal.
const TASKS_END_WITHIN: Duration = Duration::from_secs(2);

type Serving = JoinHandle<io::Result<()>>;

/// The latest end of each phase. The last third of the budget is for the last flush, and the last third of that for closing.
#[derive(Debug, Clone, Copy)]
struct Deadlines {
    tasks: Instant,
    flush: Instant,
    close: Instant,
}

impl Deadlines {
    fn within(budget: Duration) -> Self {
        let now = Instant::now();
        Self {
            tasks: now + budget * 6 / 9,
            flush: now + budget * 8 / 9,
            close: now + budget,
        }
    }

    fn of_tasks(&self, limit: Duration) -> Instant {
        self.tasks.min(Instant::now() + limit)
    }
}

/// Serves until `stop` resolves, then stops.
pub(super) async fn serve_until(
    server: Server,
    embedded: Option<Embedded>,
    parts: &Parts,
    connections: &Connections,
    stop: impl Future<Output = StopReason>,
) -> Result<(), AppError> {
    let (http, supervisor) = (&parts.settings.http, parts.process.supervisor());
    let handle = server.handle();
    let mut serving: Serving = rt::spawn(server);
    let stopped = tokio::select! {
        ended = &mut serving => Err(ended),
        reason = stop => Ok(reason),
    };
    let deadlines = Deadlines::within(http.shutdown_budget());
    if matches!(stopped, Ok(StopReason::Terminate)) && !http.lame_duck().is_zero() {
        tracing::info!("stopping: not ready, requests are still served");
        supervisor.enter(Phase::Draining);
        sleep_until(deadlines.of_tasks(http.lame_duck())).await;
    }
    tracing::info!("stopping: requests in progress are completed");
    supervisor.enter(Phase::Finishing);
    parts.slices.end_waits();
    let ended = match stopped {
        Ok(_) => finish(&handle, serving, connections, deadlines.of_tasks(http.drain())).await,
        Err(ended) => ended.unwrap_or_else(|panic| Err(io::Error::other(panic))),
    };
    let work_drain = parts.settings.slices.builtin_jobs.work.drain() + TASKS_END_WITHIN;
    supervisor.ended(Phase::Finishing, deadlines.of_tasks(work_drain)).await;
    supervisor.enter(Phase::StoppingTasks);
    supervisor
        .ended(Phase::StoppingTasks, deadlines.of_tasks(TASKS_END_WITHIN))
        .await;
    supervisor.enter(Phase::Flushing);
    parts
        .slices
        .tracking
        .last_flush(&parts.process.link, deadlines.flush)
        .await;
    supervisor.enter(Phase::Closing);
    if let Some(embedded) = embedded {
        close(embedded, deadlines.close).await;
    }
    ended.map_err(AppError::Server)
}

/// Accepts no more connections, and waits until the open ones have closed: the server closes each after the answer in progress.
/// Connections that are still open at the deadline are cut off.
async fn finish(handle: &ServerHandle, mut serving: Serving, open: &Connections, until: Instant) -> io::Result<()> {
    // The call itself sends the request. Its end is not awaited: the server checks only once a second whether connections are left.
    let stopping = handle.stop(true);
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        () = open.closed() => None,
        () = sleep_until(until) => None,
    };
    drop(stopping);
    if let Some(ended) = ended {
        return ended.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    }
    serving.abort();
    // An abort is not a failure.
    let _ = serving.await;
    Ok(())
}

async fn close(embedded: Embedded, until: Instant) {
    if timeout_at(until, embedded.stop()).await.is_err() {
        tracing::warn!("the embedded Redis did not end in time; the next start ends it");
    }
}
