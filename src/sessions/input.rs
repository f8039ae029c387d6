//! Clients' words.

use super::MAX_NESTING;
use super::model::{About, Data, NewSession};
use super::settings::SessionSettings;
use crate::http::{Fields, Problem, RawObject, raw};
use crate::json::Object;
use serde_json::Value;
use serde_json::value::RawValue;
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
    let mut object = object(body)?;
    let (data, device) = (object.take("data"), object.take("device"));
    let mut fields = object.into_members()?;
    let subject = fields.required("subject", Fields::external_id);
    let about = About {
        role: fields.text("role", MAX_ROLE),
        scopes: scopes(&mut fields),
        device: device.and_then(|device| read_device(&mut fields, device)),
    };
    let data = data.map_or_else(|| Ok(Data::default()), Data::read);
    let data = data.map_err(|error| fields.refuse("data", error.to_string()));
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
pub(super) fn data_patch(body: &[u8]) -> Result<(u64, Object<'_>), Problem> {
    let mut object = object(body)?;
    let data = object.take("data");
    let mut fields = object.into_members()?;
    let version = fields.required("version", |fields, name| fields.integer(name, 1..=MAX_VERSION));
    let patch = if let Some(data) = data {
        Object::read(data, MAX_NESTING)
            .map_err(|fault| fields.refuse("data", fault.to_string()))
            .ok()
    } else {
        fields.refuse("data", "is missing");
        None
    };
    fields.finish(version.map(i64::unsigned_abs).zip(patch))
}

fn object(body: &[u8]) -> Result<RawObject<'_>, Problem> {
    RawObject::read(raw(body)?, "").map_err(|fault| Problem::unacceptable(vec![fault]))
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

fn read_device(fields: &mut Fields, given: &RawValue) -> Option<Box<RawValue>> {
    let device = match Object::read(given, MAX_NESTING) {
        Ok(device) => device.to_string(),
        Err(fault) => {
            fields.refuse("device", fault.to_string());
            return None;
        }
    };
    if device.len() > MAX_DEVICE {
        fields.refuse("device", format!("must have at most {MAX_DEVICE} bytes"));
        return None;
    }
    RawValue::from_string(device).ok()
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
