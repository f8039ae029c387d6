//! Serves requests, and stops in phases within one time budget.

use super::{AppError, Application, Redis};
use crate::runtime::{Connections, Phase, StopReason};
use crate::store::Link;
use crate::store::embedded::Embedded;
use crate::tracking::{self, Kind, flush};
use actix_web::dev::ServerHandle;
use actix_web::rt;
use futures_util::future::join_all;
use std::io;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How long tasks may take to end after they are asked to.
const TASKS_END_WITHIN: Duration = Duration::from_secs(2);
/// The pause before unsaved positions that Redis did not accept are tried again.
const FLUSH_AGAIN: Duration = Duration::from_millis(100);

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
pub(super) async fn serve_until(app: Application, stop: impl Future<Output = StopReason>) -> Result<(), AppError> {
    let Application {
        server,
        redis,
        parts,
        connections,
        address: _,
    } = app;
    let (http, supervisor) = (&parts.settings.http, &parts.supervisor);
    let handle = server.handle();
    let mut serving: Serving = rt::spawn(server);
    let stopped = tokio::select! {
        ended = &mut serving => Err(ended),
        reason = stop => Ok(reason),
    };
    let deadlines = Deadlines::within(http.shutdown_budget());
    if matches!(stopped, Ok(StopReason::Terminate)) && !http.lame_duck().is_zero() {
        tracing::info!("stopping: not ready any more, requests are still served");
        supervisor.enter(Phase::Draining);
        sleep_until(deadlines.of_tasks(http.lame_duck())).await;
    }
    tracing::info!("stopping: requests under way may end");
    supervisor.enter(Phase::Finishing);
    // Otherwise they would wait for as long as the drain lasts, and then be cut off without an answer.
    parts.lock_wakeups.close();
    parts.job_wakeups.close();
    let ended = match stopped {
        Ok(_) => finish(&handle, serving, &connections, deadlines.of_tasks(http.drain())).await,
        Err(ended) => ended.unwrap_or_else(|panic| Err(io::Error::other(panic))),
    };
    let work_drain = parts.settings.work.drain() + TASKS_END_WITHIN;
    supervisor.ended(Phase::Finishing, deadlines.of_tasks(work_drain)).await;
    supervisor.enter(Phase::StoppingTasks);
    supervisor
        .ended(Phase::StoppingTasks, deadlines.of_tasks(TASKS_END_WITHIN))
        .await;
    supervisor.enter(Phase::Flushing);
    last_flush(&parts.tracking, &parts.link, deadlines.flush).await;
    supervisor.enter(Phase::Closing);
    if let Redis::Embedded(embedded) = redis {
        close(*embedded, deadlines.close).await;
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

/// Writes unsaved positions. Waits until a deadline for Redis to become available.
async fn last_flush(tracking: &tracking::Shared, link: &Link, until: Instant) {
    // Together, so that a kind that cannot be written does not keep the others waiting.
    join_all(Kind::ALL.map(|kind| flush_kind(tracking, link, kind, until))).await;
}

async fn flush_kind(tracking: &tracking::Shared, link: &Link, kind: Kind, until: Instant) {
    let unsaved = || tracking.live(kind).unsaved_len();
    let writing = async {
        while unsaved() > 0 {
            link.connected().await;
            if let Err(error) = flush::flush(tracking, link, kind).await {
                tracing::debug!(%kind, %error, "unsaved positions cannot be written yet");
                sleep(FLUSH_AGAIN).await;
            }
        }
    };
    if timeout_at(until, writing).await.is_err() {
        let lost = unsaved();
        tracing::warn!(%kind, lost, "unsaved positions could not be written in time and are lost with this process");
    }
}

async fn close(embedded: Embedded, until: Instant) {
    if timeout_at(until, embedded.stop()).await.is_err() {
        tracing::warn!("the embedded Redis did not end in time; the next start ends it");
    }
}
