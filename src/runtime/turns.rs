//! Long work on a thread that serves requests: one call at a time, in steps, between which the thread runs its other tasks. A request
//! therefore waits for at most one step, however many such calls there are.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls with long work that may wait for their turn on one thread.
const MOST_WAITING: usize = 4_096;

thread_local! {
    static TURN: OnceCell<Arc<Semaphore>> = const { OnceCell::new() };
    static WAITING: Cell<usize> = const { Cell::new(0) };
}

/// The turn of a call with long work. It ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

/// Too many calls with long work wait on this thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many calls with long work wait for their turn; try again")]
pub struct NoTurn;

impl Turn {
    /// Waits until no other call on this thread has the turn. Calls get it in order of arrival.
    ///
    /// # Errors
    /// [`NoTurn`], at once.
    pub async fn wait() -> Result<Self, NoTurn> {
        let waiting = Waiting::enter()?;
        let turn = TURN.with(|turn| Arc::clone(turn.get_or_init(|| Arc::new(Semaphore::new(1)))));
        // The semaphore is never closed.
        let permit = turn.acquire_owned().await.ok();
        drop(waiting);
        Ok(Self { _permit: permit })
    }
}

/// A call that waits for its turn.
struct Waiting;

impl Waiting {
    fn enter() -> Result<Self, NoTurn> {
        let waiting = WAITING.get();
        if waiting >= MOST_WAITING {
            return Err(NoTurn);
        }
        WAITING.set(waiting + 1);
        Ok(Self)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.set(WAITING.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn one_call_has_the_turn_and_the_others_wait_in_order() {
        let first = Turn::wait().now_or_never().unwrap().unwrap();
        let mut second = Box::pin(Turn::wait());
        let mut third = Box::pin(Turn::wait());
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        assert!((&mut third).now_or_never().is_none());
        let second = second.now_or_never().unwrap().unwrap();
        // A call that is dropped is no longer counted.
        drop(third);
        drop(second);
        assert!(Turn::wait().now_or_never().unwrap().is_ok());
        assert_eq!(WAITING.get(), 0);
    }

    #[test]
    fn the_number_of_waiting_calls_is_limited() {
        let _turn = Turn::wait().now_or_never().unwrap().unwrap();
        let mut waiting: Vec<_> = (0..MOST_WAITING).map(|_| Box::pin(Turn::wait())).collect();
        for waiting in &mut waiting {
            assert!(waiting.now_or_never().is_none());
        }
        assert!(matches!(Turn::wait().now_or_never(), Some(Err(NoTurn))));
        waiting.pop();
        assert!(Turn::wait().now_or_never().is_none());
    }
}
