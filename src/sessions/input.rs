//! Clients' words.

use super::MAX_NESTING;
use super::model::{About, Data, NewSession, is_shallow};
use crate::config::SessionSettings;
use crate::http::{Fields, Problem};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use std::time::Duration;

/// The largest body, bytes. Data are measured as they are kept, so this leaves room for spaces and some escapes; data near
/// their limit whose every character is written as an escape do not fit.
pub(super) const MAX_BODY: usize = 64 * 1024;
const MAX_DEVICE: usize = 2 * 1024;
const MAX_ROLE: usize = 64;
const MAX_SCOPES: usize = 64;
const MAX_SCOPE: usize = 128;
/// As large as a number of Lua's that is whole.
const MAX_VERSION: i64 = (1 << 53) - 1;

/// The body of a creation.
pub(super) fn new_session(body: &[u8], settings: &SessionSettings) -> Result<NewSession, Problem> {
    let mut fields = Fields::parse(body)?;
    let subject = fields.required("subject", Fields::id);
    let about = About {
        role: fields.text("role", MAX_ROLE),
        scopes: scopes(&mut fields),
        device: device(&mut fields),
    };
    let data = object(&mut fields, "data").unwrap_or_default();
    let data = Data::new(&data).map_err(|error| fields.refuse("data", error.to_string()));
    let idle_ttl = seconds(&mut fields, "idle_ttl_s", settings);
    let absolute_ttl = seconds(&mut fields, "absolute_ttl_s", settings);
    let made = subject.zip(data.ok()).map(|(subject, data)| NewSession {
        subject,
        about,
        data,
        idle_ttl,
        absolute_ttl,
    });
    fields.finish(made)
}

/// The body of a change of data: the version that they were read at, and a merge patch.
pub(super) fn data_patch(body: &[u8]) -> Result<(u64, Map<String, Value>), Problem> {
    let mut fields = Fields::parse(body)?;
    let version = fields.required("version", |fields, name| fields.integer(name, 1..=MAX_VERSION));
    let patch = fields.required("data", object);
    fields.finish(version.map(i64::unsigned_abs).zip(patch))
}

/// The body of an extension: by how much.
pub(super) fn extension(body: &[u8], settings: &SessionSettings) -> Result<Duration, Problem> {
    let mut fields = Fields::parse(body)?;
    let by = fields.required("seconds", |fields, name| seconds(fields, name, settings));
    fields.finish(by)
}

fn seconds(fields: &mut Fields, name: &'static str, settings: &SessionSettings) -> Option<Duration> {
    let seconds = fields.integer(name, 1..=i64::from(settings.max_ttl_s))?;
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

fn object(fields: &mut Fields, name: &'static str) -> Option<Map<String, Value>> {
    match fields.value(name)? {
        Value::Object(members) => Some(members),
        Value::Null => None,
        _ => {
            fields.refuse(name, "must be an object");
            None
        }
    }
}

fn device(fields: &mut Fields) -> Option<Box<RawValue>> {
    let members = object(fields, "device")?;
    if !is_shallow(&members) {
        fields.refuse("device", format!("must be nested at most {MAX_NESTING} deep"));
        return None;
    }
    let device = to_raw_value(&members).ok()?;
    if device.get().len() > MAX_DEVICE {
        fields.refuse("device", format!("must have at most {MAX_DEVICE} bytes"));
        return None;
    }
    Some(device)
}

fn scopes(fields: &mut Fields) -> Vec<String> {
    let elements = match fields.value("scopes") {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(elements)) if elements.len() <= MAX_SCOPES => elements,
        Some(Value::Array(_)) => {
            fields.refuse("scopes", format!("must have at most {MAX_SCOPES} elements"));
            return Vec::new();
        }
        Some(_) => {
            fields.refuse("scopes", "must be an array");
            return Vec::new();
        }
    };
    let mut scopes = Vec::with_capacity(elements.len());
    for (index, element) in elements.into_iter().enumerate() {
        match element {
            Value::String(scope) if (1..=MAX_SCOPE).contains(&scope.len()) => scopes.push(scope),
            _ => fields.refuse(
                &format!("scopes/{index}"),
                format!("must be a string of 1 to {MAX_SCOPE} bytes"),
            ),
        }
    }
    scopes
}
