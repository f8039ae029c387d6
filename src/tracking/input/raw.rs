use super::loose::{Loose, Text};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// The members of a fix that mean something to us, as they came. Others are read and dropped.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawFix<'a> {
    pub(super) id: Option<Loose<'a>>,
    pub(super) lat: Option<Loose<'a>>,
    pub(super) lon: Option<Loose<'a>>,
    pub(super) timestamp: Option<Loose<'a>>,
    pub(super) accuracy: Option<Loose<'a>>,
    pub(super) altitude: Option<Loose<'a>>,
    pub(super) speed: Option<Loose<'a>>,
    pub(super) heading: Option<Loose<'a>>,
    pub(super) profile: RawProfile<'a>,
    /// The first name that was given twice (under whichever spelling).
    pub(super) duplicate: Option<&'static str>,
    /// Set where the value was no object at all: what it was.
    pub(super) not_an_object: Option<&'static str>,
}

/// The members of a profile.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawProfile<'a> {
    pub(super) status: Option<Loose<'a>>,
    pub(super) vehicle_type: Option<Loose<'a>>,
    pub(super) capacity: Option<Loose<'a>>,
    pub(super) attributes: Option<Loose<'a>>,
}

impl<'a> RawFix<'a> {
    /// The place for a member, with the name that our documents use; the names that existing apps send are understood too.
    fn slot(&mut self, name: &str) -> Option<(&'static str, &mut Option<Loose<'a>>)> {
        Some(match name {
            "id" => ("id", &mut self.id),
            "lat" | "latitude" => ("lat", &mut self.lat),
            "lon" | "lng" | "longitude" => ("lon", &mut self.lon),
            "timestamp" => ("timestamp", &mut self.timestamp),
            "accuracy_m" | "accuracy" => ("accuracy_m", &mut self.accuracy),
            "altitude_m" | "altitude" => ("altitude_m", &mut self.altitude),
            "speed_mps" | "speed" => ("speed_mps", &mut self.speed),
            "heading_deg" | "heading" | "bearing" => ("heading_deg", &mut self.heading),
            "status" => ("status", &mut self.profile.status),
            "vehicle_type" => ("vehicle_type", &mut self.profile.vehicle_type),
            "capacity" => ("capacity", &mut self.profile.capacity),
            "attributes" => ("attributes", &mut self.profile.attributes),
            _ => return None,
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawFix<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawFixVisitor)
    }
}

struct RawFixVisitor;

/// What is no object is remembered, not an error of the parser: one bad element must not spoil a batch.
macro_rules! not_an_object {
    ($($visit:ident($type:ty) => $name:literal),+ $(,)?) => {
        $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok(RawFix { not_an_object: Some($name), ..RawFix::default() })
        })+
    };
}

impl<'de> Visitor<'de> for RawFixVisitor {
    type Value = RawFix<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    not_an_object! {
        visit_bool(bool) => "a boolean",
        visit_i64(i64) => "a number",
        visit_u64(u64) => "a number",
        visit_f64(f64) => "a number",
        visit_str(&str) => "a string",
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(RawFix {
            not_an_object: Some("null"),
            ..RawFix::default()
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<Loose<'de>>()?.is_some() {}
        Ok(RawFix {
            not_an_object: Some("an array"),
            ..RawFix::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fix = RawFix::default();
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            let value: Loose<'de> = map.next_value()?;
            if let Some((name, slot)) = fix.slot(&name)
                && slot.replace(value).is_some()
            {
                fix.duplicate.get_or_insert(name);
            }
        }
        Ok(fix)
    }
}

/// A batch in either of its JSON forms, its elements read as `T`.
pub(super) struct RawBatch<T>(pub(super) Vec<T>);

/// The most fixes in a batch.
pub(in crate::tracking) const MAX_BATCH: usize = 10_000;

/// What the parser says of a batch that is too long; the caller looks for it to answer 413.
pub(super) const TOO_MANY: &str = "more than 10000 positions";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for RawBatch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawBatchVisitor(PhantomData)).map(RawBatch)
    }
}

struct RawBatchVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RawBatchVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of positions or an object with the member \"positions\"")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut fixes = Vec::with_capacity(seq.size_hint().unwrap_or(256).min(MAX_BATCH));
        while let Some(fix) = seq.next_element()? {
            if fixes.len() == MAX_BATCH {
                return Err(A::Error::custom(TOO_MANY));
            }
            fixes.push(fix);
        }
        Ok(fixes)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut positions = None;
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            if name == "positions" {
                if positions.is_some() {
                    return Err(A::Error::duplicate_field("positions"));
                }
                positions = Some(map.next_value_seed(PositionsSeed(PhantomData))?);
            } else {
                let _: Loose<'de> = map.next_value()?;
            }
        }
        positions.ok_or_else(|| A::Error::missing_field("positions"))
    }
}

/// The array inside `{"positions": …}`; an object there would be one level too deep.
struct PositionsSeed<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> serde::de::DeserializeSeed<'de> for PositionsSeed<T> {
    type Value = Vec<T>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(RawBatchVisitor(PhantomData))
    }
}
