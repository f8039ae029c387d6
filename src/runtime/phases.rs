use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// The reason for a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// A SIGTERM, as an orchestrator sends: load balancers get time to send requests elsewhere.
    Terminate,
    /// A SIGINT, usually from a terminal: the stop begins without delay.
    Interrupt,
}

/// The phases of a stop, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The service is not stopping.
    Serving,
    /// `/health/ready` answers 503, so that load balancers send requests elsewhere; requests are still served.
    Draining,
    /// No new connection is accepted. Requests in progress end, and those that wait are answered.
    Finishing,
    /// Background tasks end.
    StoppingTasks,
    /// Unsaved positions are written.
    Flushing,
    /// The remaining resources are closed.
    Closing,
}

/// The current phase of the service. Clones refer to the same service.
#[derive(Debug, Clone)]
pub struct Phases(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    phase: watch::Sender<Phase>,
    /// Read with every response, therefore not behind the channel's lock.
    is_stopping: AtomicBool,
}

impl Default for Phases {
    fn default() -> Self {
        Self(Arc::new(Inner {
            phase: watch::Sender::new(Phase::Serving),
            is_stopping: AtomicBool::new(false),
        }))
    }
}

impl Phases {
    /// Enters a phase.
    pub(super) fn enter(&self, phase: Phase) {
        tracing::debug!(?phase, "stopping");
        self.0.is_stopping.store(phase > Phase::Serving, Ordering::Release);
        self.0.phase.send_replace(phase);
    }

    /// Returns whether the service has left the first phase.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.is_stopping.load(Ordering::Acquire)
    }

    /// Resolves when the service is in this phase or a later one.
    pub async fn reached(&self, phase: Phase) {
        let mut phases = self.0.phase.subscribe();
        // The sender lives as long as `self`.
        let _ = phases.wait_for(|now| *now >= phase).await;
    }
}
