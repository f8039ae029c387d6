//! Who waits in this process, and the one subscription that wakes them.
//!
//! A waiter takes a seat before it asks for the lock, so that no message comes before it listens. Of those who wait for the
//! same lock the first keeps watch: when the lease that stands in the way must have ended, it asks; so a lock whose holder
//! died is found by one call of each instance, however many wait. After the subscription was interrupted everybody asks
//! once, because a message may have been missed.

use super::commands::CLAIM;
use crate::store::{Listener, Store};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{Notify, SetOnce};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

/// Wakes those who wait in this process; clones are handles to the same. One for a process.
#[derive(Debug, Clone)]
pub struct Wakeups(Arc<Room>);

#[derive(Debug)]
struct Room {
    /// 16 hexadecimal digits; names the channel, and begins the name of every attempt.
    instance: String,
    attempts: AtomicU64,
    /// By the lock's key. Held for a look or a change, never across an await.
    rows: Mutex<HashMap<String, Row>>,
    /// Tells the listener that somebody waits for the first time, or that nobody can any more.
    wanted: Arc<Notify>,
    /// Set when the first attempt to listen has ended, well or not.
    tried: SetOnce<()>,
    /// Whether messages were to be heard at this moment, and are not.
    cut_off: AtomicBool,
    /// Set when nobody is to wait here any more.
    closed: SetOnce<()>,
}

/// Those who wait for one lock, the first come first.
#[derive(Debug)]
struct Row {
    places: VecDeque<Arc<Place>>,
    /// When what stands in the way ends, as far as is known here.
    until: Instant,
    /// Messages about the lock. They and the answers of Redis come by different connections, so an answer may be older than a
    /// message that came before it.
    heard: u64,
}

#[derive(Debug)]
struct Place {
    attempt: String,
    /// It is to ask, and not only to look whether it keeps watch now.
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
        let room = Arc::new(Room::new());
        store.listen(
            "locks.wakeups",
            store.keys().lock_wake(&room.instance),
            &room.wanted,
            &room,
        );
        Self(room)
    }

    /// Whether messages were to be heard at this moment, and are not, because Redis is away.
    pub(super) fn is_cut_off(&self) -> bool {
        self.0.cut_off.load(Ordering::Acquire)
    }

    /// Lets all waiters ask again; used when Redis was flushed or replaced.
    pub fn ask_again(&self) {
        for row in self.0.rows.lock().values() {
            row.places.iter().for_each(|place| place.call());
        }
    }

    /// Sends everybody who waits in this process away, with [`super::LockError::Closed`], and whoever would from now on; for
    /// its end, so that they leave their queues while they can, and ask another instance.
    pub fn close(&self) {
        // It may be closed already.
        let _ = self.0.closed.set(());
    }

    /// Resolves when nobody is to wait here any more.
    pub(super) async fn closed(&self) {
        self.0.closed.wait().await;
    }

    /// A name for one asking.
    pub(super) fn attempt(&self) -> String {
        let number = self.0.attempts.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.0.instance)
    }

    /// A seat for an attempt at the lock with this key. The first of all waits until messages are heard.
    pub(super) async fn sit(&self, key: String, attempt: &str) -> Seat {
        let place = Arc::new(Place {
            attempt: attempt.to_owned(),
            called: AtomicBool::new(false),
            wake: Notify::new(),
        });
        self.0.seat(&key, &place);
        self.0.wanted.notify_one();
        let seat = Seat {
            room: Arc::clone(&self.0),
            key,
            place,
        };
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

impl Room {
    fn new() -> Self {
        Self {
            instance: Uuid::new_v4().simple().to_string()[..16].to_owned(),
            attempts: AtomicU64::new(0),
            rows: Mutex::new(HashMap::new()),
            wanted: Arc::default(),
            tried: SetOnce::new(),
            cut_off: AtomicBool::new(false),
            closed: SetOnce::new(),
        }
    }

    fn seat(&self, key: &str, place: &Arc<Place>) {
        let mut rows = self.rows.lock();
        let row = rows.entry(key.to_owned()).or_insert_with(|| Row {
            places: VecDeque::new(),
            until: Instant::now() + CLAIM,
            heard: 0,
        });
        row.places.push_back(Arc::clone(place));
    }
}

impl Listener for Room {
    fn note(&self, heard: bool) {
        self.cut_off.store(!heard, Ordering::Release);
        // A second attempt finds it set.
        let _ = self.tried.set(());
        if heard {
            for row in self.rows.lock().values() {
                row.places.iter().for_each(|place| place.call());
            }
        }
    }

    /// Takes in a message of a script: `ATTEMPT KEY`, the lock is offered to that attempt. It may be one of another
    /// instance; then it is for those who keep watch here.
    fn hear(&self, message: &[u8]) {
        let message = str::from_utf8(message).ok();
        let Some((attempt, key)) = message.and_then(|message| message.split_once(' ')) else {
            return;
        };
        let mut rows = self.rows.lock();
        let Some(row) = rows.get_mut(key) else { return };
        row.until = Instant::now() + CLAIM;
        row.heard += 1;
        if let Some(place) = row.places.iter().find(|place| place.attempt == attempt) {
            place.call();
        }
        if let Some(first) = row.places.front() {
            first.wake.notify_one();
        }
    }
}

/// A waiter's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    room: Arc<Room>,
    key: String,
    place: Arc<Place>,
}

