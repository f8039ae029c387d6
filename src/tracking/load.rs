//! Loads all data from Redis into the live index, page by page, and handles entities that Redis does not have.

use super::Kind;
use super::commands::{self, MAX_FIXES};
use super::live::{Missing, Origin, Outcome, Update};
use super::profile::VersionedProfile;
use super::profiles;
use super::shared::Shared;
use super::snapshot::Record;
use crate::clock;
use crate::ids::Id;
use crate::store::{Link, StoreError};
use futures_util::{TryStreamExt, stream};
use hashbrown::HashMap;
use std::cell::Cell;

/// Pages of the index that are requested at the same time.
const PAGES_AHEAD: usize = 4;

/// Loads every kind, and removes index entries without a snapshot. Sets `is_reconciling` once all pages are loaded: the profiles of
/// entities that are new before that are read here, those of later ones are not.
pub async fn load(shared: &Shared, link: &Link, is_reconciling: &Cell<bool>) -> Result<(), StoreError> {
    shared.note_redis_clock(link.now_ms().await?);
    for kind in Kind::ALL {
        for partition in 0..link.store().keys().partitions() {
            load_partition(shared, link, kind, partition).await?;
        }
    }
    is_reconciling.set(true);
    for kind in Kind::ALL {
        reconcile(shared, link, kind).await?;
    }
    Ok(())
}

/// A page of the GEO index, with the record and the profile of each of its entities.
struct Page {
    ids: Vec<Id>,
    records: Vec<Option<Record>>,
    profiles: Vec<VersionedProfile>,
}

async fn load_partition(shared: &Shared, link: &Link, kind: Kind, partition: u16) -> Result<(), StoreError> {
    // The next pages are requested while one is applied, so that neither side waits for the other.
    let index = stream::try_unfold(Some(0), |cursor| async move {
        let Some(cursor) = cursor else { return Ok(None) };
        let (next, ids) = commands::index_page(link, kind, partition, cursor).await?;
        Ok(Some((ids, (next != 0).then_some(next))))
    });
    let fetch = |ids| fetch(link, kind, partition, ids);
    let mut pages = std::pin::pin!(index.map_ok(fetch).try_buffered(PAGES_AHEAD));
    while let Some(page) = pages.try_next().await? {
        let ghosts = take_page(shared, kind, page);
        for ghosts in ghosts.chunks(MAX_FIXES) {
            commands::expire(link, kind, partition, ghosts).await?;
        }
    }
    Ok(())
}

async fn fetch(link: &Link, kind: Kind, partition: u16, ids: Vec<Id>) -> Result<Page, StoreError> {
    let (records, profiles) = tokio::try_join!(
        commands::snapshots(link, kind, partition, &ids),
        profiles::read(link, kind, partition, &ids)
    )?;
    Ok(Page { ids, records, profiles })
}

/// Applies a page to the live index. Returns the entities whose snapshot has expired.
fn take_page(shared: &Shared, kind: Kind, page: Page) -> Vec<Id> {
    let Page { ids, records, profiles } = page;
    let is_ghost = |record: &Option<Record>| !matches!(record, Some(Record::Position(..)));
    let ghosts = ids
        .iter()
        .zip(&records)
        .filter(|(_, record)| is_ghost(record))
        .map(|(id, _)| id.clone())
        .collect();
    take(shared, kind, records.into_iter().flatten());
    shared.live(kind).set_profiles(&ids, profiles, shared.redis_now_ms());
    ghosts
}

/// Applies records to the live index, where the newest wins.
fn take(shared: &Shared, kind: Kind, records: impl Iterator<Item = Record>) {
    let live = shared.live(kind);
    let mut updates = Vec::with_capacity(MAX_FIXES);
    for record in records {
        match record {
            Record::Position(id, fix) => updates.push(Update { id, fix }),
            Record::Tombstone(id, removed) => {
                live.remove(Origin::Loaded, &id, removed);
            }
        }
    }
    let now_ms = clock::now_ms();
    live.apply_each(Origin::Loaded, &updates, now_ms, |index, outcome| {
        let Update { id, fix, .. } = &updates[index];
        // The fix is past its time to live by our TTL, or there is no room: without this entry its index entry would never be removed.
        if matches!(outcome, Outcome::Stale | Outcome::Full) && !live.has_record(id) {
            shared
                .orphans
                .add(kind, id, fix.timestamp_ms + shared.settings.ttl_ms(kind));
        }
    });
}

/// Checks each entity in Redis that the live index has and the load did not return. An entity that was removed in Redis is removed
/// here. A fix or removal that Redis lost (it was killed before its file was written, or a replica without it took over) is marked as
/// unsaved, and is written again. Profiles that were not read are read.
async fn reconcile(shared: &Shared, link: &Link, kind: Kind) -> Result<(), StoreError> {
    let live = shared.live(kind);
    let keys = link.store().keys();
    let mut cursor = Some(0);
    while let Some(at) = cursor {
        let (missing, next) = live.missing_after_reload(at, 4 * MAX_FIXES, clock::now_ms());
        cursor = next;
        let mut partitions: HashMap<u16, Vec<Missing>> = HashMap::new();
        for missing in missing {
            partitions.entry(keys.partition(&missing.id)).or_default().push(missing);
        }
        for (partition, missing) in partitions {
            let of = |which: fn(&Missing) -> bool| -> Vec<Id> {
                missing
                    .iter()
                    .filter(|missing| which(missing))
                    .map(|missing| missing.id.clone())
                    .collect()
            };
            for ids in of(|missing| missing.position).chunks(MAX_FIXES) {
                take_or_mark(shared, link, kind, partition, ids).await?;
            }
            profiles::refresh(shared, link, kind, partition, &of(|missing| missing.profile)).await?;
        }
        // If nothing is missing, nothing above yields: let other tasks run.
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn take_or_mark(shared: &Shared, link: &Link, kind: Kind, partition: u16, ids: &[Id]) -> Result<(), StoreError> {
    let records = commands::snapshots(link, kind, partition, ids).await?;
    let lost: Vec<Id> = ids
        .iter()
        .zip(&records)
        .filter(|(_, record)| record.is_none())
        .map(|(id, _)| id.clone())
        .collect();
    take(shared, kind, records.into_iter().flatten());
    if !lost.is_empty() {
        tracing::warn!(%kind, count = lost.len(), "Redis has lost fixes or removals; they are written again");
        shared.live(kind).mark_unsaved(&lost);
    }
    Ok(())
}
