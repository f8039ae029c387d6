use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// The number of times that Redis was found flushed or replaced, for comparison and for waiting.
#[derive(Debug)]
pub(super) struct Generation {
    current: AtomicU64,
    changes: watch::Sender<u64>,
}

impl Generation {
    pub(super) fn new() -> Self {
        Self {
            current: AtomicU64::new(0),
            changes: watch::channel(0).0,
        }
    }

    pub(super) fn current(&self) -> u64 {
        self.current.load(Ordering::Acquire)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn begin(&self) {
        let generation = self.current.fetch_add(1, Ordering::AcqRel) + 1;
        self.changes.send_replace(generation);
    }
}
