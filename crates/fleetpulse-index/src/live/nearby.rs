use super::LiveIndex;
use super::examined;
use super::grid::{Cell, GridPoint, grid_point, max_chord_squared};
use super::nearest::Nearest;
use super::state::State;
use super::tree::{Branch, BranchKind, Tree};
use super::visible::Visible;
use crate::geo::{Point, distance_m};
use crate::model::{Hit, NearbyQuery};
use std::cell::RefCell;

/// The most entries that a search examines in one hold of the lock, besides [`EXAMINED_PER_HIT`] for each entity of the limit.
const EXAMINED: usize = 4096;
const EXAMINED_PER_HIT: usize = 16;

/// Entities beyond the limit that are measured in one hold of the lock. The grid cannot distinguish entities at nearly equal distances;
/// except for a crowd on one spot these are few.
const CROWD: usize = 256;

thread_local! {
    /// Reused by the next query, so that a search allocates nothing but its answer.
    static SEARCH: RefCell<Search> = RefCell::default();
}

impl LiveIndex {
    /// Returns the nearest entities in order of distance; those at equal distance are in order of id.
    ///
    /// The distance is [`distance_m`], and an entity exactly at the radius is included. A search that has to examine very
    /// many entities (a filter that hardly any passes, a crowd on one spot) runs in pieces, like a long [`Self::within`].
    ///
    /// ```
    /// use fleetpulse_index::geo::Point;
    /// use fleetpulse_index::Id;
    /// use fleetpulse_index::live::{LiveIndex, Origin, Update};
    /// use fleetpulse_index::model::{Filter, Fix, NearbyQuery};
    ///
    /// let now_ms = 1_700_000_000_000;
    /// let index = LiveIndex::new(300_000, 1_000_000);
    /// let fix = Fix::new(Point::new(48.208, 16.373)?, now_ms);
    /// index.apply(Origin::Stored, &[Update { id: Id::parse("d-1")?, fix }], now_ms);
    ///
    /// let center = Point::new(48.209, 16.373)?;
    /// let query = NearbyQuery { center, radius_m: 2_000.0, limit: 10, filter: Filter::default() };
    /// let hits = index.nearby(&query, now_ms + 1_000);
    /// assert_eq!((hits.len(), hits[0].distance_m.round()), (1, 111.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn nearby(&self, query: &NearbyQuery, now_ms: i64) -> Vec<Hit> {
        self.nearby_at_once(query, now_ms).unwrap_or_else(|| {
            let mut search = self.search_nearby(query, now_ms);
            while search.advance() {}
            search.finish()
        })
    }

    /// Does the same as [`Self::nearby`] in one hold of the lock. Returns `None` if that would examine too many entries; use
    /// [`Self::search_nearby`] then.
    #[must_use]
    pub fn nearby_at_once(&self, query: &NearbyQuery, now_ms: i64) -> Option<Vec<Hit>> {
        let mut hits = Vec::new();
        let Some(visible) = Visible::new(self.ttl_ms, &query.filter, now_ms) else {
            return Some(hits);
        };
        if query.limit == 0 {
            return Some(hits);
        }
        let from = grid_point(query.center);
        let max_chord_squared = max_chord_squared(query.radius_m);
        SEARCH.with_borrow_mut(|search| {
            search.nearest.begin(query.limit, max_chord_squared);
            let state = self.state.read();
            let is_done = search.descend(&state, from, &visible)
                && search.nearest.candidates() <= query.limit.saturating_add(CROWD);
            is_done.then(|| {
                search.answer(&state, query, &mut hits);
                hits
            })
        })
    }
}

/// The working memory of a search.
#[derive(Debug, Default)]
struct Search {
    /// Branches to examine, the nearest on top.
    pending: Vec<Pending>,
    nearest: Nearest,
    /// The places of the candidates, and their slots.
    places: Vec<(Point, u32)>,
    /// Distance and slot.
    ranked: Vec<(f64, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    /// The squared chord to the cell's nearest corner, side or inside.
    near: u64,
    branch: Branch,
    cell: Cell,
}

impl Search {
    /// Examines branches, the nearest first. Returns false if that would examine too many entries in one hold of the lock.
    fn descend(&mut self, State { tree, records, .. }: &State, from: GridPoint, visible: &Visible<'_>) -> bool {
        let mut left = self
            .nearest
            .limit
            .saturating_mul(EXAMINED_PER_HIT)
            .saturating_add(EXAMINED);
        self.pending.clear();
        self.pending.push(Pending {
            near: 0,
            branch: tree.root(),
            cell: Cell::ROOT,
        });
        while let Some(Pending { near, branch, cell }) = self.pending.pop() {
            if near > self.nearest.bound {
                continue;
            }
            match branch.kind() {
                None => {}
                Some(BranchKind::Node(node)) => self.expand(tree, node, cell, from),
                Some(BranchKind::Leaf(leaf)) => {
                    let entries = &tree.leaves[leaf].entries;
                    if left < entries.len() {
                        return false;
                    }
                    left -= entries.len();
                    self.nearest.scan(entries, from, visible, records);
                }
            }
        }
        true
    }

    /// Puts a node's children that are near enough on the stack, the nearest last.
    fn expand(&mut self, tree: &Tree, node: u32, cell: Cell, from: GridPoint) {
        let [x, y, z] = cell.halves(from);
        let base = self.pending.len();
        for (index, &branch) in tree.nodes[node].children.iter().enumerate() {
            if branch == Branch::NONE {
                continue;
            }
            let near = x[index & 1] + y[index >> 1 & 1] + z[index >> 2 & 1];
            if near > self.nearest.bound {
                continue;
            }
            let cell = cell.child(index);
            self.pending.push(Pending { near, branch, cell });
            let mut at = self.pending.len() - 1;
            while at > base && self.pending[at - 1].near < near {
                self.pending.swap(at - 1, at);
                at -= 1;
            }
        }
    }

    /// Measures the candidates and appends the nearest to `hits`.
    fn answer(&mut self, state: &State, query: &NearbyQuery, hits: &mut Vec<Hit>) {
        let Self {
            nearest,
            places,
            ranked,
            ..
        } = self;
        let bound = nearest.bound;
        // All are fetched first, so that the processor loads many places of memory at the same time and not between sines.
        places.clear();
        let near = nearest.found.iter().filter(|found| found.chord_squared <= bound);
        places.extend(near.map(|found| (state.records[found.slot].point(), found.slot)));
        examined::add(places.len());
        ranked.clear();
        let mut last = None;
        for &(point, slot) in places.iter() {
            // Vehicles parked on one spot need measuring once.
            let metres = match last {
                Some((measured, metres)) if measured == point => metres,
                _ => distance_m(query.center, point),
            };
            last = Some((point, metres));
            if metres <= query.radius_m {
                ranked.push((metres, slot));
            }
        }
        let by_distance_and_id = |a: &(f64, u32), b: &(f64, u32)| {
            a.0.total_cmp(&b.0)
                .then_with(|| state.records[a.1].id.cmp(&state.records[b.1].id))
        };
        if ranked.len() > query.limit {
            ranked.select_nth_unstable_by(query.limit - 1, by_distance_and_id);
            ranked.truncate(query.limit);
        }
        ranked.sort_unstable_by(by_distance_and_id);
        hits.reserve(ranked.len());
        hits.extend(ranked.iter().map(|&(distance_m, slot)| Hit {
            entity: state.records[slot].entity(),
            distance_m,
        }));
    }
}
