//! What was taken while Redis was away, written when it is back: the newest fix or removal of each entity and the changes of its profile. The
//! newest still wins, so a fix that another instance stored meanwhile is not overwritten by an older one of ours.

use super::Kind;
use super::commands::{self, MAX_FIXES, ProfileChange, ProfileVerdict, Recorded, Target, Verdict};
use super::live::Unsaved;
use super::profiles;
use super::shared::Shared;
use crate::ids::Id;
use crate::store::{Link, StoreError};
use hashbrown::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether something is unsaved.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Flushes for ever.
pub async fn keep_flushing(shared: Arc<Shared>, link: Link) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
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

/// Writes everything of a kind that was unsaved when it began. Returns how many entities that were.
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
            write(shared, link, kind, partition, &piece).await?;
        }
    }
    if written > 0 {
        tracing::info!(%kind, written, "unsaved fixes were written");
    }
    Ok(written)
}

async fn write(shared: &Shared, link: &Link, kind: Kind, partition: u16, piece: &[Unsaved]) -> Result<(), StoreError> {
    let live = shared.live(kind);
    let target = shared.target(kind, partition);
    let positions = || piece.iter().filter(|unsaved| unsaved.position_unsaved);
    let fixes: Vec<Recorded<'_>> = positions()
        .filter_map(|unsaved| {
            unsaved.fix.as_ref().map(|fix| Recorded {
                id: &unsaved.id,
                fix,
                patch: None,
            })
        })
        .collect();
    if !fixes.is_empty() {
        let (sequence, verdicts) = commands::record(link, target, &fixes).await?;
        // One that was stale is no longer ours to write: the newer one comes by the feed.
        let saved: Vec<(Id, i64, u64)> = fixes
            .iter()
            .zip(verdicts)
            .map(|(recorded, verdict)| {
                let stored = matches!(verdict, Verdict::Stored | Verdict::StoredWithProfile);
                let seq = if stored { sequence } else { 0 };
                (recorded.id.clone(), recorded.fix.timestamp_ms, seq)
            })
            .collect();
        live.mark_saved(&saved);
        // One that was first seen while Redis was away may have a profile from before.
        let strangers = saved
            .into_iter()
            .map(|(id, ..)| id)
            .filter(|id| live.profile(id).is_none())
            .collect();
        profiles::refresh(shared, link, kind, partition, strangers).await?;
    }
    for unsaved in positions().filter(|unsaved| unsaved.fix.is_none()) {
        let removed = commands::remove(link, target, &unsaved.id, Some(unsaved.timestamp_ms)).await?;
        let sequence = removed.map_or(0, |(sequence, _)| sequence);
        live.mark_saved(&[(unsaved.id.clone(), unsaved.timestamp_ms, sequence)]);
    }
    for unsaved in piece {
        write_profile(shared, link, target, unsaved).await?;
    }
    Ok(())
}

/// Merges what was patched into what Redis has by now.
async fn write_profile(shared: &Shared, link: &Link, target: Target<'_>, unsaved: &Unsaved) -> Result<(), StoreError> {
    let Some(patch) = &unsaved.patch else { return Ok(()) };
    let verdict = commands::change_profile(link, target, &unsaved.id, ProfileChange::Merge(patch)).await?;
    let sequence = match verdict {
        ProfileVerdict::Changed(sequence) => sequence,
        ProfileVerdict::Absent | ProfileVerdict::TooManyAttributes => 0,
    };
    let live = shared.live(target.kind);
    live.mark_profiles_saved(&[(unsaved.id.clone(), Arc::clone(patch), sequence)]);
    profiles::refresh(shared, link, target.kind, target.partition, vec![unsaved.id.clone()]).await
}
