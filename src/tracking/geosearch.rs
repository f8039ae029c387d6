//! Answers `source=redis` queries from Redis itself, for clients that prefer current data to a fast answer.
//!
//! The GEO index holds places rounded to some decimetres; the snapshots hold them exactly. So the search requests more entries than the
//! limit and computes their exact distances. It ends when no further entry can be nearer than those found. Other programs may have added
//! members that are not ids; they are counted and skipped.

use super::Kind;
use super::commands::{self, MAX_FIXES};
use super::model::{Entity, Hit, NearbyQuery};
use super::shared::Shared;
use super::snapshot::Record;
use crate::geo::distance_m;
use crate::http::Problem;
use crate::ids::Id;
use crate::store::{Link, StoreError};
use std::sync::Arc;

/// The largest distance of a place in the index from the exact place, metres: half a cell of 52 bits is at most 0.3 m by 0.15 m. That
/// Redis computes on a sphere that is 0.02 % larger than ours is covered by [`STRETCH`].
const ROUNDING_M: f64 = 0.5;
/// Redis's earth radius is 6 372 797.560856 m, ours 6 371 008.8 m.
const STRETCH: f64 = 6_372_797.560_856 / 6_371_008.8;
/// The most index entries that a query may examine; beyond that it is refused.
const MAX_EXAMINED: usize = 65_536;

/// Returns the nearest entities, by `GEOSEARCH` and exact distances.
///
/// # Errors
/// 503 while Redis is unavailable, 422 if too few of the nearest 65,536 pass the filter.
pub async fn nearby(
    shared: &Shared,
    link: &Link,
    kind: Kind,
    query: &NearbyQuery,
    now_ms: i64,
) -> Result<Vec<Hit>, Problem> {
    let Ok(_permit) = shared.searches.try_acquire() else {
        return Err(Problem::unavailable(
            "too many searches in Redis are in progress; try again, or use source=live",
            1,
        ));
    };
    let mut hits = Vec::new();
    for partition in 0..link.store().keys().partitions() {
        hits.extend(nearby_in(shared, link, kind, partition, query, now_ms).await?);
    }
    sort(&mut hits, query.limit);
    Ok(hits)
}

fn sort(hits: &mut Vec<Hit>, limit: usize) {
    hits.sort_by(|a, b| {
        a.distance_m
            .total_cmp(&b.distance_m)
            .then_with(|| a.entity.id.cmp(&b.entity.id))
    });
    hits.truncate(limit);
}

async fn nearby_in(
    shared: &Shared,
    link: &Link,
    kind: Kind,
    partition: u16,
    query: &NearbyQuery,
    now_ms: i64,
) -> Result<Vec<Hit>, Problem> {
    let radius_m = query.radius_m * STRETCH + ROUNDING_M;
    let mut count = 2 * query.limit + 32;
    loop {
        let found = commands::search(link, kind, partition, query.center, radius_m, count)
            .await
            .map_err(unavailable)?;
        let mut hits = Vec::new();
        for found in found.chunks(MAX_FIXES) {
            hits.extend(
                exact(shared, link, kind, partition, query, now_ms, found)
                    .await
                    .map_err(unavailable)?,
            );
            // Profiles may be large: no more of them are kept than can be in the answer.
            sort(&mut hits, query.limit);
        }
        let beyond_m = found
            .last()
            .map_or(0.0, |(_, distance_m)| distance_m / STRETCH - ROUNDING_M);
        let settled = hits.len() == query.limit && hits.last().is_some_and(|last| last.distance_m < beyond_m);
        if found.len() < count || settled {
            return Ok(hits);
        }
        if count >= MAX_EXAMINED {
            return Err(Problem::invalid_parameter(
                "radius_m",
                "too many entities are inside it and too few pass the filter; use a smaller one or source=live",
            ));
        }
        count = (4 * count).min(MAX_EXAMINED);
    }
}

/// Returns the entities of index entries that are within the radius by exact distance and pass the filter.
async fn exact(
    shared: &Shared,
    link: &Link,
    kind: Kind,
    partition: u16,
    query: &NearbyQuery,
    now_ms: i64,
    found: &[(Option<Id>, f64)],
) -> Result<Vec<Hit>, StoreError> {
    let ids: Vec<Id> = found.iter().filter_map(|(id, _)| id.clone()).collect();
    let (records, profiles) = tokio::try_join!(
        commands::snapshots(link, kind, partition, &ids),
        commands::profiles(link, kind, partition, &ids)
    )?;
    let oldest = shared
        .settings
        .ttl_ms(kind)
        .min(query.filter.max_age_ms.map_or(i64::MAX, |age| age.saturating_add(1)));
    let hits = ids.iter().zip(records.into_iter().zip(profiles));
    let hits = hits.filter_map(|(asked, (record, reading))| {
        let Some(Record::Position(id, fix)) = record else {
            return None;
        };
        // A snapshot under the key of another entity is ignored.
        if id != *asked {
            return None;
        }
        let profile = Some(&reading.profile).filter(|profile| !profile.is_blank());
        let distance_m = distance_m(query.center, fix.point);
        let wanted =
            distance_m <= query.radius_m && now_ms - fix.timestamp_ms < oldest && query.filter.accepts(profile);
        wanted.then(|| Hit {
            entity: Entity {
                id,
                fix,
                profile: profile.cloned().map(Arc::new),
            },
            distance_m,
        })
    });
    Ok(hits.collect())
}

/// Returns the problem for a search that failed.
fn unavailable(error: StoreError) -> Problem {
    tracing::debug!(%error, "GEOSEARCH failed");
    match error {
        StoreError::Unavailable | StoreError::Lost(_) => {
            Problem::unavailable("Redis is unavailable; use source=live, which does not need it", 1)
        }
        error => error.into(),
    }
}
