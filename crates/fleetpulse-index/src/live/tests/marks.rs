//! Unsaved entities, and entities that a reload does not confirm.

use super::*;
use crate::live::{Missing, Outcome};
use crate::profile::VersionedProfile;

fn here() -> Point {
    at(10.0, 20.0)
}

fn swept(index: &LiveIndex, now_ms: i64) -> Vec<Id> {
    index.sweep(now_ms, 100).into_iter().map(|swept| swept.id).collect()
}

fn put(index: &LiveIndex, origin: Origin, n: u32, timestamp_ms: i64, received_us: i64) {
    index.apply(origin, &[update(n, here(), timestamp_ms, received_us)], NOW);
}

#[test]
fn changes_during_an_outage_are_unsaved_until_acknowledged() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Stored, 1, NOW, 7);
    assert_eq!(index.unsaved_len(), 0);
    put(&index, Origin::Local, 1, NOW + 1, 0);
    put(&index, Origin::Local, 2, NOW, 0);
    index.remove(Origin::Local, &id(3), removed(NOW, 0));
    let unsaved = index.unsaved(10);
    let seen: Vec<_> = unsaved
        .iter()
        .map(|u| (u.id.as_str(), u.fix.is_some(), u.timestamp_ms))
        .collect();
    assert_eq!(seen, [("d-1", true, NOW + 1), ("d-2", true, NOW), ("d-3", false, NOW)]);

    // It moved again while its first fix was being written, so it stays unsaved.
    put(&index, Origin::Local, 1, NOW + 2, 0);
    index.mark_saved(unsaved.iter());
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
    let next_two = || index.unsaved(2).iter().map(|u| u.id.to_string()).collect::<Vec<_>>();
    assert_eq!(next_two(), ["d-0", "d-1"]);
    assert_eq!(next_two(), ["d-2", "d-3"]);
    assert_eq!(next_two(), ["d-4", "d-0"]);
    assert_eq!(index.unsaved(100).len(), 5, "each once");
}

#[test]
fn one_that_is_replaced_at_the_same_time_while_it_is_written_stays_unsaved() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Local, 1, NOW, 0);
    let written = index.unsaved(10);
    index.apply(Origin::Local, &[update(1, at(50.0, 20.0), NOW, 1)], NOW);
    index.mark_saved(written.iter());
    assert_eq!(index.unsaved_len(), 1);
    index.remove(Origin::Local, &id(1), removed(NOW, 2));
    index.mark_saved(index.unsaved(10).iter());
    assert_eq!(index.unsaved_len(), 0);
}

#[test]
fn of_equal_times_what_was_received_last_counts_and_what_was_not_taken_clears_no_mark() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Local, 1, NOW, 5);
    index.remove(Origin::Stored, &id(1), removed(NOW, 4));
    assert_eq!((index.len(), index.unsaved_len()), (1, 1), "it is still to be written");
    index.remove(Origin::Stored, &id(1), removed(NOW, 6));
    assert_eq!((index.len(), index.unsaved_len()), (0, 0));
    put(&index, Origin::Stored, 1, NOW, 5);
    assert_eq!(index.len(), 0);
}

#[test]
fn a_time_from_before_the_clock_was_set_back_gives_way() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Stored, 1, NOW + 3_600_000, 7);
    put(&index, Origin::Stored, 1, NOW, 8);
    assert_eq!(index.get("d-1", NOW).unwrap().fix.timestamp_ms, NOW);
    index.remove(Origin::Stored, &id(1), removed(NOW + 3_600_000, 9));
    put(&index, Origin::Stored, 1, NOW + 1, 10);
    assert!(index.get("d-1", NOW).is_some());
    // A phone whose clock is a minute ahead is none.
    put(&index, Origin::Stored, 1, NOW + 60_000, 11);
    put(&index, Origin::Stored, 1, NOW + 2, 12);
    assert_eq!(index.get("d-1", NOW).unwrap().fix.timestamp_ms, NOW + 60_000);
}

/// A profile with a status, set at a time.
fn status(status: &str, at_ms: i64) -> Profile {
    let mut profile = Profile {
        status: Some(status.into()),
        ..Profile::default()
    };
    profile.times.status_ms = at_ms;
    profile
}

