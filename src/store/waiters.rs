//! The common part of requests of this process that wait for a message. Slices keep their waiters in queues of their own.
//!
//! A request registers before it queries Redis, so that no message is missed between the query and the wait.

use super::{Listener, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Notify, SetOnce};

/// A request that waits.
#[derive(Debug, Default)]
pub struct Waiter {
    /// Whether it must query Redis again.
    is_called: AtomicBool,
    wake: Notify,
}

impl Waiter {
    /// Wakes the request and requires it to query Redis again. A call that comes before the request waits is not lost.
    pub fn call(&self) {
        self.is_called.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Wakes the request without a call: something that it observes has changed.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Returns whether there was a call, and resets it.
    pub fn take_call(&self) -> bool {
        self.is_called.swap(false, Ordering::AcqRel)
    }

    /// Resolves when the request is woken, with a call or without one.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Resolves when the request is called, and resets the call.
    pub async fn called(&self) {
        while !self.take_call() {
            self.woken().await;
        }
    }
}

/// Whether requests may wait: from the first subscription until the process stops.
#[derive(Debug, Default)]
pub struct Waiting {
    /// Starts the subscription when a request waits for the first time, and ends it when this is dropped.
    wanted: Arc<Notify>,
    /// Set after the first attempt to subscribe, whether it succeeded or not.
    is_tried: SetOnce<()>,
    /// Set when requests may not wait any more.
    is_closed: SetOnce<()>,
}

impl Waiting {
    /// Subscribes `listener` to `channel` in a background task called `name`, once the first request waits.
    pub fn listen<L: Listener>(&self, store: &Store, name: &'static str, channel: String, listener: &Arc<L>) {
        store.listen(name, channel, &self.wanted, listener);
    }

    /// Notes that there was an attempt to subscribe.
    pub fn note_attempt(&self) {
        // At later attempts it is set already.
        let _ = self.is_tried.set(());
    }

    /// Resolves after the first attempt to subscribe, whether it succeeded or not. Call it after the request is registered.
    pub async fn begin(&self) {
        self.wanted.notify_one();
        if !self.is_tried.initialized() {
            self.is_tried.wait().await;
        }
    }

    /// Ends all waiting, for the stop of the process.
    pub fn close(&self) {
        // It may be closed already.
        let _ = self.is_closed.set(());
    }

    /// Resolves when requests may not wait any more.
    pub async fn closed(&self) {
        self.is_closed.wait().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.wanted.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_call_before_the_wait_is_not_lost_and_is_returned_once() {
        let waiter = Waiter::default();
        waiter.call();
        waiter.called().await;
        assert!(!waiter.take_call());
        waiter.wake();
        assert!(waiter.called().now_or_never().is_none());
    }

    #[tokio::test]
    async fn requests_wait_for_the_first_attempt_to_subscribe_only() {
        let waiting = Waiting::default();
        assert!(waiting.begin().now_or_never().is_none());
        waiting.note_attempt();
        waiting.note_attempt();
        waiting.begin().await;
        assert!(waiting.closed().now_or_never().is_none());
        waiting.close();
        waiting.closed().await;
    }
}
