//! Compares the index with the simplest possible one: a list that is scanned from end to end.

mod churn;
mod damage;
mod interleavings;
mod marks;
mod merge;
mod queries;
mod threads;
mod walks;

use super::{LiveIndex, Origin, Update};
use crate::Id;
use crate::geo::{BoundingBox, Point, distance_m};
use crate::model::{Entity, Filter, Fix, Hit, NearbyQuery, Profile, Removed, WithinQuery};
use crate::profile::VersionedProfile;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A point in time, Unix milliseconds.
const NOW: i64 = 1_700_000_000_000;
const TTL: i64 = 300_000;

fn id(n: u32) -> Id {
    Id::parse(&format!("d-{n}")).unwrap()
}

fn at(lat: f64, lon: f64) -> Point {
    Point::new(lat, lon).unwrap()
}

fn fix(point: Point, timestamp_ms: i64) -> Fix {
    Fix {
        speed_mps: Some(3.5),
        ..Fix::new(point, timestamp_ms)
    }
}

fn update(n: u32, point: Point, timestamp_ms: i64, received_us: i64) -> Update {
    Update {
        id: id(n),
        fix: Fix {
            received_us,
            ..fix(point, timestamp_ms)
        },
    }
}

fn nearest(center: Point, radius_m: f64, limit: usize) -> NearbyQuery {
    NearbyQuery {
        center,
        radius_m,
        limit,
        filter: Filter::default(),
    }
}

fn inside(bounds: BoundingBox, limit: usize) -> WithinQuery {
    WithinQuery {
        bounds,
        limit,
        filter: Filter::default(),
        after: None,
    }
}

fn ids(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.entity.id.as_str()).collect()
}

/// The reference: a map by id that is scanned from end to end.
#[derive(Debug, Default)]
struct Naive {
    entities: BTreeMap<Id, Entity>,
}

impl Naive {
    fn put(&mut self, update: &Update) {
        let profile = self.entities.get(&update.id).and_then(|known| known.profile.clone());
        let (id, fix) = (update.id.clone(), update.fix);
        self.entities.insert(id.clone(), Entity { id, fix, profile });
    }

    fn passing<'a>(&'a self, filter: &'a Filter, now_ms: i64) -> impl Iterator<Item = &'a Entity> {
        self.entities.values().filter(move |entity| {
            let age = (now_ms - entity.fix.timestamp_ms).max(0);
            age < TTL && filter.max_age_ms.is_none_or(|most| age <= most) && filter.accepts(entity.profile.as_deref())
        })
    }

    fn nearby(&self, query: &NearbyQuery, now_ms: i64) -> Vec<Hit> {
        let mut hits: Vec<Hit> = self
            .passing(&query.filter, now_ms)
            .map(|entity| Hit {
                entity: entity.clone(),
                distance_m: distance_m(query.center, entity.fix.point),
            })
            .filter(|hit| hit.distance_m <= query.radius_m)
            .collect();
        hits.sort_by(|a, b| {
            let by_id = || a.entity.id.cmp(&b.entity.id);
            a.distance_m.total_cmp(&b.distance_m).then_with(by_id)
        });
        hits.truncate(query.limit);
        hits
    }

    fn within(&self, bbox: &BoundingBox, filter: &Filter, now_ms: i64) -> Vec<Entity> {
        self.passing(filter, now_ms)
            .filter(|entity| bbox.contains(entity.fix.point))
            .cloned()
            .collect()
    }
}

fn profile(status: &str, capacity: u32) -> Arc<Profile> {
    Arc::new(Profile {
        status: Some(status.into()),
        capacity: Some(capacity),
        ..Profile::default()
    })
}

fn set_profile(index: &LiveIndex, n: u32, profile: Arc<Profile>) {
    let profile = Arc::unwrap_or_clone(profile);
    index.set_profiles(&[id(n)], vec![VersionedProfile { profile, version: 1 }], NOW);
}

fn removed(at_ms: i64, received_us: i64) -> Removed {
    Removed { at_ms, received_us }
}
