//! The nearest entities among very many, in pieces.

use super::LiveIndex;
use super::grid::{Cell, GridPoint, chord_squared, grid_point, max_chord_squared};
use super::pieces::{PIECES_PER_TURN, Pieces, Visitor};
use super::record::Record;
use super::slab::Slab;
use super::smallest::{Ranked, Smallest};
use super::tree::Entry;
use super::visible::Visible;
use super::walk::Progress;
use crate::geo::{Point, distance_m};
use crate::model::{Hit, NearbyQuery};
use std::cmp::Ordering;

/// Additional results to keep: an entity that moves between pieces may be found twice and displace another.
const SPARE: usize = 32;

impl LiveIndex {
    /// Does the same as [`Self::nearby`] in steps, for callers that have to yield to other tasks.
    #[must_use]
    pub fn search_nearby<'a>(&'a self, query: &'a NearbyQuery, now_ms: i64) -> NearbySearch<'a> {
        let ranking = Visible::new(self.ttl_ms, &query.filter, now_ms).map(|visible| Ranking {
            query,
            from: grid_point(query.center),
            bound: max_chord_squared(query.radius_m),
            visible,
            nearest: Smallest::new(query.limit.saturating_add(SPARE)),
            measured: None,
        });
        NearbySearch {
            index: self,
            pieces: Pieces::default(),
            ranking,
        }
    }
}

/// A search for the nearest entities among very many.
#[derive(Debug)]
pub struct NearbySearch<'a> {
    index: &'a LiveIndex,
    pieces: Pieces,
    /// `None` if no entity can pass the filter.
    ranking: Option<Ranking<'a>>,
}

impl NearbySearch<'_> {
    /// Searches for about a millisecond. Returns whether there is more to search.
    pub fn advance(&mut self) -> bool {
        let Some(ranking) = &mut self.ranking else { return false };
        (0..PIECES_PER_TURN).all(|_| self.pieces.advance(&self.index.state.read(), ranking) == Progress::Paused)
    }

    /// Returns the nearest entities; those at equal distance are in order of id.
    #[must_use]
    pub fn finish(self) -> Vec<Hit> {
        let Some(ranking) = self.ranking else { return Vec::new() };
        let (mut hits, _) = ranking.nearest.finish();
        // An entity that moved may have been found at two distances.
        hits.sort_unstable_by(|a, b| a.entity.id.cmp(&b.entity.id).then_with(|| a.rank(b)));
        hits.dedup_by(|later, earlier| earlier.is_same(later));
        hits.sort_unstable_by(Ranked::rank);
        hits.truncate(ranking.query.limit);
        hits
    }
}

#[derive(Debug)]
struct Ranking<'a> {
    query: &'a NearbyQuery,
    from: GridPoint,
    /// The squared chord beyond which nothing can be in the answer.
    bound: u64,
    visible: Visible<'a>,
    nearest: Smallest<Hit>,
    /// The position measured last: vehicles parked on one spot are measured once.
    measured: Option<(Point, f64)>,
}

impl Ranked for Hit {
    fn rank(&self, other: &Self) -> Ordering {
        let by_id = || self.entity.id.cmp(&other.entity.id);
        self.distance_m.total_cmp(&other.distance_m).then_with(by_id)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.entity.id == other.entity.id
    }
}

impl Visitor for Ranking<'_> {
    fn enters(&self, cell: Cell) -> bool {
        cell.near(self.from) <= self.bound
    }

    fn visit_entries(&mut self, entries: &[Entry], records: &Slab<Record>) {
        for entry in entries {
            if chord_squared(self.from, entry.at) <= self.bound && self.visible.is_recent(entry.timestamp_ms) {
                self.take(&records[entry.slot]);
            }
        }
    }

    fn visit_record(&mut self, record: &Record) {
        if self.visible.is_recent(record.timestamp_ms) {
            self.take(record);
        }
    }
}

impl Ranking<'_> {
    fn take(&mut self, record: &Record) {
        if !self.visible.accepts(|| record) {
            return;
        }
        let distance_m = self.measure(record.point());
        let is_behind = self.nearest.bound().is_some_and(|last| {
            let by_id = || record.id.cmp(&last.entity.id);
            distance_m.total_cmp(&last.distance_m).then_with(by_id).is_gt()
        });
        if distance_m > self.query.radius_m || is_behind {
            return;
        }
        let entity = record.entity();
        if self.nearest.push(Hit { entity, distance_m })
            && let Some(last) = self.nearest.bound()
        {
            self.bound = self.bound.min(max_chord_squared(last.distance_m));
        }
    }

    fn measure(&mut self, point: Point) -> f64 {
        match self.measured {
            Some((measured, metres)) if measured == point => metres,
            _ => {
                let metres = distance_m(self.query.center, point);
                self.measured = Some((point, metres));
                metres
            }
        }
    }
}
