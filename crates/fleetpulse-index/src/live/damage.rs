//! Recovery of an index in which a panic has interrupted a change.
//!
//! The lock has replaced the damaged state with an empty one. The caller loads what the store has; what the store does not have
//! yet is restored from the damaged state here, as far as it can be read.

use super::state::State;
use super::unsaved::Unsaved;
use super::{LiveIndex, Origin, Update};
use crate::model::Removed;
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
struct Restoring<'a>(&'a Damage);

impl Drop for Restoring<'_> {
    fn drop(&mut self) {
        *self.0.damaged_state.lock() = Damaged::Nothing;
    }
}

impl LiveIndex {
    /// Returns whether a panic interrupted a change and what was held before is not loaded again yet.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.state.damage.is_incomplete.load(Ordering::Acquire)
    }

    /// Records that what the store has is loaded.
    pub fn set_complete(&self) {
        self.state.damage.is_incomplete.store(false, Ordering::Release);
    }

    /// Resolves when a panic has interrupted a change: the index is empty from then on, until it is loaded again.
    ///
    /// Runs on any executor. One task may wait at a time: a later call replaces an earlier one, which then never resolves.
    pub async fn damaged(&self) {
        poll_fn(|context| self.state.damage.poll(context)).await;
    }

    /// Restores what was unsaved in the damaged state. Returns the number of entities.
    ///
    /// # Panics
    /// May panic, because the state is damaged. A second call does nothing then.
    pub fn restore_unsaved(&self, now_ms: i64) -> usize {
        let damage = &self.state.damage;
        let damaged = mem::replace(&mut *damage.damaged_state.lock(), Damaged::Restoring);
        let _restoring = Restoring(damage);
        let Damaged::State(damaged) = damaged else { return 0 };
        let (mut at, mut restored) = (0, 0);
        while let Some(slot) = damaged.unsaved.next(at) {
            at = slot + 1;
            if let Some(record) = damaged.records.get(slot) {
                self.restore(Unsaved::of(record), now_ms);
                restored += 1;
            }
        }
        restored
    }

    fn restore(&self, unsaved: Unsaved, now_ms: i64) {
        let Unsaved {
            id,
            fix,
            timestamp_ms,
            received_us,
            position_unsaved,
            change,
        } = unsaved;
        match fix {
            Some(fix) if position_unsaved || change.is_some() => {
                let update = Update { id: id.clone(), fix };
                self.apply(Origin::Local, &[update], now_ms);
            }
            None if position_unsaved => {
                let removed = Removed {
                    at_ms: timestamp_ms,
                    received_us,
                };
                self.remove(Origin::Local, &id, removed);
            }
            _ => {}
        }
        if let Some(change) = change {
            self.change_profile(&id, &change);
        }
    }
}
