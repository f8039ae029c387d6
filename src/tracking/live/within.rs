use super::LiveIndex;
use super::grid::{Cell, SLACK, STEPS};
use super::visible::Visible;
use super::walk::{Pace, Walk};
use crate::geo::BoundingBox;
use crate::tracking::model::{Entity, Filter};
use std::ops::ControlFlow;

/// Entries and cells looked at in one holding of the lock: tens of microseconds.
pub(super) const LOOK: usize = 256;

impl LiveIndex {
    /// The entities in a box, by id, and whether there are more than the `limit` of them that are answered.
    ///
    /// A long answer is put together in pieces, between which entities may move: each is answered where it was at one
    /// moment of the call, and one that comes into the box meanwhile may be missed.
    #[must_use]
    pub fn within(&self, bbox: &BoundingBox, limit: usize, now_ms: i64, filter: &Filter) -> (Vec<Entity>, bool) {
        let mut entities = Vec::new();
        let mut cut = false;
        let Some(visible) = Visible::new(self.ttl_ms, filter, now_ms) else {
            return (entities, cut);
        };
        let area = Area::of(bbox);
        let mut walk = Walk::default();
        loop {
            let state = self.state.read();
            let pace = walk.go_on(
                &state.tree,
                LOOK,
                |cell| area.touches(cell),
                |entries| {
                    for entry in entries.iter().filter(|entry| visible.young(entry.timestamp_ms)) {
                        let record = &state.records[entry.slot];
                        if bbox.contains(record.point()) && visible.wants(|| record) {
                            if entities.len() == limit {
                                cut = true;
                                return ControlFlow::Break(());
                            }
                            entities.push(record.entity());
                        }
                    }
                    ControlFlow::Continue(())
                },
            );
            if pace == Pace::Done {
                break;
            }
        }
        entities.sort_unstable_by(|a, b| a.id.cmp(&b.id).then(b.fix.timestamp_ms.cmp(&a.fix.timestamp_ms)));
        // One that moved ahead of the walk was met twice.
        entities.dedup_by(|a, b| a.id == b.id);
        (entities, cut)
    }
}

/// A box as planes through the earth's centre and a range of z, which cells of the grid are easily held against.
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
    /// At most half the earth: what lies east of west, west of east, and on this side of the axis.
    Both([(f64, f64); 3]),
    /// More than half: what lies east of west or west of east.
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

    /// Whether a cell may hold anything of the area.
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
