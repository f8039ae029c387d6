//! Removes expired entities from the live index and from the GEO index of Redis.
//!
//! Every instance has the timestamps of all entities, so no scan of Redis is needed to find those that have expired. All instances
//! remove the same entities, which is harmless: the script removes an index entry only if its snapshot has expired. The next load finds
//! what expired while no instance ran.
//!
//! A profile expires its own TTL after the last position. Each instance extends the TTL of the profiles of the entities in its live
//! index, periodically and when a position expires, so that no write of a position has to do it.

use super::Kind;
use super::commands::{self, MAX_FIXES};
use super::live::Swept;
use super::shared::Shared;
use crate::clock;
use crate::ids::Id;
use crate::store::{Link, StoreError};
use hashbrown::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a part of the index is swept.
const TICK: Duration = Duration::from_millis(250);
/// The number of ticks in which the whole index is swept: every expired entity is found within 4 s.
const TICKS_A_ROUND: usize = 16;
/// The delay from the expiry here to the check of an entity in Redis, milliseconds.
const ASK_AFTER_MS: i64 = 500;
/// The same for an entity that was checked before, milliseconds. Redis expires snapshots by its own clock, which may be behind
/// ours.
const ASK_AGAIN_AFTER_MS: i64 = 3_000;
/// The most entities that are checked in Redis in a tick.
const MOST_ASKED: usize = 8_192;
/// How often the TTL of a profile is extended within that TTL.
const KEEPINGS: u32 = 30;
/// The fewest slots that are scanned for profiles in a tick: a million take two minutes.
const MIN_SCANNED: u32 = 2048;

/// Sweeps forever.
pub async fn keep_sweeping(shared: Arc<Shared>, link: Link) {
    let mut keeping = Keeping::default();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let mut with_profile = Vec::new();
        for kind in Kind::ALL {
            with_profile.extend(sweep(&shared, kind).map(|id| (kind, id)));
        }
        shared.measure();
        if !link.is_up() {
            continue;
        }
        with_profile.extend(keeping.next(&shared));
        let asked = async {
            keep_profiles(&shared, &link, with_profile).await?;
            ask_about_orphans(&shared, &link).await
        };
        if let Err(error) = asked.await {
            tracing::debug!(%error, "expired entities cannot be removed from Redis yet");
        }
    }
}

/// Sweeps a part of a kind's live index. Returns the expired entities that have a profile.
fn sweep(shared: &Shared, kind: Kind) -> impl Iterator<Item = Id> {
    let live = shared.live(kind);
    let now_ms = clock::now_ms();
    let swept = live.sweep(now_ms, 1024 + live.slots() / TICKS_A_ROUND);
    let expired = shared.metrics.expired.with_label_values(&[kind.as_str()]);
    expired.inc_by(swept.len() as u64);
    if shared.store.is_configured() {
        for Swept { id, .. } in &swept {
            shared.orphans.add(kind, id, now_ms + ASK_AFTER_MS);
        }
    }
    swept
        .into_iter()
        .filter(|swept| swept.has_profile)
        .map(|swept| swept.id)
}

/// Removes the index entries of entities whose snapshots have expired from Redis. Checks again later the entities whose snapshot still
/// exists but that the live index does not have, and those for which the call failed.
async fn ask_about_orphans(shared: &Shared, link: &Link) -> Result<(), StoreError> {
    let now_ms = clock::now_ms();
    let due = shared.orphans.take_due(now_ms, MOST_ASKED);
    let mut result = Ok(());
    for ((kind, partition), ids) in by_partition(shared, due) {
        for ids in ids.chunks(MAX_FIXES) {
            let ends = match &result {
                Ok(()) => commands::expire(link, kind, partition, ids).await,
                Err(_) => Ok(vec![Some(0); ids.len()]),
            };
            let ends = ends.unwrap_or_else(|error| {
                result = Err(error);
                vec![Some(0); ids.len()]
            });
            let live = shared.live(kind);
            for (id, ends_ms) in ids.iter().zip(ends) {
                // The sweep handles entities that the live index has.
                if let Some(ends_ms) = ends_ms.filter(|_| !live.has_record(id)) {
                    shared.orphans.add(kind, id, ends_ms.max(now_ms + ASK_AGAIN_AFTER_MS));
                }
            }
        }
    }
    result
}

/// A scan of the live indexes for profiles whose TTL has to be extended, started [`KEEPINGS`] times within that TTL.
#[derive(Debug, Default)]
struct Keeping {
    began: Option<Instant>,
    /// The next position of the scan, by kind.
    cursors: [Option<u32>; 3],
}

impl Keeping {
    /// Returns the next entities with a profile.
    fn next(&mut self, shared: &Shared) -> Vec<(Kind, Id)> {
        let period = Duration::from_secs(shared.settings.profile_ttl_s.into()) / KEEPINGS;
        let is_over = self.cursors.iter().all(Option::is_none);
        if is_over && self.began.is_none_or(|began| began.elapsed() >= period) {
            self.began = Some(Instant::now());
            self.cursors = [Some(0); 3];
        }
        // Fast enough to end within a period.
        let ticks = u32::try_from(period.as_millis() / TICK.as_millis())
            .unwrap_or(u32::MAX)
            .max(1);
        let mut found = Vec::new();
        for (kind, cursor) in Kind::ALL.into_iter().zip(&mut self.cursors) {
            if let Some(at) = *cursor {
                let slots = u32::try_from(shared.live(kind).slots()).unwrap_or(u32::MAX);
                let (ids, next) = shared.live(kind).with_profile(at, MIN_SCANNED.max(slots / ticks + 1));
                *cursor = next;
                found.extend(ids.into_iter().map(|id| (kind, id)));
            }
        }
        found
    }
}

async fn keep_profiles(shared: &Shared, link: &Link, entities: Vec<(Kind, Id)>) -> Result<(), StoreError> {
    for ((kind, partition), ids) in by_partition(shared, entities) {
        for ids in ids.chunks(MAX_FIXES) {
            commands::keep_profiles(link, shared.target(kind, partition), ids).await?;
        }
    }
    Ok(())
}

fn by_partition(shared: &Shared, entities: Vec<(Kind, Id)>) -> HashMap<(Kind, u16), Vec<Id>> {
    let keys = shared.store.keys();
    let mut parts: HashMap<(Kind, u16), Vec<Id>> = HashMap::new();
    for (kind, id) in entities {
        parts.entry((kind, keys.partition(&id))).or_default().push(id);
    }
    parts
}
