//! Profiles in the live index: read from Redis when an entity is first seen and whenever its profile was changed, by
//! whichever instance. The version in the hash decides between two readings that cross.

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

/// As [`refresh`]; if it fails, all is loaded anew, because nobody would read these again.
pub async fn refresh_or_reload(shared: &Shared, link: &Link, kind: Kind, partition: u16, ids: Vec<Id>) {
    if let Err(error) = refresh(shared, link, kind, partition, &ids).await {
        tracing::debug!(%error, "profiles cannot be read");
        shared.resync.notify_one();
    }
}

/// Reads the profiles of entities, in the same order.
pub async fn read(link: &Link, kind: Kind, partition: u16, ids: &[Id]) -> Result<Vec<VersionedProfile>, StoreError> {
    // Few have a profile in most fleets, and then one question is enough.
    if ids.len() > 1 && !commands::any_profile(link, kind, partition, ids).await? {
        return Ok(vec![VersionedProfile::default(); ids.len()]);
    }
    commands::profiles(link, kind, partition, ids).await
}
