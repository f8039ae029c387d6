use super::LiveIndex;
use super::grid::{Cell, SLACK, STEPS};
use super::pieces::{PIECES_PER_TURN, Pieces, Visitor};
use super::record::Record;
use super::slab::Slab;
use super::smallest::{Ranked, Smallest};
use super::tree::Entry;
use super::visible::Visible;
use super::walk::Progress;
use crate::geo::BoundingBox;
use crate::model::{Entity, WithinQuery};
use std::cmp::Ordering;

impl LiveIndex {
    /// Returns the first entities in a box, by id, and whether there are more.
    ///
    /// A long search runs in pieces, between which entities may move: each entity is returned with its position at one moment of the
    /// call. An entity that stays in the box all the time is in the answer, or comes after its last id.
    #[must_use]
    pub fn within(&self, query: &WithinQuery, now_ms: i64) -> (Vec<Entity>, bool) {
        let mut search = self.search_within(query, now_ms);
        while search.advance() {}
        search.finish()
    }

    /// Does the same in steps, for callers that have to yield to other tasks.
    #[must_use]
    pub fn search_within<'a>(&'a self, query: &'a WithinQuery, now_ms: i64) -> WithinSearch<'a> {
        let visible = Visible::new(self.ttl_ms, &query.filter, now_ms);
        WithinSearch {
            index: self,
            pieces: Pieces::default(),
            visitor: visible.map(|visible| InBox::new(query, visible)),
        }
    }
}

/// A search for the entities in a box.
#[derive(Debug)]
pub struct WithinSearch<'a> {
    index: &'a LiveIndex,
    pieces: Pieces,
    /// `None` if no entity can pass the filter.
    visitor: Option<InBox<'a>>,
}

impl WithinSearch<'_> {
    /// Searches for about a millisecond. Returns whether there is more to search.
    pub fn advance(&mut self) -> bool {
        let Some(visitor) = &mut self.visitor else { return false };
        (0..PIECES_PER_TURN).all(|_| self.pieces.advance(&self.index.state.read(), visitor) == Progress::Paused)
    }

    /// Returns the first entities found, by id, and whether there are more.
    #[must_use]
    pub fn finish(self) -> (Vec<Entity>, bool) {
        self.visitor.map_or_else(Default::default, InBox::finish)
    }
}

/// The entities found in a box.
#[derive(Debug)]
pub(super) struct InBox<'a> {
    query: &'a WithinQuery,
    area: Area,
    visible: Visible<'a>,
    least: Smallest<Entity>,
}

impl Ranked for Entity {
    /// Compares by id. If one entity was found twice, the newer comes first.
    fn rank(&self, other: &Self) -> Ordering {
        let by_time = || other.fix.timestamp_ms.cmp(&self.fix.timestamp_ms);
        self.id.cmp(&other.id).then_with(by_time)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Visitor for InBox<'_> {
    fn enters(&self, cell: Cell) -> bool {
        self.area.touches(cell)
    }

    fn visit_entries(&mut self, entries: &[Entry], records: &Slab<Record>) {
        for entry in entries {
            if self.visible.is_recent(entry.timestamp_ms) {
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

impl<'a> InBox<'a> {
    pub(super) fn new(query: &'a WithinQuery, visible: Visible<'a>) -> Self {
        Self {
            query,
            area: Area::of(&query.bounds),
            visible,
            // At least one item is kept, to detect whether there are more.
            least: Smallest::new(query.limit.max(1)),
        }
    }

    /// Returns the first entities, by id, and whether there are more.
    pub(super) fn finish(self) -> (Vec<Entity>, bool) {
        let (mut entities, has_more) = self.least.finish();
        let has_more = has_more || entities.len() > self.query.limit;
        entities.truncate(self.query.limit);
        (entities, has_more)
    }

    fn take(&mut self, record: &Record) {
        let is_wanted = self.query.bounds.contains(record.point())
            && self.query.after.as_ref().is_none_or(|after| record.id > *after);
        if !is_wanted {
            return;
        }
        let is_behind = self.least.bound().is_some_and(|last| record.id > last.id);
        // Entities after the bound matter only for whether there are more.
        if is_behind && self.least.has_more() || !self.visible.accepts(|| record) {
            return;
        }
        if is_behind {
            self.least.set_has_more();
        } else {
            self.least.push(record.entity());
        }
    }
}

/// A box as planes through the earth's centre and a range of z, that cells of the grid are easily compared with.
#[derive(Debug)]
struct Area {
    south: f64,
    north: f64,
    wedge: Wedge,
}

/// The meridians' part: the inward normals (x, y) of vertical half-spaces.
#[derive(Debug)]
enum Wedge {
    All,
    /// At most half the earth: east of west, west of east, and on this side of the axis.
    Both([(f64, f64); 3]),
    /// More than half: east of west or west of east.
    Either([(f64, f64); 2]),
}

impl Area {
    fn of(bbox: &BoundingBox) -> Self {
        let (west_sin, west_cos) = bbox.west().to_radians().sin_cos();
        let (east_sin, east_cos) = bbox.east().to_radians().sin_cos();
        let (middle_sin, middle_cos) = (bbox.west() + bbox.width_deg() / 2.0).to_radians().sin_cos();
        let east_of_west = (-west_sin, west_cos);
        let west_of_east = (east_sin, -east_cos);
        let wedge = match bbox.width_deg() {
            width if width >= 360.0 => Wedge::All,
            width if width > 180.0 => Wedge::Either([east_of_west, west_of_east]),
            _ => Wedge::Both([east_of_west, west_of_east, (middle_cos, middle_sin)]),
        };
        Self {
            south: bbox.south().to_radians().sin() * STEPS - SLACK,
            north: bbox.north().to_radians().sin() * STEPS + SLACK,
            wedge,
        }
    }

    /// Returns whether a cell may contain a part of the area.
    fn touches(&self, cell: Cell) -> bool {
        let low = cell.low.map(|v| f64::from(v) - STEPS);
        let edge = f64::from(cell.edge());
        if low[2] > self.north || low[2] + edge < self.south {
            return false;
        }
        // The corner furthest along the normal decides.
        let reaches = |&(x, y): &(f64, f64)| {
            let far_x = if x > 0.0 { low[0] + edge } else { low[0] };
            let far_y = if y > 0.0 { low[1] + edge } else { low[1] };
            x * far_x + y * far_y >= -SLACK
        };
        match &self.wedge {
            Wedge::All => true,
            Wedge::Both(normals) => normals.iter().all(reaches),
            Wedge::Either(normals) => normals.iter().any(reaches),
        }
    }
}
