//! Answers as JSON, written straight from what the live index gives.
//!
//! By hand and not by serde: an answer has some hundred member names, and serde looks through each for characters to
//! escape; in a profile of nearby under load that stood out. Only text that a client chose goes through serde here.

use super::model::{Entity, Hit, Profile};
use crate::http::Stamps;

/// How entities are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Flat objects.
    Json,
    /// Features of RFC 7946.
    GeoJson,
}

/// What a query found.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// With distances.
    Hits(&'a [Hit]),
    /// Without.
    Entities(&'a [Entity]),
}

impl Found<'_> {
    const fn len(&self) -> usize {
        match self {
            Self::Hits(hits) => hits.len(),
            Self::Entities(entities) => entities.len(),
        }
    }
}

/// A list of entities with what is to be known of the list.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    /// The entities, in order.
    pub found: Found<'a>,
    /// Where they were looked for: `live` or `redis`.
    pub source: &'static str,
    /// Whether the answer may miss what other instances stored lately.
    pub stale: bool,
    /// Whether there were more than the limit, where that is told.
    pub truncated: Option<bool>,
    /// The cursor of the next page, if there is one; its alphabet needs no escaping in JSON.
    pub cursor: Option<&'a str>,
    /// Now, for ages.
    pub now_ms: i64,
    /// How they are shown.
    pub form: Form,
}

impl List<'_> {
    /// The answer's body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Json::for_entities(self.found.len());
        match self.form {
            Form::Json => json.raw(b"{\"results\":"),
            Form::GeoJson => json.raw(b"{\"type\":\"FeatureCollection\",\"features\":"),
        }
        json.array(self.found, self.now_ms, self.form);
        json.tail(self.source, self.stale);
        if let Some(truncated) = self.truncated {
            json.raw(b",\"truncated\":");
            json.boolean(truncated);
        }
        if let Some(cursor) = self.cursor {
            json.raw(b",\"cursor\":\"");
            json.raw(cursor.as_bytes());
            json.raw(b"\"");
        }
        json.raw(b"}");
        json.text
    }
}

/// The answers of many queries, in order.
#[must_use]
pub fn lists(results: &[Vec<Hit>], stale: bool, now_ms: i64) -> Vec<u8> {
    let mut json = Json::for_entities(results.iter().map(Vec::len).sum());
    json.raw(b"{\"results\":");
    json.separated(results, |json, hits| json.array(Found::Hits(hits), now_ms, Form::Json));
    json.tail("live", stale);
    json.raw(b"}");
    json.text
}

/// One entity by itself.
#[must_use]
pub fn entity(entity: &Entity, now_ms: i64) -> Vec<u8> {
    let mut json = Json::for_entities(1);
    json.entity(entity, None, now_ms, Form::Json);
    json.text
}

/// A profile by itself.
#[must_use]
pub fn profile(id: &str, profile: &Profile) -> Vec<u8> {
    let mut json = Json::for_entities(1);
    json.raw(b"{\"id\":\"");
    json.raw(id.as_bytes());
    json.raw(b"\"");
    json.profile(profile);
    json.raw(b"}");
    json.text
}

/// JSON that is being written.
struct Json {
    text: Vec<u8>,
    stamps: Stamps,
}

