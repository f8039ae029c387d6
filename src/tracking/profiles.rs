//! Profiles in the live index: read from Redis when an entity is first seen and whenever its profile was changed, by
//! whichever instance. The version in the hash decides between two readings that cross.

use super::Kind;
use super::commands::{self, MAX_FIXES, VersionedProfile};
use super::shared::Shared;
use crate::ids::Id;
use crate::store::Link;
use std::sync::Arc;

/// Reads the profiles of entities of one partition into the live index. Without Redis they stay as they are: a reload
/// brings them.
pub async fn refresh(shared: &Shared, link: &Link, kind: Kind, partition: u16, ids: Vec<Id>) {
    for ids in ids.chunks(MAX_FIXES) {
        match commands::profiles(link, kind, partition, ids).await {
            Ok(profiles) => take(shared, kind, ids, profiles),
            Err(error) => tracing::debug!(%error, "profiles cannot be read"),
        }
    }
}

/// Takes what was read of entities, in their order, into the live index.
pub fn take(shared: &Shared, kind: Kind, ids: &[Id], profiles: Vec<VersionedProfile>) {
    let live = shared.live(kind);
    for (id, (profile, version)) in ids.iter().zip(profiles) {
        // Most entities have none; they need no place for one.
        if profile.is_some() || live.profile(id).is_some() {
            live.set_profile(id, profile.map(Arc::new), version);
        }
    }
}
