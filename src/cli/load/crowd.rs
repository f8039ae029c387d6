//! The entities whose fixes are sent: placed by a city's hot spots, moving a few metres with each fix.

use crate::cli::encode::{millionths, push_decimals, push_millionths, push_tenths};
use crate::cli::hotspots::HotSpots;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::cmp::Reverse;

/// Ids are 12 characters, seven of them digits.
pub(super) const MAX_ENTITIES: i64 = 10_000_000;

/// The entities of one connection. Every connection has its own, so that an entity's fixes stay in order.
#[derive(Debug)]
pub(super) struct Crowd {
    /// Latitude and longitude, millionths of a degree.
    places: Vec<(i32, i32)>,
    /// This connection has the entities `nth`, `nth + of`, `nth + 2 × of` …
    nth: u32,
    of: u32,
    at: usize,
    /// Has no common factor with the number of places, so that each is visited once before any is repeated, and no two
    /// neighbours follow each other, which would favour the caches of the service.
    stride: usize,
    /// The number of entities sent so far.
    advances: u64,
    rng: SmallRng,
    /// Whether to omit speed and heading.
    bare: bool,
}

impl Crowd {
    /// Returns the entities below `entities` that belong to connection `nth` of `of`; at least one.
    pub(super) fn new(city: &HotSpots, entities: u32, nth: u32, of: u32, bare: bool) -> Self {
        let mut rng = SmallRng::seed_from_u64(u64::from(nth) + 1);
        let count = entities.saturating_sub(nth).div_ceil(of).max(1) as usize;
        let places = (0..count)
            .map(|_| city.draw(&mut rng))
            .map(|(lat, lon)| (millionths(lat), millionths(lon)));
        Self {
            places: places.collect(),
            nth,
            of,
            at: 0,
            stride: coprime_stride(count),
            advances: 0,
            rng,
            bare,
        }
    }

    /// Selects the next entity and moves it.
    pub(super) fn advance(&mut self) {
        self.at = (self.at + self.stride) % self.places.len();
        self.advances += 1;
        let bits = self.rng.next_u32();
        // ± 64 millionths of a degree: about 7 m.
        let nudge = |byte: u32| (byte & 0x7f).cast_signed() - 64;
        let (lat, lon) = &mut self.places[self.at];
        *lat += nudge(bits);
        *lon += nudge(bits >> 7);
    }

    /// Appends the current entity's id.
    pub(super) fn push_id(&self, out: &mut Vec<u8>) {
        push_id(out, self.nth, self.of, self.at);
    }

    /// Returns the entities that were sent so far.
    pub(super) const fn visited(&self) -> Visited {
        Visited {
            nth: self.nth,
            of: self.of,
            places: self.places.len(),
            stride: self.stride,
            advances: self.advances,
        }
    }

    /// Appends the members of the current entity's fix, without braces.
    pub(super) fn push_members(&mut self, out: &mut Vec<u8>) {
        let (lat, lon) = self.places[self.at];
        out.extend_from_slice(b"\"lat\":");
        push_millionths(out, lat);
        out.extend_from_slice(b",\"lon\":");
        push_millionths(out, lon);
        if !self.bare {
            let bits = self.rng.next_u32();
            out.extend_from_slice(b",\"speed_mps\":");
            push_tenths(out, bits % 150);
            out.extend_from_slice(b",\"heading_deg\":");
            push_tenths(out, (bits >> 8) % 3600);
        }
    }
}

fn push_id(out: &mut Vec<u8>, nth: u32, of: u32, at: usize) {
    out.extend_from_slice(b"load-");
    #[expect(clippy::cast_possible_truncation, reason = "at most MAX_ENTITIES places")]
    push_decimals::<7>(out, nth + at as u32 * of);
}

/// The entities that a connection has sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visited {
    nth: u32,
    of: u32,
    places: usize,
    stride: usize,
    advances: u64,
}

impl Visited {
    /// The same entities, where connections have sent some more than once. Of connections with the same entities the one that has sent most
    /// of them has sent all that the others have.
    pub(super) fn each_once(mut all: Vec<Self>) -> Vec<Self> {
        all.sort_by_key(|visited| (visited.of, visited.nth, Reverse(visited.advances)));
        all.dedup_by_key(|visited| (visited.of, visited.nth));
        match all.first() {
            Some(first) if first.of == 1 && first.advances >= first.places as u64 => vec![*first],
            _ => all,
        }
    }

    /// Returns their ids, each once.
    pub(super) fn ids(self) -> impl Iterator<Item = String> {
        let count = usize::try_from(self.advances).unwrap_or(usize::MAX).min(self.places);
        (1..=count).map(move |step| {
            let mut id = Vec::with_capacity(12);
            push_id(&mut id, self.nth, self.of, step * self.stride % self.places);
            String::from_utf8_lossy(&id).into_owned()
        })
    }
}

/// Returns a stride near the golden section of `count` that has no common factor with it.
fn coprime_stride(count: usize) -> usize {
    let gcd = |mut a: usize, mut b: usize| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    (count * 618 / 1000..count)
        .find(|stride| gcd(*stride, count) == 1)
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn connections_share_the_entities_without_overlap() {
        let city = HotSpots::new_york();
        let mut ids = HashSet::new();
        for nth in 0..3 {
            let mut crowd = Crowd::new(&city, 100, nth, 3, false);
            for _ in 0..crowd.places.len() {
                crowd.advance();
                let mut id = Vec::new();
                crowd.push_id(&mut id);
                assert_eq!(id.len(), 12);
                assert!(ids.insert(id));
            }
        }
        assert_eq!(ids.len(), 100);
    }

    #[test]
    fn what_was_sent_is_known_afterwards() {
        let city = HotSpots::new_york();
        for sent in [0, 1, 7, 40, 100] {
            let mut crowd = Crowd::new(&city, 100, 1, 3, false);
            let mut ids = HashSet::new();
            for _ in 0..sent {
                crowd.advance();
                let mut id = Vec::new();
                crowd.push_id(&mut id);
                ids.insert(String::from_utf8(id).unwrap());
            }
            let visited: Vec<String> = crowd.visited().ids().collect();
            assert_eq!(visited.len(), ids.len());
            assert!(visited.iter().all(|id| ids.contains(id)));
        }
    }

    #[test]
    fn a_fix_is_json() {
        let mut crowd = Crowd::new(&HotSpots::new_york(), 10, 0, 1, false);
        crowd.advance();
        let mut text = b"{".to_vec();
        crowd.push_members(&mut text);
        text.push(b'}');
        let fix: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert!((40.0..42.0).contains(&fix["lat"].as_f64().unwrap()));
        assert!((0.0..360.0).contains(&fix["heading_deg"].as_f64().unwrap()));
    }
}
