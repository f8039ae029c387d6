//! The JSON in Redis: snapshots and update messages.
//!
//! A snapshot begins with `{"ts_ms":` and 13 digits, then `,"rx_us":` and 16 digits. The scripts compare that text, so they order the
//! snapshots and tombstones of an entity as the live index does. Every timestamp that passes `tracking::input` has 13 digits (2001 to
//! 2286).

use super::model::{Fix, Removed};
use crate::geo::Point;
use crate::ids::Id;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct SnapshotOut<'a> {
    ts_ms: i64,
    rx_us: i64,
    id: &'a str,
    lat: f64,
    lon: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy_m: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude_m: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed_mps: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heading_deg: Option<f32>,
}

/// Writes a fix as a snapshot at the end of `buffer`.
pub fn write(buffer: &mut Vec<u8>, id: &Id, fix: &Fix) {
    let snapshot = SnapshotOut {
        ts_ms: fix.timestamp_ms,
        rx_us: fix.received_us,
        id,
        lat: fix.point.lat(),
        lon: fix.point.lon(),
        accuracy_m: fix.accuracy_m,
        altitude_m: fix.altitude_m,
        speed_mps: fix.speed_mps,
        heading_deg: fix.heading_deg,
    };
    // Writing numbers and text to memory cannot fail.
    let _ = serde_json::to_writer(buffer, &snapshot);
}

/// A snapshot or tombstone as Redis holds it.
#[derive(Debug, Deserialize)]
pub struct Snapshot<'a> {
    ts_ms: i64,
    /// 0 for a snapshot of an earlier release, which the scripts order before all others with its timestamp.
    #[serde(default)]
    rx_us: i64,
    id: &'a str,
    #[serde(default)]
    lat: f64,
    #[serde(default)]
    lon: f64,
    accuracy_m: Option<f32>,
    altitude_m: Option<f32>,
    speed_mps: Option<f32>,
    heading_deg: Option<f32>,
    #[serde(default)]
    deleted: bool,
}

/// The content of a key `pos:…`.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A snapshot: the latest position of the entity.
    Position(Id, Fix),
    /// The tombstone of an entity whose position was removed.
    Tombstone(Id, Removed),
}

impl Record {
    /// Returns the id of its entity.
    #[must_use]
    pub const fn id(&self) -> &Id {
        match self {
            Self::Position(id, _) | Self::Tombstone(id, _) => id,
        }
    }
}

impl Snapshot<'_> {
    /// Returns the record in the model's types; `None` if no release of ours can have written it.
    #[must_use]
    pub fn record(&self) -> Option<Record> {
        let id = Id::parse(self.id).ok()?;
        if self.deleted {
            let removed = Removed {
                at_ms: self.ts_ms,
                received_us: self.rx_us,
            };
            return Some(Record::Tombstone(id, removed));
        }
        let fix = Fix {
            point: Point::new(self.lat, self.lon).ok()?,
            timestamp_ms: self.ts_ms,
            received_us: self.rx_us,
            accuracy_m: self.accuracy_m,
            altitude_m: self.altitude_m,
            speed_mps: self.speed_mps,
            heading_deg: self.heading_deg,
        };
        Some(Record::Position(id, fix))
    }
}

/// Parses a record; returns `None` if it is not one.
#[must_use]
pub fn read(json: &[u8]) -> Option<Record> {
    serde_json::from_slice::<Snapshot<'_>>(json).ok()?.record()
}

/// The data that one script call stored, as published.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// Fixes that were stored.
    #[serde(borrow, default)]
    pub fixes: Vec<Snapshot<'a>>,
    /// Tombstones.
    #[serde(borrow, default)]
    pub removed: Vec<Snapshot<'a>>,
    /// The ids of entities whose profiles changed.
    #[serde(borrow, default)]
    pub profiles: Vec<&'a str>,
}

/// The first members of a message, read without parsing the rest, because most messages that an instance receives are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// The name of the instance that sent it.
    pub origin: &'a str,
    /// The time at which it was sent, Unix milliseconds.
    pub sent_ms: i64,
    /// The partition that it is about.
    pub partition: u16,
    /// The number of the batch in its partition; numbers have no gaps.
    pub sequence: u64,
    /// Whether it begins with fixes, which means that a writer sent it.
    pub is_of_fixes: bool,
}

impl<'a> Head<'a> {
    /// Returns the text with which scripts begin a message.
    #[must_use]
    pub fn open(origin: &str, sent_ms: i64, partition: u16) -> String {
        format!("{{\"origin\":\"{origin}\",\"sent_ms\":{sent_ms},\"partition\":{partition}")
    }

    /// Parses the head of a message.
    #[must_use]
    pub fn read(message: &'a str) -> Option<Self> {
        let (origin, rest) = message.strip_prefix("{\"origin\":\"")?.split_once('"')?;
        let (sent_ms, rest) = rest.strip_prefix(",\"sent_ms\":")?.split_once(',')?;
        let (partition, rest) = rest.strip_prefix("\"partition\":")?.split_once(',')?;
        let rest = rest.strip_prefix("\"seq\":")?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        Some(Self {
            origin,
            sent_ms: sent_ms.parse().ok()?,
            partition: partition.parse().ok()?,
            sequence: rest[..digits].parse().ok()?,
            is_of_fixes: rest[digits..].starts_with(",\"fixes\":"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix() -> Fix {
        Fix {
            point: Point::new(40.7128, -74.006).unwrap(),
            timestamp_ms: 1_790_000_000_123,
            received_us: 1_790_000_000_456_789,
            accuracy_m: None,
            altitude_m: Some(12.5),
            speed_mps: Some(13.4),
            heading_deg: None,
        }
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written_and_has_its_time_at_a_fixed_place() {
        let id = Id::parse("d-1").unwrap();
        let mut json = Vec::new();
        write(&mut json, &id, &fix());
        assert_eq!(&json[..47], br#"{"ts_ms":1790000000123,"rx_us":1790000000456789"#);
        assert_eq!(read(&json), Some(Record::Position(id, fix())));
    }

    #[test]
    fn a_tombstone_is_distinguished_from_a_fix() {
        let removed = |received_us| Removed {
            at_ms: 1_790_000_000_123,
            received_us,
        };
        let id = Id::parse("d-1").unwrap();
        let record = read(br#"{"ts_ms":1790000000123,"rx_us":1790000000456789,"id":"d-1","deleted":true}"#);
        assert_eq!(
            record,
            Some(Record::Tombstone(id.clone(), removed(1_790_000_000_456_789)))
        );
        let of_earlier_release = read(br#"{"ts_ms":1790000000123,"id":"d-1","deleted":true}"#);
        assert_eq!(of_earlier_release, Some(Record::Tombstone(id, removed(0))));
    }

    #[test]
    fn a_head_is_read_without_the_rest() {
        let message = format!("{},\"seq\":42,\"fixes\":[]}}", Head::open("abc", 1_790_000_000_123, 7));
        let head = Head {
            origin: "abc",
            sent_ms: 1_790_000_000_123,
            partition: 7,
            sequence: 42,
            is_of_fixes: true,
        };
        assert_eq!(Head::read(&message), Some(head));
        assert!(serde_json::from_str::<Message<'_>>(&message).is_ok());
        assert_eq!(Head::read("{\"origin\":\"abc\""), None);
    }
}
