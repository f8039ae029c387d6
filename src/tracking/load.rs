//! The whole of Redis into the live index, piece by piece, and what to do about entities that Redis turns out not to have.

use super::Kind;
use super::commands::{self, MAX_FIXES};
use super::live::{Origin, Update};
use super::shared::{Shared, now_ms};
use super::snapshot::Word;
use crate::ids::Id;
use crate::store::{Link, StoreError};
use hashbrown::HashMap;
use std::sync::Arc;

/// Loads every kind. Index entries without a snapshot are taken out on the way.
pub async fn load(shared: &Shared, link: &Link) -> Result<(), StoreError> {
    for kind in Kind::ALL {
        for partition in 0..link.store().keys().partitions() {
            load_partition(shared, link, kind, partition).await?;
        }
        reconcile(shared, link, kind).await?;
    }
    Ok(())
}

async fn load_partition(shared: &Shared, link: &Link, kind: Kind, partition: u16) -> Result<(), StoreError> {
    let mut page = commands::index_page(link, kind, partition, 0).await?;
    loop {
        let (cursor, ids) = page;
        // The next piece is on its way while this one is read.
        let (words, profiles, next) = tokio::try_join!(
            commands::snapshots(link, kind, partition, &ids),
            commands::profiles(link, kind, partition, &ids),
            async {
                if cursor == 0 {
                    return Ok(None);
                }
                commands::index_page(link, kind, partition, cursor).await.map(Some)
            }
        )?;
        let mut ghosts = Vec::new();
        for (id, word) in ids.iter().zip(&words) {
            if !matches!(word, Some(Word::At(..))) {
                ghosts.push(id.clone());
            }
        }
        take(shared, kind, words.into_iter().flatten());
        for (id, (profile, version)) in ids.iter().zip(profiles) {
            if profile.is_some() || shared.live(kind).profile(id).is_some() {
                shared.live(kind).set_profile(id, profile.map(Arc::new), version);
            }
        }
        for ghosts in ghosts.chunks(MAX_FIXES) {
            commands::expire(link, kind, partition, ghosts).await?;
        }
        match next {
            Some(next) => page = next,
            None => return Ok(()),
        }
    }
}

/// Takes Redis's words into the live index, where the newest wins.
fn take(shared: &Shared, kind: Kind, words: impl Iterator<Item = Word>) {
    let live = shared.live(kind);
    let mut updates = Vec::with_capacity(MAX_FIXES);
    for word in words {
        match word {
            Word::At(id, fix) => updates.push(Update { id, fix, seq: 0 }),
            Word::Removed(id, at_ms) => {
                live.remove(Origin::Loaded, &id, at_ms, 0);
            }
        }
    }
    live.apply(Origin::Loaded, &updates, now_ms());
}

/// Entities that the live index knows and the GEO index did not name: Redis was asked about each. One that was removed is
/// removed here; one that Redis lost (it was killed before its file was written, or a replica without it took over) is
/// marked unsaved, to be written again.
async fn reconcile(shared: &Shared, link: &Link, kind: Kind) -> Result<(), StoreError> {
    let live = shared.live(kind);
    let mut cursor = Some(0);
    while let Some(at) = cursor {
        let (missing, next) = live.missing_after_reload(at, 4 * MAX_FIXES);
        cursor = next;
        let mut partitions: HashMap<u16, Vec<Id>> = HashMap::new();
        for (id, _) in missing {
            partitions
                .entry(link.store().keys().partition(&id))
                .or_default()
                .push(id);
        }
        for (partition, ids) in partitions {
            for ids in ids.chunks(MAX_FIXES) {
                let words = commands::snapshots(link, kind, partition, ids).await?;
                let lost: Vec<Id> = ids
                    .iter()
                    .zip(&words)
                    .filter(|(_, word)| word.is_none())
                    .map(|(id, _)| id.clone())
                    .collect();
                take(shared, kind, words.into_iter().flatten());
                if !lost.is_empty() {
                    tracing::warn!(%kind, count = lost.len(), "Redis has lost fixes; they are written again");
                    live.mark_unsaved(&lost);
                }
            }
        }
        // Nothing above waits where nothing is missing; let others have the thread.
        tokio::task::yield_now().await;
    }
    Ok(())
}