fn read(index: &LiveIndex, n: u32, profile: Profile, version: u64) {
    index.set_profiles(&[id(n)], vec![VersionedProfile { profile, version }], NOW);
}

fn shown(index: &LiveIndex, n: u32) -> Option<String> {
    Some(index.profile(&id(n))?.status.as_deref()?.to_owned())
}

#[test]
fn an_unsaved_change_waits_on_top_of_what_redis_has() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Stored, 1, NOW, 1);
    assert!(index.change_profile(&id(1), &status("full", NOW)));
    assert!(index.change_profile(&id(1), &status("busy", NOW)));
    assert_eq!(shown(&index, 1).as_deref(), Some("busy"));
    let mut in_redis = status("free", NOW - 1);
    (in_redis.capacity, in_redis.times.capacity_ms) = (Some(2), NOW);
    read(&index, 1, in_redis.clone(), 3);
    assert_eq!(shown(&index, 1).as_deref(), Some("busy"));
    assert_eq!(index.profile("d-1").unwrap().capacity, Some(2));

    let unsaved = index.unsaved(10);
    let change = unsaved[0].change.clone().unwrap();
    assert_eq!((&*change, unsaved[0].position_unsaved), (&status("busy", NOW), false));
    index.mark_profiles_saved(&[(id(1), Arc::new(status("busy", NOW)))]);
    assert_eq!(index.unsaved_len(), 1, "an equal change is not the same");
    read(&index, 1, status("busy", NOW), 5);
    index.mark_profiles_saved(&[(id(1), change)]);
    assert_eq!(index.unsaved_len(), 0);
    read(&index, 1, in_redis, 4);
    assert_eq!(
        shown(&index, 1).as_deref(),
        Some("busy"),
        "read before ours was written"
    );

    // A value that another instance sets later is not hidden by an earlier unsaved change.
    index.change_profile(&id(1), &status("late", NOW - 10));
    assert_eq!(shown(&index, 1).as_deref(), Some("busy"));
}

#[test]
fn what_redis_lost_of_a_profile_becomes_unsaved_at_a_load() {
    let index = LiveIndex::new(TTL, 10);
    for n in 1..=4 {
        put(&index, Origin::Stored, n, NOW, 7);
        read(&index, n, status("new", NOW - 10), 7);
    }
    index.begin_reload();
    // Four cases: all lost, the latest change lost, unchanged, and changed since, in a Redis that numbers from the start.
    let readings = [
        (Profile::default(), 0),
        (status("old", NOW - 20), 3),
        (status("new", NOW - 10), 2),
        (status("newer", NOW - 5), 1),
    ];
    for (n, (profile, version)) in (1..).zip(readings) {
        read(&index, n, profile, version);
    }
    let unsaved: Vec<_> = index
        .unsaved(10)
        .iter()
        .map(|u| (u.id.to_string(), u.position_unsaved))
        .collect();
    assert_eq!(unsaved, [("d-1".to_owned(), false), ("d-2".to_owned(), false)]);
    let all = (1..=4).map(|n| shown(&index, n).unwrap()).collect::<Vec<_>>();
    assert_eq!(all, ["new", "new", "new", "newer"]);
}

#[test]
fn a_reading_from_before_a_change_that_was_heard_since_the_load_began_is_ignored() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Stored, 1, NOW, 7);
    index.begin_reload();
    read(&index, 1, status("heard", NOW), 9);
    read(&index, 1, status("loaded", NOW - 10), 8);
    assert_eq!((shown(&index, 1).as_deref(), index.unsaved_len()), (Some("heard"), 0));
}

#[test]
fn an_entity_whose_profile_was_never_read_is_new_for_any_origin() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Local, 1, NOW, 0);
    let mut outcomes = Vec::new();
    let mut hear = |timestamp_ms| {
        let heard = [update(1, here(), timestamp_ms, 1)];
        index.apply_each(Origin::Stored, &heard, NOW, |_, outcome| outcomes.push(outcome));
    };
    hear(NOW + 1);
    assert_eq!(index.never_read([id(1), id(2)].into_iter()), [id(1)]);
    read(&index, 1, Profile::default(), 0);
    hear(NOW + 2);
    assert_eq!(outcomes, [Outcome::Created, Outcome::Applied]);
    assert_eq!(index.never_read([id(1)].into_iter()), []);
}

