//! Profiles in the live index: read from Redis when an entity is first seen and whenever its profile was changed, by
//! whichever instance. The version in the hash decides between two readings that cross.

use super::Kind;
use super::commands::{self, MAX_FIXES, VersionedProfile};
use super::shared::Shared;
use crate::ids::Id;
use crate::store::{Link, StoreError};
use std::sync::Arc;

/// Reads the profiles of entities of one partition into the live index.
pub async fn refresh(shared: &Shared, link: &Link, kind: Kind, partition: u16, ids: Vec<Id>) -> Result<(), StoreError> {
    for ids in ids.chunks(MAX_FIXES) {
        take(shared, kind, ids, read(link, kind, partition, ids).await?);
    }
    Ok(())
}

/// As [`refresh`]; if it fails, all is loaded anew, because nobody would read these again.
pub async fn refresh_or_reload(shared: &Shared, link: &Link, kind: Kind, partition: u16, ids: Vec<Id>) {
    if let Err(error) = refresh(shared, link, kind, partition, ids).await {
        tracing::debug!(%error, "profiles cannot be read");
        shared.resync.notify_one();
    }
}

/// Reads the profiles of entities, in their order; nothing where none of them has one.
pub async fn read(link: &Link, kind: Kind, partition: u16, ids: &[Id]) -> Result<Vec<VersionedProfile>, StoreError> {
    // Few have a profile in most fleets, and then one question is enough.
    if ids.len() > 1 && !commands::any_profile(link, kind, partition, ids).await? {
        return Ok(Vec::new());
    }
    commands::profiles(link, kind, partition, ids).await
}

/// Takes what was read of entities, in their order, into the live index.
pub fn take(shared: &Shared, kind: Kind, ids: &[Id], profiles: Vec<VersionedProfile>) {
    let live = shared.live(kind);
    for (id, (profile, version)) in ids.iter().zip(profiles) {
        // Most entities have none, and need no place to remember that. A deletion has a version, to outdo older readings.
        if profile.is_some() || version > 0 {
            live.set_profile(id, profile.map(Arc::new), version);
        }
    }
}
