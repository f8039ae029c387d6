//! Who waits for jobs in this process, and the one subscription that wakes them.
//!
//! Those who wait for the same types of the same queue stand in one row. Only the first asks Redis, so who comes first is
//! served first; when it goes, with or without jobs, the next asks. A message wakes the first of each row of its queue. After the
//! subscription was interrupted the first of every row asks, because a message may have been missed.

use super::known::NotedQueues;
use super::occupancy::Occupancy;
use crate::ids::Id;
use crate::store::{Listener, Store};
use compact_str::CompactString;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Notify, SetOnce};
use tokio::time::{Instant, timeout_at};

/// Wakes those who wait for jobs in this process; clones are handles to the same. One for a process.
#[derive(Debug, Clone)]
pub struct Wakeups(Arc<Room>);

#[derive(Debug)]
struct Room {
    // Held for a look or a change, never across an await.
    rows: Mutex<HashMap<Id, Rows>>,
    /// Tells the listener that somebody waits for the first time, or that nobody can any more.
    wanted: Arc<Notify>,
    /// Set when the first attempt to listen has ended, well or not.
    tried: SetOnce<()>,
    /// Set when nobody is to wait here any more.
    closed: SetOnce<()>,
    noted: NotedQueues,
    occupancy: Occupancy,
}

/// Those who wait for jobs of one queue, by the types that they want.
type Rows = HashMap<Vec<CompactString>, VecDeque<Arc<Place>>>;

#[derive(Debug, Default)]
struct Place {
    /// It is to ask.
    called: AtomicBool,
    wake: Notify,
}

impl Place {
    fn call(&self) {
        self.called.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}

impl Wakeups {
    /// Will listen, in the background of the current runtime, from the first time that somebody waits until the last handle
    /// is dropped.
    #[must_use]
    pub fn listen(store: &Store) -> Self {
        let room = Arc::new(Room {
            rows: Mutex::default(),
            wanted: Arc::default(),
            tried: SetOnce::new(),
            closed: SetOnce::new(),
            noted: NotedQueues::default(),
            occupancy: Occupancy::default(),
        });
        store.listen("jobs.wakeups", store.keys().queue_wake(), &room.wanted, &room);
        Self(room)
    }

    /// Lets the first waiter of every row ask again; used when Redis was flushed or replaced.
    pub fn ask_again(&self) {
        self.0.rows.lock().values().for_each(call_first);
    }

    pub(super) fn noted(&self) -> &NotedQueues {
        &self.0.noted
    }

    pub(super) fn occupancy(&self) -> &Occupancy {
        &self.0.occupancy
    }

    /// Sends everybody who waits in this process away without jobs, and whoever would from now on; for its end.
    pub fn close(&self) {
        // It may be closed already.
        let _ = self.0.closed.set(());
    }

    /// Resolves when nobody is to wait here any more.
    pub(super) async fn closed(&self) {
        self.0.closed.wait().await;
    }

    /// A seat for one who waits, at the end of its row. The first of all waits until messages are heard.
    pub(super) async fn sit(&self, queue: &Id, kinds: &[CompactString]) -> Seat {
        let mut kinds = kinds.to_vec();
        kinds.sort_unstable();
        let place = Arc::new(Place::default());
        {
            let mut rows = self.0.rows.lock();
            let rows = rows.entry(queue.clone()).or_default();
            rows.entry(kinds.clone()).or_default().push_back(Arc::clone(&place));
        }
        let seat = Seat {
            room: Arc::clone(&self.0),
            queue: queue.clone(),
            kinds,
            place,
        };
        self.0.wanted.notify_one();
        if !self.0.tried.initialized() {
            self.0.tried.wait().await;
        }
        seat
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.wanted.notify_one();
    }
}

impl Listener for Room {
    fn note(&self, heard: bool) {
        // A second attempt finds it set.
        let _ = self.tried.set(());
        if heard {
            self.rows.lock().values().for_each(call_first);
        }
    }

    /// Takes in a message of a script: there is something in that queue, or there will be earlier than was known.
    fn hear(&self, queue: &[u8]) {
        let rows = self.rows.lock();
        if let Some(rows) = str::from_utf8(queue).ok().and_then(|queue| rows.get(queue)) {
            call_first(rows);
        }
    }
}

fn call_first(rows: &Rows) {
    rows.values().filter_map(VecDeque::front).for_each(|place| place.call());
}

/// A waiter's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    room: Arc<Room>,
    queue: Id,
    kinds: Vec<CompactString>,
    place: Arc<Place>,
}

impl Seat {
    /// Whether it is the first of its row.
    pub fn is_first(&self) -> bool {
        let rows = self.room.rows.lock();
        let row = rows.get(&self.queue).and_then(|rows| rows.get(&self.kinds));
        row.and_then(VecDeque::front)
            .is_some_and(|first| Arc::ptr_eq(first, &self.place))
    }

    /// Resolves when it is called, at the latest at `until`.
    pub async fn called(&self, until: Instant) {
        let called = async {
            while !self.place.called.swap(false, Ordering::AcqRel) {
                self.place.wake.notified().await;
            }
        };
        // To be called and to have waited long enough come to the same.
        let _ = timeout_at(until, called).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut queues = self.room.rows.lock();
        let Some(rows) = queues.get_mut(&self.queue) else {
            return;
        };
        let Some(row) = rows.get_mut(&self.kinds) else { return };
        row.retain(|place| !Arc::ptr_eq(place, &self.place));
        if let Some(first) = row.front() {
            first.call();
            return;
        }
        rows.remove(&self.kinds);
        if rows.is_empty() {
            queues.remove(&self.queue);
        }
    }
}
