//! The representation of a profile in Redis; see `lua/merge_profile.lua`.

use super::profile::{Profile, Scalar, Times, VersionedProfile};
use crate::store::StoreError;
use compact_str::{CompactString, ToCompactString};
use redis::{Cmd, FromRedisValue, Value};
use std::collections::HashMap;
use std::sync::Once;

/// Appends a change in the form that the scripts read.
pub fn write(call: &mut Cmd, change: &Profile) {
    let times = &change.times;
    let (mut sets, mut removals) = (Vec::new(), Vec::new());
    let mut put = |name: String, time_ms: i64, value: Option<String>| match value {
        _ if time_ms == 0 => {}
        Some(value) => sets.push((name, time_ms, value)),
        None => removals.push((name, time_ms)),
    };
    let text = |text: &Option<CompactString>| text.as_deref().map(ToOwned::to_owned);
    put("status".to_owned(), times.status_ms, text(&change.status));
    put(
        "vehicle_type".to_owned(),
        times.vehicle_type_ms,
        text(&change.vehicle_type),
    );
    let capacity = change.capacity.map(|capacity| capacity.to_string());
    put("capacity".to_owned(), times.capacity_ms, capacity);
    for (name, time_ms) in &times.attributes_ms {
        let value = change.attributes.get(name).map(Scalar::to_json);
        put(format!("a:{name}"), *time_ms, value);
    }
    call.arg(times.floor_ms).arg(sets.len());
    for (name, time_ms, value) in sets {
        call.arg(name).arg(time_ms).arg(value);
    }
    call.arg(removals.len());
    for (name, time_ms) in removals {
        call.arg(name).arg(time_ms);
    }
}

/// Parses the reply to `HGETALL`. A value that is not one of our profiles, including a key of another type, counts as no profile.
///
/// # Errors
/// [`StoreError::Refused`] if Redis refused the command for any other reason.
pub fn read(answer: Value) -> Result<VersionedProfile, StoreError> {
    static WARNED: Once = Once::new();
    let hash = match answer.extract_error() {
        Ok(hash) => HashMap::from_redis_value(hash).ok(),
        Err(error) if error.code() == Some("WRONGTYPE") => None,
        Err(error) => return Err(StoreError::Refused(error)),
    };
    if hash.is_none() {
        WARNED.call_once(|| {
            // The key contains an id, which must not be logged.
            tracing::warn!(
                "a key that should be a profile is of another type; it is treated as missing, and the next change replaces it"
            );
        });
    }
    Ok(hash.map_or_else(VersionedProfile::default, |hash| read_hash(&hash)))
}

fn read_hash(hash: &HashMap<String, String>) -> VersionedProfile {
    let text = |name: &str| hash.get(name).map(CompactString::new);
    let number = |name: &str| hash.get(name).and_then(|number| number.parse().ok()).unwrap_or(0_i64);
    let attributes = hash
        .iter()
        .filter_map(|(name, value)| Some((CompactString::new(name.strip_prefix("a:")?), Scalar::from_json(value)?)));
    let attributes_ms = hash
        .iter()
        .filter_map(|(name, time)| Some((name.strip_prefix("t:a:")?.to_compact_string(), time.parse().ok()?)));
    let profile = Profile {
        status: text("status"),
        vehicle_type: text("vehicle_type"),
        capacity: hash.get("capacity").and_then(|capacity| capacity.parse().ok()),
        attributes: attributes.collect(),
        times: Times {
            floor_ms: number("floor"),
            status_ms: number("t:status"),
            vehicle_type_ms: number("t:vehicle_type"),
            capacity_ms: number("t:capacity"),
            attributes_ms: attributes_ms.collect(),
        },
    };
    VersionedProfile {
        profile,
        version: hash.get("v").and_then(|version| version.parse().ok()).unwrap_or(0),
    }
}
