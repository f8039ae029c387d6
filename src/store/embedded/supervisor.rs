//! Keeps a server running until a stop is requested, and reports its state.

use super::server::{Launcher, Server};
use super::settings::AppendFsync;
use super::sync::keep_synced;
use crate::clock;
use crate::runtime::caught;
use chrono::{DateTime, Utc};
use std::future::pending;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{self, Instant};
use tracing::{info, warn};

/// The pause before the first relaunch; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A server that ran this long started successfully: after its next exit the first pause applies again.
const STABLE_AFTER: Duration = Duration::from_secs(30);

/// The status of the embedded server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its state.
    pub phase: Phase,
    /// When the state began.
    pub since: DateTime<Utc>,
    /// The reason if it does not run. Contains paths but no secret; for the log and for operators.
    pub reason: Option<String>,
    /// How often it exited and was restarted.
    pub restarts: u32,
}

/// The state of the embedded server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It runs and answers.
    Running {
        /// Its process.
        pid: u32,
    },
    /// It exited, and is being restarted.
    Restarting,
    /// It has stopped.
    Stopped,
}

impl Status {
    pub(super) fn running(pid: u32) -> Self {
        Self {
            phase: Phase::Running { pid },
            since: clock::now(),
            reason: None,
            restarts: 0,
        }
    }
}

/// Supervises the server until `stop` receives a value (the server is stopped gracefully) or its sender is dropped (the server is
/// killed). `launcher` owns the lock of the folder, so the folder becomes free only after the server has exited.
pub(super) async fn supervise(
    launcher: Launcher,
    server: Server,
    append_fsync: AppendFsync,
    status: watch::Sender<Status>,
    stop: oneshot::Receiver<()>,
) {
    let sync = async {
        match append_fsync {
            // Returns only after a panic.
            AppendFsync::EverySec => loop {
                let _ = caught("store.sync", keep_synced(launcher.home().data())).await;
                time::sleep(LONGEST_PAUSE).await;
            },
            // The server syncs by itself.
            AppendFsync::Always => {}
        }
        pending::<()>().await;
    };
    let running = async {
        let (mut server, mut stop) = (server, stop);
        // A panic drops the server, which kills its process; the loop starts a new one.
        while caught("store.embedded", keep_running(&launcher, server, &status, &mut stop))
            .await
            .is_err()
        {
            status.send_modify(|status| status.restarting("its supervisor panicked".to_owned()));
            let mut pause = FIRST_PAUSE;
            server = tokio::select! {
                _ = &mut stop => return,
                server = relaunch(&launcher, &status, &mut pause) => server,
            };
        }
    };
    tokio::select! {
        () = running => {}
        () = sync => {}
    }
    status.send_modify(|status| {
        *status = Status {
            phase: Phase::Stopped,
            since: clock::now(),
            reason: None,
            restarts: status.restarts,
        };
    });
}

async fn keep_running(
    launcher: &Launcher,
    mut server: Server,
    status: &watch::Sender<Status>,
    stop: &mut oneshot::Receiver<()>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let running_since = Instant::now();
        let how = tokio::select! {
            requested = &mut *stop => {
                if requested.is_ok() {
                    launcher.compact().await;
                    server.stop().await;
                } else {
                    server.kill().await;
                }
                return;
            }
            how = server.ended() => how,
        };
        warn!(
            pid = server.pid(),
            how, "embedded Redis exited unexpectedly; restarting it"
        );
        if running_since.elapsed() > STABLE_AFTER {
            pause = FIRST_PAUSE;
        }
        status.send_modify(|status| status.restarting(format!("the server ended: {how}")));
        // If a stop drops the launch in the middle, the new server is killed with it.
        server = tokio::select! {
            _ = &mut *stop => return,
            server = relaunch(launcher, status, &mut pause) => server,
        };
        info!(pid = server.pid(), "embedded Redis has restarted");
        status.send_modify(|status| {
            *status = Status {
                restarts: status.restarts + 1,
                ..Status::running(server.pid())
            };
        });
    }
}

/// Retries without limit, because the cause, such as a full disk, may be removed.
async fn relaunch(launcher: &Launcher, status: &watch::Sender<Status>, pause: &mut Duration) -> Server {
    loop {
        time::sleep(*pause).await;
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        match Server::launch(launcher).await {
            Ok(server) => return server,
            Err(error) => {
                warn!(%error, again_in = ?*pause, "embedded Redis does not start; retrying");
                status.send_modify(|status| status.reason = Some(error.to_string()));
            }
        }
    }
}

impl Status {
    fn restarting(&mut self, reason: String) {
        self.phase = Phase::Restarting;
        self.since = clock::now();
        self.reason = Some(reason);
    }
}
