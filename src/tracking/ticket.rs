//! Reply handles of fixes, and outcomes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tokio::sync::oneshot;

/// The outcome of a fix and of its profile members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The outcome of the fix.
    pub outcome: Outcome,
    /// Whether attributes were left out because the profile would have more than 32.
    pub attributes_left_out: bool,
}

/// The outcome of a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Redis has stored it.
    Stored,
    /// A newer one is stored, or it is past its time to live.
    Stale,
    /// It is in this instance's memory until Redis is available.
    Buffered,
    /// The live index has no room for another entity.
    Full,
    /// Redis is nearly full, and the entity is a new one.
    NoRoom,
    /// It is past its time to live, and its profile members cannot be kept until Redis is available.
    Unavailable,
    /// A panic interrupted its writing: it may or may not be stored.
    Interrupted,
}

/// The reply handle of a fix. If it is dropped, it answers that the write was interrupted.
#[derive(Debug)]
pub(super) enum Ticket {
    One(oneshot::Sender<Written>),
    Many(Place),
}

/// One fix of a batch from a single request.
#[derive(Debug)]
pub(super) struct Place {
    batch: Rc<Outcomes>,
    index: usize,
}

/// The outcomes of a batch from a single request.
#[derive(Debug)]
struct Outcomes {
    written: RefCell<Vec<Written>>,
    left: Cell<usize>,
    done: RefCell<Option<oneshot::Sender<Vec<Written>>>>,
}

impl Outcome {
    /// Returns the outcome with no attributes left out.
    pub(super) const fn alone(self) -> Written {
        Written {
            outcome: self,
            attributes_left_out: false,
        }
    }
}

impl Ticket {
    /// Returns a ticket for each of the fixes of a request, which are answered together.
    pub fn many(count: usize) -> (impl Iterator<Item = Self>, oneshot::Receiver<Vec<Written>>) {
        let (done, answer) = oneshot::channel();
        let batch = Rc::new(Outcomes {
            written: RefCell::new(vec![Outcome::Interrupted.alone(); count]),
            left: Cell::new(count),
            done: RefCell::new(Some(done)),
        });
        let place = move |index| {
            let batch = Rc::clone(&batch);
            Self::Many(Place { batch, index })
        };
        ((0..count).map(place), answer)
    }

    /// Sends the answer. A client that has disconnected does not receive it, which is not an error.
    pub fn answer(self, written: Written) {
        match self {
            Self::One(answer) => drop(answer.send(written)),
            Self::Many(place) => place.batch.written.borrow_mut()[place.index] = written,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let batch = &self.batch;
        batch.left.set(batch.left.get() - 1);
        if batch.left.get() == 0
            && let Some(done) = batch.done.take()
        {
            drop(done.send(batch.written.take()));
        }
    }
}
