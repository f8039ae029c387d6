use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// Why the service is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// A SIGTERM, as an orchestrator sends: load balancers get time to send requests elsewhere.
    Terminate,
    /// A SIGINT, by somebody who waits for it.
    Interrupt,
}

/// How far the service has come with stopping. The phases follow each other in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It is not stopping.
    Serving,
    /// `/health/ready` answers 503, so that load balancers send requests elsewhere; requests are still served.
    Draining,
    /// No connection is accepted; requests under way end, and those that wait are answered.
    Finishing,
    /// Background tasks end.
    StoppingTasks,
    /// Unsaved positions are written.
    Flushing,
    /// What is left is closed.
    Closing,
}

/// The phase that the service is in. Clones refer to the same service.
#[derive(Debug, Clone)]
pub struct Phases(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    phase: watch::Sender<Phase>,
    /// Asked with every response, and so not behind the channel's lock.
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

    /// Whether the service is in the first phase no longer.
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
