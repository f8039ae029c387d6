//! Newest wins, in whatever order changes arrive.

use super::*;
use crate::live::Outcome;
use crate::profile::VersionedProfile;
use proptest::prelude::*;

#[derive(Debug, Clone, Copy)]
enum Change {
    Fix {
        timestamp_ms: i64,
        received_us: i64,
        place: u8,
    },
    Removal {
        timestamp_ms: i64,
        received_us: i64,
    },
}

fn receive(index: &LiveIndex, change: Change) {
    match change {
        Change::Fix {
            timestamp_ms,
            received_us,
            place,
        } => {
            let update = update(1, at(f64::from(place), 0.0), timestamp_ms, received_us);
            index.apply(Origin::Stored, &[update], NOW);
        }
        Change::Removal {
            timestamp_ms,
            received_us,
        } => {
            index.remove(Origin::Stored, &id(1), removed(timestamp_ms, received_us));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_order_of_changes_does_not_matter(
        (sent, shuffled) in prop::collection::vec((0..20_i64, any::<bool>(), 0..80_u8), 1..30).prop_map(|sent| {
            // No two are received in the same microsecond.
            sent.into_iter().zip(1..).map(|((back, removal, place), received_us)| {
                let timestamp_ms = NOW - back;
                if removal { Change::Removal { timestamp_ms, received_us } } else { Change::Fix { timestamp_ms, received_us, place } }
            }).collect::<Vec<_>>()
        }).prop_flat_map(|sent| (Just(sent.clone()), Just(sent).prop_shuffle())),
    ) {
        let (one, other) = (LiveIndex::new(TTL, 10), LiveIndex::new(TTL, 10));
        for (sent, shuffled) in sent.into_iter().zip(shuffled) {
            receive(&one, sent);
            receive(&other, shuffled);
        }
        prop_assert_eq!(one.get("d-1", NOW), other.get("d-1", NOW));
        prop_assert_eq!((one.len(), one.tombstones()), (other.len(), other.tombstones()));
    }
}

#[test]
fn each_update_of_a_batch_has_its_outcome() {
    let index = LiveIndex::new(TTL, 2);
    let here = at(0.0, 0.0);
    let batch = [
        update(1, here, NOW, 5),
        update(1, here, NOW, 4),
        update(1, here, NOW, 5),
        update(2, here, NOW - TTL, 1),
        update(2, here, NOW, 1),
        update(3, here, NOW, 1),
    ];
    let mut outcomes = Vec::new();
    index.apply_each(Origin::Stored, &batch, NOW, |i, outcome| outcomes.push((i, outcome)));
    let expected = [
        Outcome::Created,
        Outcome::Stale,
        Outcome::Created,
        Outcome::Created,
        Outcome::Created,
        Outcome::Full,
    ];
    assert_eq!(outcomes, expected.into_iter().enumerate().collect::<Vec<_>>());
}

#[test]
fn a_fix_that_redis_has_is_taken_at_any_age_so_that_the_sweep_finds_it() {
    let index = LiveIndex::new(TTL, 10);
    let late = [update(1, at(0.0, 0.0), NOW - TTL, 1)];
    assert_eq!(index.apply(Origin::Stored, &late, NOW).fresh, 1);
    assert_eq!(index.get(&id(1), NOW), None);
    assert_eq!(index.sweep(NOW, 100)[0].id, id(1));
}

#[test]
fn a_late_fix_does_not_revive_and_a_new_one_does() {
    let index = LiveIndex::new(TTL, 10);
    let here = at(0.0, 0.0);
    index.apply(Origin::Stored, &[update(1, here, NOW, 1)], NOW);
    assert!(
        !index.remove(Origin::Stored, &id(1), removed(NOW - 1, 9)),
        "older than the fix"
    );
    assert!(index.remove(Origin::Stored, &id(1), removed(NOW + 5, 2)));
    assert!(
        !index.remove(Origin::Stored, &id(1), removed(NOW + 5, 2)),
        "already gone"
    );
    index.apply(Origin::Stored, &[update(1, here, NOW + 4, 3)], NOW);
    assert_eq!((index.get("d-1", NOW), index.len(), index.tombstones()), (None, 0, 1));
    index.apply(Origin::Stored, &[update(1, here, NOW + 6, 3)], NOW);
    assert!(index.get("d-1", NOW).is_some());
    assert_eq!((index.len(), index.tombstones()), (1, 0));
}

#[test]
fn a_profile_stays_across_fixes_and_an_older_reading_is_ignored() {
    let index = LiveIndex::new(TTL, 10);
    let read = |status: Option<&str>, version| {
        let profile = status.map_or_else(Profile::default, |status| Profile::clone(&profile(status, 4)));
        index.set_profiles(&[id(1)], vec![VersionedProfile { profile, version }], NOW);
    };
    read(Some("free"), 1);
    assert!(!index.has_record(&id(1)), "unknown entity");
    index.apply(Origin::Stored, &[update(1, at(0.0, 0.0), NOW, 1)], NOW);
    read(Some("busy"), 3);
    read(Some("free"), 2);
    index.apply(Origin::Stored, &[update(1, at(50.0, 0.0), NOW + 1, 4)], NOW);
    assert_eq!(index.get("d-1", NOW).unwrap().profile, Some(profile("busy", 4)));
    read(None, 5);
    read(Some("free"), 4);
    assert_eq!(index.profile("d-1"), None, "older than the deletion");
}
