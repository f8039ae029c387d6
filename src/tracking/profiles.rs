//! Reads profiles from Redis into the live index: when an entity is new, and whenever an instance has changed its profile. The version in
//! the hash decides between two readings that overlap.

use super::Kind;
use super::commands::{self, MAX_FIXES};
use super::profile::VersionedProfile;
use super::shared::Shared;
use crate::ids::Id;
use crate::store::{Link, StoreError};

/// Reads the profiles of entities of one partition into the live index.
pub async fn refresh(shared: &Shared, link: &Link, kind: Kind, partition: u16, ids: &[Id]) -> Result<(), StoreError> {
    for ids in ids.chunks(MAX_FIXES) {
        let readings = read(link, kind, partition, ids).await?;
        shared.live(kind).set_profiles(ids, readings, shared.redis_now_ms());
    }
    Ok(())
}

/// Does the same as [`refresh`]. If it fails, it requests a full load, because no other task would read these profiles.
pub async fn refresh_or_reload(shared: &Shared, link: &Link, kind: Kind, partition: u16, ids: Vec<Id>) {
    if let Err(error) = refresh(shared, link, kind, partition, &ids).await {
        tracing::debug!(%error, "profiles cannot be read");
        shared.resync.notify_one();
    }
}

/// Reads the profiles of entities, in the same order.
pub async fn read(link: &Link, kind: Kind, partition: u16, ids: &[Id]) -> Result<Vec<VersionedProfile>, StoreError> {
    // In most fleets few entities have a profile: then one command is enough.
    if ids.len() > 1 && !commands::any_profile(link, kind, partition, ids).await? {
        return Ok(vec![VersionedProfile::default(); ids.len()]);
    }
    commands::profiles(link, kind, partition, ids).await
}