impl Seat {
    /// How many messages about the lock were heard so far, to be told with the answer to what is asked next.
    pub(super) fn heard(&self) -> u64 {
        self.room.rows.lock().get(&self.key).map_or(0, |row| row.heard)
    }

    /// Tells everybody here when what stands in the way ends, by an answer that was asked for when so many messages were
    /// heard. If there are more by now, it may be older than those, and nobody is to watch for longer because of it.
    pub(super) fn note(&self, heard: u64, until: Instant) {
        if let Some(row) = self.room.rows.lock().get_mut(&self.key) {
            row.until = if row.heard == heard {
                until
            } else {
                row.until.min(until)
            };
            if let Some(first) = row.places.front() {
                first.wake.notify_one();
            }
        }
    }

    /// Resolves when it is time to ask for the lock.
    pub(super) async fn called(&self) {
        loop {
            if self.place.called.swap(false, Ordering::AcqRel) {
                return;
            }
            let watch = self.watch_until();
            let ended = async {
                match watch {
                    Some(until) => sleep_until(until).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = self.place.wake.notified() => {}
                () = ended => return,
            }
        }
    }

    /// Until when to watch, if that is this one's turn.
    fn watch_until(&self) -> Option<Instant> {
        let rows = self.room.rows.lock();
        let row = rows.get(&self.key)?;
        let first = row.places.front()?;
        Arc::ptr_eq(first, &self.place).then_some(row.until)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rows = self.room.rows.lock();
        let Some(row) = rows.get_mut(&self.key) else { return };
        row.places.retain(|place| !Arc::ptr_eq(place, &self.place));
        match row.places.front() {
            // It may keep watch from now on.
            Some(first) => first.wake.notify_one(),
            None => drop(rows.remove(&self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HOUR: Duration = Duration::from_hours(1);

    /// Two who wait for the same lock in a room that hears.
    async fn two_seats() -> (Wakeups, Seat, Seat) {
        let wakeups = Wakeups(Arc::new(Room::new()));
        wakeups.0.note(true);
        let (first, second) = (
            wakeups.sit("lock".into(), "a-1").await,
            wakeups.sit("lock".into(), "a-2").await,
        );
        (wakeups, first, second)
    }

    #[tokio::test]
    async fn an_answer_that_a_message_has_overtaken_lengthens_no_watch() {
        let (wakeups, first, second) = two_seats().await;
        let (asked, later) = (first.heard(), Instant::now() + HOUR);
        wakeups.0.hear(b"b-1 lock");
        let until = first.watch_until();
        assert!(until < Some(later), "{until:?}");
        // Whichever of them has asked before it.
        for seat in [&first, &second] {
            seat.note(asked, later);
            assert_eq!(first.watch_until(), until);
        }
        // What is nearer counts all the same, and whoever keeps watch asks then.
        let soon = Instant::now() + Duration::from_millis(5);
        second.note(asked, soon);
        assert_eq!(first.watch_until(), Some(soon));
        first.called().await;
        first.note(first.heard(), later);
        assert_eq!(first.watch_until(), Some(later));
    }
}
