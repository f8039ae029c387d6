//! Request bodies.

use super::super::model::{About, Data, NewSession};
use super::super::settings::SessionSettings;
use super::super::{MAX_NESTING, Sessions};
use crate::http::{AppData, FieldError, Fields, FromBody, Problem};
use crate::json::Object;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::time::Duration;

/// The maximum size of a body, bytes. The limit of the data applies without spaces and escapes, so this is larger. Data near their limit
/// do not fit if every character is written as an escape.
const MAX_BODY: usize = 64 * 1024;
const MAX_DEVICE: usize = 2 * 1024;
const MAX_ROLE: usize = 64;
const MAX_SCOPES: usize = 64;
const MAX_SCOPE: usize = 128;
/// The largest integer that Lua represents exactly.
const MAX_VERSION: i64 = (1 << 53) - 1;

impl FromBody for NewSession {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, app: AppData<'_>) -> Result<Self, Problem> {
        let settings = app.get::<Sessions>()?.shared().settings();
        let mut fields = Fields::parse(body)?;
        let (data, device) = (fields.take("data"), fields.take("device"));
        let subject = fields.required("subject", Fields::external_id);
        let about = About {
            role: fields.text("role", MAX_ROLE),
            scopes: fields.texts("scopes", MAX_SCOPES, 1..=MAX_SCOPE).unwrap_or_default(),
            device: device.and_then(|device| read_device(&mut fields, device)),
        };
        let data = data.map_or_else(|| Ok(Data::default()), Data::read);
        let data = data.map_err(|error| fields.refuse("data", error.to_string()));
        let idle_ttl = seconds(&mut fields, "idle_ttl_s", settings);
        let absolute_ttl = seconds(&mut fields, "absolute_ttl_s", settings);
        let made = subject.zip(data.ok()).map(|(subject, data)| Self {
            subject,
            about,
            data,
            idle_ttl,
            absolute_ttl,
        });
        fields.finish(made)
    }
}

/// A change of data.
pub struct DataPatch {
    /// The version of the data that was read.
    pub(super) version: u64,
    patch: Box<RawValue>,
}

impl DataPatch {
    /// The merge patch.
    pub(super) fn data(&self) -> Result<Object<'_>, Problem> {
        Object::read(&self.patch, MAX_NESTING)
            .map_err(|fault| Problem::validation_failed(vec![FieldError::new("data", fault.to_string())]))
    }
}

impl FromBody for DataPatch {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let data = fields.take("data");
        let version = fields.required("version", |fields, name| fields.integer(name, 1..=MAX_VERSION));
        match data.map(|data| Object::read(data, MAX_NESTING)) {
            Some(Ok(_)) => {}
            Some(Err(fault)) => fields.refuse("data", fault.to_string()),
            None => fields.refuse("data", "is missing"),
        }
        let patch = version.zip(data).map(|(version, data)| Self {
            version: version.unsigned_abs(),
            patch: data.to_owned(),
        });
        fields.finish(patch)
    }
}

/// By how much a session is extended.
pub struct Extension(pub(super) Duration);

impl FromBody for Extension {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, app: AppData<'_>) -> Result<Self, Problem> {
        let settings = app.get::<Sessions>()?.shared().settings();
        let mut fields = Fields::parse(body)?;
        let by = fields.required("seconds", |fields, name| seconds(fields, name, settings));
        fields.finish(by.map(Self))
    }
}

fn seconds(fields: &mut Fields<'_>, name: &'static str, settings: &SessionSettings) -> Option<Duration> {
    let seconds = fields.integer(name, 1..=i64::from(settings.max_ttl_s))?;
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

fn read_device(fields: &mut Fields<'_>, given: &RawValue) -> Option<Box<RawValue>> {
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
