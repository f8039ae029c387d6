//! What is unsaved, what a reload finds missing.

use super::*;
use crate::tracking::patch::{Change, ProfilePatch};

fn here() -> Point {
    at(10.0, 20.0)
}

fn put(index: &LiveIndex, origin: Origin, n: u32, timestamp_ms: i64, seq: u64) {
    index.apply(origin, &[update(n, here(), timestamp_ms, seq)], NOW);
}

#[test]
fn what_is_taken_while_redis_is_away_is_unsaved_until_acknowledged() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Stored, 1, NOW, 7);
    assert_eq!(index.unsaved_len(), 0);
    put(&index, Origin::Local, 1, NOW + 1, 0);
    put(&index, Origin::Local, 2, NOW, 0);
    index.remove(Origin::Local, &id(3), NOW, 0);
    let unsaved = index.unsaved(10);
    let seen: Vec<_> = unsaved
        .iter()
        .map(|u| (u.id.as_str(), u.fix.is_some(), u.timestamp_ms))
        .collect();
    assert_eq!(seen, [("d-1", true, NOW + 1), ("d-2", true, NOW), ("d-3", false, NOW)]);

    // While the first was on its way it moved again, so it stays unsaved.
    put(&index, Origin::Local, 1, NOW + 2, 0);
    index.mark_saved(&[(id(1), NOW + 1, 8), (id(2), NOW, 8), (id(3), NOW, 8)]);
    assert_eq!(
        index.unsaved(10).iter().map(|u| u.id.as_str()).collect::<Vec<_>>(),
        ["d-1"]
    );
    put(&index, Origin::Stored, 1, NOW + 1, 8);
    assert_eq!(index.unsaved_len(), 1, "an older one says nothing of the newest");
    put(&index, Origin::Stored, 1, NOW + 2, 9);
    assert_eq!(index.unsaved_len(), 0);
}

#[test]
fn looks_at_the_unsaved_go_round() {
    let index = LiveIndex::new(TTL, 100);
    (0..5).for_each(|n| put(&index, Origin::Local, n, NOW, 0));
    let look = || index.unsaved(2).iter().map(|u| u.id.to_string()).collect::<Vec<_>>();
    assert_eq!(look(), ["d-0", "d-1"]);
    assert_eq!(look(), ["d-2", "d-3"]);
    assert_eq!(look(), ["d-4", "d-0"]);
    assert_eq!(index.unsaved(100).len(), 5, "each once");
}

#[test]
fn an_unsaved_patch_waits_on_top_of_what_redis_has() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Stored, 1, NOW, 1);
    let status = |status: &str| ProfilePatch {
        status: Change::Set(status.into()),
        ..ProfilePatch::default()
    };
    assert!(index.patch_profile(&id(1), &status("full")));
    assert!(index.patch_profile(&id(1), &status("busy")));
    let shown = || index.profile(&id(1)).unwrap();
    assert_eq!((shown().status.as_deref(), shown().capacity), (Some("busy"), None));
    assert!(index.set_profile(&id(1), Some(profile("free", 2)), 3));
    assert_eq!((shown().status.as_deref(), shown().capacity), (Some("busy"), Some(2)));

    let unsaved = index.unsaved(10);
    let patch = unsaved[0].patch.clone().unwrap();
    assert_eq!((&*patch, unsaved[0].position_unsaved), (&status("busy"), false));
    index.mark_profiles_saved(&[(id(1), Arc::new(status("busy")), 5)]);
    assert_eq!(index.unsaved_len(), 1, "an equal patch is not the same");
    index.mark_profiles_saved(&[(id(1), patch, 5)]);
    assert_eq!(index.unsaved_len(), 0);
    assert!(
        !index.set_profile(&id(1), Some(profile("free", 2)), 4),
        "read before ours was written"
    );
}

#[test]
fn what_redis_has_lost_becomes_unsaved_at_a_load() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Stored, 1, NOW, 7);
    put(&index, Origin::Stored, 2, NOW, 7);
    index.begin_reload();
    put(&index, Origin::Loaded, 1, NOW - 10, 0);
    put(&index, Origin::Loaded, 2, NOW, 0);
    assert_eq!(
        index.unsaved(10).iter().map(|u| u.id.as_str()).collect::<Vec<_>>(),
        ["d-1"]
    );
}

#[test]
fn a_load_settles_what_is_equally_new() {
    let there = at(50.0, 20.0);
    let load = |index: &LiveIndex| index.apply(Origin::Loaded, &[update(1, there, NOW, 0)], NOW);
    let place = |index: &LiveIndex| index.get("d-1", NOW).map(|entity| entity.fix.point);

    let missed = LiveIndex::new(TTL, 10);
    put(&missed, Origin::Stored, 1, NOW, 7);
    missed.begin_reload();
    load(&missed);
    assert_eq!(place(&missed), Some(there));
    missed.begin_reload();
    assert!(missed.remove(Origin::Loaded, &id(1), NOW, 0));

    let heard = LiveIndex::new(TTL, 10);
    heard.begin_reload();
    put(&heard, Origin::Stored, 1, NOW, 7);
    load(&heard);
    assert_eq!(
        place(&heard),
        Some(here()),
        "whatever came after it is still to be heard"
    );

    let unsaved = LiveIndex::new(TTL, 10);
    put(&unsaved, Origin::Stored, 1, NOW, 7);
    unsaved.remove(Origin::Local, &id(1), NOW, 0);
    unsaved.begin_reload();
    load(&unsaved);
    assert_eq!(
        (place(&unsaved), unsaved.unsaved_len()),
        (None, 1),
        "it is still to be written"
    );
}

#[test]
fn a_reload_tells_whom_redis_did_not_mention() {
    let index = LiveIndex::new(TTL, 1_000);
    (0..700).for_each(|n| put(&index, Origin::Stored, n, NOW, 1));
    index.remove(Origin::Stored, &id(3), NOW, 1);
    index.begin_reload();
    put(&index, Origin::Loaded, 0, NOW, 0);
    put(&index, Origin::Local, 1, NOW + 1, 0);
    let (mut missing, mut cursor) = (Vec::new(), Some(0));
    while let Some(from) = cursor {
        let (some, next) = index.missing_after_reload(from, 100);
        assert!(some.len() <= 100);
        missing.extend(some);
        cursor = next;
    }
    assert_eq!(missing.len(), 697);
    assert_eq!(missing[0], (id(2), NOW));
    index.mark_unsaved(&[id(2)]);
    assert_eq!(index.unsaved_len(), 2);
}

#[test]
fn expiry_forgets_marks_and_tombstones_but_tells_of_fixes_only() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Local, 1, NOW, 0);
    put(&index, Origin::Stored, 2, NOW + 1, 1);
    index.remove(Origin::Local, &id(3), NOW, 0);
    assert_eq!(index.sweep(NOW + TTL - 1, 100), []);
    assert_eq!(index.sweep(NOW + TTL, 100), [id(1)]);
    assert_eq!((index.len(), index.tombstones(), index.unsaved_len()), (1, 0, 0));
    assert!(index.get("d-2", NOW + TTL).is_some());
}

#[test]
fn a_sweep_goes_on_where_the_last_one_stopped() {
    let index = LiveIndex::new(TTL, 10_000);
    (0..1_000).for_each(|n| put(&index, Origin::Stored, n, NOW, 1));
    assert_eq!(index.sweep(NOW + TTL, 10).len(), 10);
    assert_eq!(index.sweep(NOW + TTL, 100).len(), 100);
    assert_eq!(index.sweep(NOW + TTL, 5_000).len(), 890);
    assert!(index.is_empty());
}
