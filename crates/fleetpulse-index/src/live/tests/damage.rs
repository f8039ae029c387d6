//! A panic in the middle of a change.

use super::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts how often it is woken.
#[derive(Debug, Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Creates an index that panics while it changes entity 13.
fn fragile_index() -> LiveIndex {
    LiveIndex::new(TTL, 100).with_failpoint(|id| assert_ne!(id, "d-13", "failpoint"))
}

fn put(index: &LiveIndex, origin: Origin, n: u32) {
    index.apply(origin, &[update(n, at(1.0, 2.0), NOW, 1)], NOW);
}

fn damage(index: &LiveIndex) {
    catch_unwind(AssertUnwindSafe(|| put(index, Origin::Local, 13))).unwrap_err();
}

#[test]
fn a_damaged_index_is_empty_until_what_the_store_does_not_have_is_restored() {
    let index = fragile_index();
    put(&index, Origin::Stored, 1);
    put(&index, Origin::Local, 2);
    put(&index, Origin::Stored, 3);
    put(&index, Origin::Stored, 4);
    index.remove(Origin::Local, &id(4), removed(NOW, 2));
    let mut change = Profile::clone(&profile("busy", 4));
    (change.times.status_ms, change.times.capacity_ms) = (NOW, NOW);
    index.change_profile(&id(3), &change);

    damage(&index);
    assert!(index.is_incomplete());
    assert_eq!((index.len(), index.tombstones()), (0, 0));

    assert_eq!(index.restore_unsaved(NOW), 3);
    assert_eq!(index.restore_unsaved(NOW), 0, "once");
    assert_eq!(index.get("d-1", NOW), None, "the store has it");
    assert!(index.get("d-2", NOW).is_some());
    assert_eq!(index.get("d-3", NOW).unwrap().profile.as_deref(), Some(&change));
    assert_eq!((index.len(), index.tombstones(), index.unsaved_len()), (2, 1, 3));
    index.set_complete();
    assert!(!index.is_incomplete());
}

#[test]
fn damage_wakes_the_task_that_waits_for_it_once() {
    let index = fragile_index();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut damaged = pin!(index.damaged());
    assert_eq!(damaged.as_mut().poll(&mut context), Poll::Pending);
    damage(&index);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!(damaged.as_mut().poll(&mut context), Poll::Ready(()));
    assert_eq!(
        pin!(index.damaged()).poll(&mut context),
        Poll::Pending,
        "already reported"
    );
}

#[test]
fn damage_from_before_the_wait_is_reported() {
    let index = fragile_index();
    damage(&index);
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(pin!(index.damaged()).poll(&mut context), Poll::Ready(()));
}
