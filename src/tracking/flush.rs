//! Writes what was accepted while Redis was unavailable, or what Redis has lost: the newest fix or removal of each entity, and its
//! newer profile members. The newest still wins, so an older value of ours does not overwrite what another instance stored; the newer
//! value is then read here. An entity stays unsaved until all of it is known to be in Redis: writing twice changes nothing.

use super::Kind;
use super::commands::{self, MAX_FIXES, Recorded, Removal, Target, Verdict};
use super::live::{Origin, Unsaved, Update};
use super::model::Removed;
use super::profiles;
use super::shared::Shared;
use super::snapshot::Record;
use crate::clock;
use crate::ids::Id;
use crate::store::{Link, StoreError};
use futures_util::future::join_all;
use hashbrown::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How often unsaved entities are searched for.
const CHECK_EVERY: Duration = Duration::from_millis(200);
/// The pause before unsaved positions that Redis did not accept are tried again at the end of the process.
const FLUSH_AGAIN: Duration = Duration::from_millis(100);

/// Flushes forever.
pub async fn keep_flushing(shared: Arc<Shared>, link: Link) {
    let mut tick = tokio::time::interval(CHECK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if !link.is_up() {
            continue;
        }
        for kind in Kind::ALL {
            if let Err(error) = flush(&shared, &link, kind).await {
                tracing::debug!(%kind, %error, "unsaved fixes cannot be written yet");
            }
        }
    }
}

/// Writes unsaved positions, for the end of the process. Waits until a deadline for Redis to become available.
pub async fn last_flush(shared: &Shared, link: &Link, until: Instant) {
    // Together, so that a kind that cannot be written does not keep the others waiting.
    join_all(Kind::ALL.map(|kind| last_flush_of(shared, link, kind, until))).await;
}

async fn last_flush_of(shared: &Shared, link: &Link, kind: Kind, until: Instant) {
    let unsaved = || shared.live(kind).unsaved_len();
    let writing = async {
        while unsaved() > 0 {
            link.connected().await;
            if let Err(error) = flush(shared, link, kind).await {
                tracing::debug!(%kind, %error, "unsaved positions cannot be written yet");
                sleep(FLUSH_AGAIN).await;
            }
        }
    };
    if timeout_at(until, writing).await.is_err() {
        let lost = unsaved();
        tracing::warn!(%kind, lost, "unsaved positions could not be written in time and are lost with this process");
    }
}

/// Writes all entities of a kind that are unsaved when it begins. Returns their number.
///
/// # Errors
/// [`StoreError`] of the first piece that could not be written; it stays unsaved.
pub async fn flush(shared: &Shared, link: &Link, kind: Kind) -> Result<usize, StoreError> {
    let mut left = shared.live(kind).unsaved_len();
    let mut written = 0;
    while left > 0 {
        let piece = shared.live(kind).unsaved(left.min(MAX_FIXES));
        if piece.is_empty() {
            break;
        }
        left -= piece.len();
        written += piece.len();
        let mut partitions: HashMap<u16, Vec<Unsaved>> = HashMap::new();
        for unsaved in piece {
            partitions
                .entry(link.store().keys().partition(&unsaved.id))
                .or_default()
                .push(unsaved);
        }
        for (partition, piece) in partitions {
            write(shared, link, shared.target(kind, partition), &piece).await?;
        }
    }
    if written > 0 {
        tracing::info!(%kind, written, "unsaved fixes were written");
    }
    Ok(written)
}

async fn write(shared: &Shared, link: &Link, target: Target<'_>, piece: &[Unsaved]) -> Result<(), StoreError> {
    let (kind, partition, live) = (target.kind, target.partition, shared.live(target.kind));
    let verdicts = record(link, target, piece).await?;
    let mut saved = Vec::with_capacity(piece.len());
    // Entities for which Redis has newer data.
    let mut newer = Vec::new();
    for unsaved in piece.iter().filter(|unsaved| unsaved.position_unsaved) {
        let is_written = if unsaved.fix.is_some() {
            verdicts.get(&unsaved.id).is_some_and(|verdict| verdict.is_stored)
        } else {
            let removal = Removal::At(Removed {
                at_ms: unsaved.timestamp_ms,
                received_us: unsaved.received_us,
            });
            commands::remove(link, target, &unsaved.id, removal).await?.is_some()
        };
        if is_written {
            saved.push(unsaved);
        } else {
            newer.push(unsaved.id.clone());
        }
    }
    take_newer(shared, link, target, &newer).await?;
    let (with_change, without): (Vec<_>, Vec<_>) = piece.iter().partition(|unsaved| unsaved.change.is_some());
    let mut unread: Vec<Id> = with_change.iter().map(|unsaved| unsaved.id.clone()).collect();
    // An entity that was first seen while Redis was unavailable may have an earlier profile.
    unread.extend(live.never_read(without.iter().map(|unsaved| unsaved.id.clone())));
    profiles::refresh(shared, link, kind, partition, &unread).await?;
    live.mark_saved(saved);
    let changes = with_change
        .into_iter()
        .filter_map(|unsaved| Some((unsaved.id.clone(), Arc::clone(unsaved.change.as_ref()?))));
    live.mark_profiles_saved(&changes.collect::<Vec<_>>());
    Ok(())
}

/// Writes fixes and unsaved profile members. Returns the verdict for each that was written.
async fn record<'a>(
    link: &Link,
    target: Target<'_>,
    piece: &'a [Unsaved],
) -> Result<HashMap<&'a Id, Verdict>, StoreError> {
    let records: Vec<Recorded<'_>> = piece
        .iter()
        .map(|unsaved| Recorded {
            id: &unsaved.id,
            fix: unsaved.fix.as_ref().filter(|_| unsaved.position_unsaved),
            change: unsaved.change.as_deref(),
        })
        .filter(|record| record.fix.is_some() || record.change.is_some())
        .collect();
    if records.is_empty() {
        return Ok(HashMap::new());
    }
    let verdicts = commands::record(link, target, &records).await?;
    let verdicts = piece
        .iter()
        .filter(|unsaved| unsaved.fix.is_some() && unsaved.position_unsaved || unsaved.change.is_some())
        .map(|unsaved| &unsaved.id)
        .zip(verdicts);
    Ok(verdicts.collect())
}

/// Applies Redis's data of entities for which Redis refused ours as older. The message about it may have been missed.
async fn take_newer(shared: &Shared, link: &Link, target: Target<'_>, ids: &[Id]) -> Result<(), StoreError> {
    let live = shared.live(target.kind);
    let records = commands::snapshots(link, target.kind, target.partition, ids).await?;
    let mut updates = Vec::new();
    for record in records.into_iter().flatten() {
        match record {
            Record::Position(id, fix) => updates.push(Update { id, fix }),
            Record::Tombstone(id, removed) => {
                live.remove(Origin::Stored, &id, removed);
            }
        }
    }
    live.apply(Origin::Stored, &updates, clock::now_ms());
    Ok(())
}
