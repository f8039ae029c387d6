use super::damage::Damage;
#[cfg(test)]
use super::examined;
use super::state::State;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::hint::spin_loop;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::thread::panicking;

/// Attempts before a thread sleeps, some tens of nanoseconds each.
///
/// The lock is held for some ten microseconds at most, and waking a thread takes several times as long. Besides, a writer that sleeps
/// until the readers have finished blocks new readers for all that time. Measured with a query in flight at every moment and 400,000
/// updates a second, this reduces the 99.9th percentile of queries by more than half.
const TRIES: u32 = 400;

/// The lock around the index's state. It spins before it sleeps, and replaces a state that a panic has damaged.
#[derive(Debug)]
pub(super) struct StateLock {
    state: RwLock<State>,
    pub(super) damage: Damage,
}

/// Write access to the state. A panic may leave a change incomplete. If a panic drops the guard, the guard replaces the damaged state
/// with an empty one before the lock is released.
#[derive(Debug)]
pub(super) struct WriteGuard<'a> {
    state: RwLockWriteGuard<'a, State>,
    damage: &'a Damage,
    /// A panic that began before the change does not damage the state.
    was_panicking: bool,
}

impl StateLock {
    pub(super) fn new(state: State) -> Self {
        Self {
            state: RwLock::new(state),
            damage: Damage::default(),
        }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        #[cfg(test)]
        examined::begin_hold();
        for _ in 0..TRIES {
            if let Some(guard) = self.state.try_read() {
                return guard;
            }
            spin_loop();
        }
        self.state.read()
    }

    pub(super) fn write(&self) -> WriteGuard<'_> {
        for _ in 0..TRIES {
            if let Some(state) = self.state.try_write() {
                return self.guard(state);
            }
            spin_loop();
        }
        self.guard(self.state.write())
    }

    fn guard<'a>(&'a self, state: RwLockWriteGuard<'a, State>) -> WriteGuard<'a> {
        WriteGuard {
            state,
            damage: &self.damage,
            was_panicking: panicking(),
        }
    }
}

impl Deref for WriteGuard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for WriteGuard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        if panicking() && !self.was_panicking {
            self.damage.report(mem::replace(&mut *self.state, State::new()));
        }
    }
}
