use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Counts open connections. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    open: AtomicUsize,
    /// Notified when the last connection has closed.
    none: Notify,
}

/// One open connection. The count decreases when this is dropped.
#[derive(Debug)]
pub struct OpenConnection(Connections);

impl Connections {
    /// Adds a connection to the count.
    #[must_use]
    pub fn open(&self) -> OpenConnection {
        self.0.open.fetch_add(1, Ordering::AcqRel);
        OpenConnection(self.clone())
    }

    /// Returns how many connections are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.open.load(Ordering::Acquire)
    }

    /// Resolves when no connection is open.
    pub async fn closed(&self) {
        while self.0.open.load(Ordering::Acquire) > 0 {
            self.0.none.notified().await;
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let inner = &self.0.0;
        if inner.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            inner.none.notify_one();
        }
    }
}