impl Json {
    fn for_entities(count: usize) -> Self {
        // An entity without a profile takes about 160 bytes.
        Self {
            text: Vec::with_capacity(128 + 176 * count),
            stamps: Stamps::default(),
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    fn int(&mut self, number: i64) {
        self.raw(itoa::Buffer::new().format(number).as_bytes());
    }

    fn boolean(&mut self, value: bool) {
        self.raw(if value { b"true" } else { b"false" });
    }

    /// A coordinate; the shortest text that reads as the same number.
    fn degrees(&mut self, degrees: f64) {
        self.raw(zmij::Buffer::new().format_finite(degrees).as_bytes());
    }

    /// A length with millimetres: a position is no better than this, and the digits behind cost more than they tell.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "no two places are further apart than 20,100,000,000 mm"
    )]
    fn metres(&mut self, metres: f64) {
        let millimetres = (metres * 1000.0).round() as i64;
        self.int(millimetres / 1000);
        let rest = millimetres % 1000;
        let digit = |number: i64| b'0' + u8::try_from(number % 10).unwrap_or(0);
        self.raw(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
    }

    fn optional(&mut self, name: &[u8], value: Option<f32>) {
        if let Some(value) = value {
            self.raw(name);
            self.raw(zmij::Buffer::new().format_finite(value).as_bytes());
        }
    }

    /// What a client chose, escaped.
    fn chosen(&mut self, value: &impl serde::Serialize) {
        // Text and scalars into memory: there is nothing in this that can fail.
        let _ = serde_json::to_writer(&mut self.text, value);
    }

    fn separated<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.raw(b"[");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.raw(b",");
            }
            write(self, item);
        }
        self.raw(b"]");
    }

    fn array(&mut self, found: Found<'_>, now_ms: i64, form: Form) {
        match found {
            Found::Hits(hits) => {
                self.separated(hits, |json, hit| {
                    json.entity(&hit.entity, Some(hit.distance_m), now_ms, form);
                });
            }
            Found::Entities(entities) => {
                self.separated(entities, |json, entity| json.entity(entity, None, now_ms, form));
            }
        }
    }

    fn tail(&mut self, source: &'static str, stale: bool) {
        self.raw(b",\"source\":\"");
        self.raw(source.as_bytes());
        self.raw(b"\",\"stale\":");
        self.boolean(stale);
    }

    fn entity(&mut self, entity: &Entity, distance_m: Option<f64>, now_ms: i64, form: Form) {
        let (lat, lon) = (entity.fix.point.lat(), entity.fix.point.lon());
        match form {
            Form::Json => {
                self.raw(b"{\"id\":\"");
                // The alphabet of ids has nothing to escape.
                self.raw(entity.id.as_bytes());
                self.raw(b"\",\"lat\":");
                self.degrees(lat);
                self.raw(b",\"lon\":");
                self.degrees(lon);
                self.raw(b",");
                self.members(entity, distance_m, now_ms);
                self.raw(b"}");
            }
            Form::GeoJson => {
                self.raw(b"{\"type\":\"Feature\",\"id\":\"");
                self.raw(entity.id.as_bytes());
                self.raw(b"\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[");
                self.degrees(lon);
                self.raw(b",");
                self.degrees(lat);
                self.raw(b"]},\"properties\":{");
                self.members(entity, distance_m, now_ms);
                self.raw(b"}}");
            }
        }
    }

    fn members(&mut self, entity: &Entity, distance_m: Option<f64>, now_ms: i64) {
        let fix = &entity.fix;
        if let Some(distance_m) = distance_m {
            self.raw(b"\"distance_m\":");
            self.metres(distance_m);
            self.raw(b",");
        }
        self.raw(b"\"age_ms\":");
        self.int((now_ms - fix.timestamp_ms).max(0));
        self.raw(b",\"timestamp\":\"");
        self.text.extend_from_slice(self.stamps.write(fix.timestamp_ms));
        self.raw(b"\"");
        self.optional(b",\"accuracy_m\":", fix.accuracy_m);
        self.optional(b",\"altitude_m\":", fix.altitude_m);
        self.optional(b",\"speed_mps\":", fix.speed_mps);
        self.optional(b",\"heading_deg\":", fix.heading_deg);
        if let Some(profile) = &entity.profile {
            self.profile(profile);
        }
    }

    fn profile(&mut self, profile: &Profile) {
        if let Some(status) = &profile.status {
            self.raw(b",\"status\":");
            self.chosen(status);
        }
        if let Some(vehicle_type) = &profile.vehicle_type {
            self.raw(b",\"vehicle_type\":");
            self.chosen(vehicle_type);
        }
        if let Some(capacity) = profile.capacity {
            self.raw(b",\"capacity\":");
            self.int(i64::from(capacity));
        }
        if !profile.attributes.is_empty() {
            self.raw(b",\"attributes\":");
            self.chosen(&profile.attributes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Point;
    use crate::ids::Id;
    use crate::tracking::model::{Fix, Scalar};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn hit() -> Hit {
        let profile = Profile {
            status: Some("on \"break\"\n".into()),
            vehicle_type: None,
            capacity: Some(4),
            attributes: [
                ("color".into(), Scalar::Text("réd".into())),
                ("ac".into(), Scalar::Bool(true)),
            ]
            .into(),
            ..Profile::default()
        };
        let fix = Fix {
            point: Point::new(40.7484, -73.9857).unwrap(),
            timestamp_ms: 1_790_000_000_123,
            received_us: 0,
            accuracy_m: None,
            altitude_m: Some(-3.5),
            speed_mps: Some(13.4),
            heading_deg: Some(0.0),
        };
        let entity = Entity {
            id: Id::parse("d-1").unwrap(),
            fix,
            profile: Some(Arc::new(profile)),
        };
        Hit {
            entity,
            distance_m: 12.0405,
        }
    }

    fn list(found: Found<'_>, form: Form) -> Value {
        let list = List {
            found,
            source: "live",
            stale: false,
            truncated: None,
            cursor: None,
            now_ms: 1_790_000_000_623,
            form,
        };
        serde_json::from_slice(&list.to_json()).unwrap()
    }

    #[test]
    fn a_hit_is_shown_whole() {
        let expected = json!({
            "results": [{
                "id": "d-1", "lat": 40.7484, "lon": -73.9857, "distance_m": 12.041, "age_ms": 500,
                "timestamp": "2026-09-21T14:13:20.123Z", "altitude_m": -3.5, "speed_mps": 13.4, "heading_deg": 0.0,
                "status": "on \"break\"\n", "capacity": 4, "attributes": {"color": "réd", "ac": true},
            }],
            "source": "live", "stale": false,
        });
        assert_eq!(list(Found::Hits(&[hit()]), Form::Json), expected);
    }

    #[test]
    fn a_feature_has_longitude_first_and_the_rest_as_properties() {
        let shown = list(Found::Hits(&[hit(), hit()]), Form::GeoJson);
        assert_eq!(shown["type"], "FeatureCollection");
        assert_eq!(
            shown["features"][1]["geometry"],
            json!({"type": "Point", "coordinates": [-73.9857, 40.7484]})
        );
        assert_eq!(shown["features"][1]["properties"]["distance_m"], 12.041);
        assert!(shown["features"][1]["properties"].get("lat").is_none());
    }

    proptest! {
        #[test]
        fn numbers_read_as_what_was_written(lat in -85.05..85.05, lon in -180.0..=180.0, distance in 0.0..2.1e7) {
            let mut hit = hit();
            hit.entity.fix.point = Point::new(lat, lon).unwrap();
            hit.distance_m = distance;
            let shown = list(Found::Hits(&[hit]), Form::Json);
            let number = |name: &str| shown["results"][0][name].as_f64().unwrap();
            prop_assert_eq!(number("lat").to_bits(), lat.to_bits());
            prop_assert_eq!(number("lon").to_bits(), lon.to_bits());
            prop_assert!((number("distance_m") - distance).abs() <= 0.000_501);
        }
    }
}
