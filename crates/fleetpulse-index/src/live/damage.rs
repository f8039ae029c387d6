use super::state::State;
use parking_lot::Mutex;
use std::future::poll_fn;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

/// The damaged state of an index, kept until its unsaved data is restored.
#[derive(Debug, Default)]
pub(super) struct Damage {
    damaged_state: Mutex<Damaged>,
    signal: Mutex<Signal>,
    /// Whether the index misses what it held before the damage.
    is_incomplete: AtomicBool,
}

/// Wakes the task that waits for damage.
#[derive(Debug, Default)]
struct Signal {
    /// Whether there was damage that no task has been woken for.
    is_set: bool,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
enum Damaged {
    #[default]
    Nothing,
    State(Box<State>),
    /// A restoration is in progress. A state that it damages is discarded: the same would happen again.
    Restoring,
}

impl Damage {
    pub(super) fn report(&self, state: State) {
        self.is_incomplete.store(true, Ordering::Release);
        let mut damaged_state = self.damaged_state.lock();
        if matches!(*damaged_state, Damaged::Nothing) {
            *damaged_state = Damaged::State(Box::new(state));
        }
        drop(damaged_state);
        let mut signal = self.signal.lock();
        signal.is_set = true;
        let waker = signal.waker.take();
        drop(signal);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns whether the index misses what it held before the damage.
    pub(super) fn is_incomplete(&self) -> bool {
        self.is_incomplete.load(Ordering::Acquire)
    }

    pub(super) fn set_complete(&self) {
        self.is_incomplete.store(false, Ordering::Release);
    }

    /// Resolves when there was damage that no task has been woken for.
    pub(super) async fn reported(&self) {
        poll_fn(|context| self.poll(context)).await;
    }

    /// Begins a restoration. Returns the damaged state, if there is one, and what ends the restoration when it is dropped.
    pub(super) fn begin_restoring(&self) -> (Option<Box<State>>, Restoring<'_>) {
        let damaged = mem::replace(&mut *self.damaged_state.lock(), Damaged::Restoring);
        let restoring = Restoring(self);
        match damaged {
            Damaged::State(state) => (Some(state), restoring),
            Damaged::Nothing | Damaged::Restoring => (None, restoring),
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut signal = self.signal.lock();
        if mem::take(&mut signal.is_set) {
            return Poll::Ready(());
        }
        signal.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Ends a restoration, also after a panic.
pub(super) struct Restoring<'a>(&'a Damage);

impl Drop for Restoring<'_> {
    fn drop(&mut self) {
        *self.0.damaged_state.lock() = Damaged::Nothing;
    }
}