#[test]
fn what_redis_has_lost_becomes_unsaved_at_a_load() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Stored, 1, NOW, 7);
    put(&index, Origin::Stored, 2, NOW, 7);
    index.begin_reload();
    put(&index, Origin::Loaded, 1, NOW - 10, 0);
    put(&index, Origin::Loaded, 2, NOW, 7);
    assert_eq!(
        index.unsaved(10).iter().map(|u| u.id.as_str()).collect::<Vec<_>>(),
        ["d-1"]
    );
}

#[test]
fn a_load_settles_what_is_equally_new() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Stored, 1, NOW, 7);
    index.begin_reload();
    put(&index, Origin::Loaded, 1, NOW, 8);
    assert_eq!(index.get("d-1", NOW).unwrap().fix.received_us, 8);
    index.begin_reload();
    assert!(index.remove(Origin::Loaded, &id(1), removed(NOW, 9)));
    index.begin_reload();
    put(&index, Origin::Loaded, 1, NOW, 8);
    assert_eq!((index.len(), index.unsaved_len()), (0, 1), "Redis has lost the removal");
}

#[test]
fn an_older_fix_that_is_stored_while_a_load_is_under_way_does_not_hide_that_redis_lost_the_newer_one() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Stored, 1, NOW, 7);
    index.begin_reload();
    put(&index, Origin::Stored, 1, NOW - 5, 8);
    put(&index, Origin::Loaded, 1, NOW - 5, 8);
    assert_eq!(index.unsaved_len(), 1);
}

#[test]
fn what_is_older_than_something_heard_since_the_load_began_was_not_lost() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Stored, 1, NOW - 5, 7);
    index.begin_reload();
    put(&index, Origin::Stored, 1, NOW, 8);
    put(&index, Origin::Loaded, 1, NOW - 5, 0);
    assert_eq!(index.unsaved_len(), 0);
}

#[test]
fn a_reload_returns_entities_that_redis_did_not_confirm() {
    let index = LiveIndex::new(TTL, 1_000);
    (0..700).for_each(|n| put(&index, Origin::Stored, n, NOW, 1));
    (0..700).for_each(|n| read(&index, n, Profile::default(), 0));
    index.remove(Origin::Stored, &id(3), removed(NOW, 1));
    put(&index, Origin::Stored, 4, NOW - TTL, 1);
    index.begin_reload();
    put(&index, Origin::Loaded, 0, NOW, 1);
    read(&index, 0, Profile::default(), 0);
    put(&index, Origin::Local, 1, NOW + 1, 0);
    let (mut missing, mut cursor) = (Vec::new(), Some(0));
    while let Some(from) = cursor {
        let (some, next) = index.missing_after_reload(from, 100, NOW);
        assert!(some.len() <= 100);
        missing.extend(some);
        cursor = next;
    }
    assert_eq!(missing.len(), 699, "removals as well");
    let found = |n: u32, position: bool| Missing {
        id: id(n),
        position,
        profile: true,
    };
    assert_eq!(missing[..2], [found(1, false), found(2, true)]);
    index.mark_unsaved(&[id(2), id(0)]);
    assert_eq!(index.unsaved_len(), 2, "of the other Redis had a word");
}

#[test]
fn expiry_removes_marks_and_tombstones_but_returns_fixes_only() {
    let index = LiveIndex::new(TTL, 10);
    put(&index, Origin::Local, 1, NOW, 0);
    put(&index, Origin::Stored, 2, NOW + 1, 1);
    index.remove(Origin::Local, &id(3), removed(NOW, 0));
    assert_eq!(swept(&index, NOW + TTL - 1), []);
    assert_eq!(swept(&index, NOW + TTL), [id(1)]);
    assert_eq!((index.len(), index.tombstones(), index.unsaved_len()), (1, 0, 0));
    assert!(index.get("d-2", NOW + TTL).is_some());
}

#[test]
fn a_sweep_continues_where_the_last_one_stopped() {
    let index = LiveIndex::new(TTL, 10_000);
    (0..1_000).for_each(|n| put(&index, Origin::Stored, n, NOW, 1));
    assert_eq!(index.sweep(NOW + TTL, 10).len(), 10);
    assert_eq!(index.sweep(NOW + TTL, 100).len(), 100);
    assert_eq!(index.sweep(NOW + TTL, 5_000).len(), 890);
    assert!(index.is_empty());
}
