use super::loose::{Attributes, Loose};
use super::raw::RawProfile;
use crate::http::{FieldError, Fields, Problem};
use crate::tracking::model::{Digits, Scalar};
use crate::tracking::patch::{Change, MAX_ATTRIBUTES, ProfilePatch};
use compact_str::CompactString;
use serde::de::{Deserialize, DeserializeSeed, Error};
use serde_json::value::RawValue;

/// The longest text, in bytes.
const MAX_TEXT: usize = 256;
/// The longest attribute name, in bytes.
const MAX_NAME: usize = 64;

/// The meaning of `null`: "not known" in a fix, "remove the member" in the body of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    Ignore,
    Remove,
}

/// Parses the body of `PUT` or `PATCH` of a profile. A member of another name is refused: a `PUT` that ignored it would remove the
/// value that the client meant to set.
///
/// # Errors
/// 400 or 422 with the invalid members.
pub fn parse_profile(body: &[u8]) -> Result<ProfilePatch, Problem> {
    let mut fields = Fields::parse(body)?;
    let raw = RawProfile {
        status: loose(&mut fields, "status", Loose::deserialize)?,
        vehicle_type: loose(&mut fields, "vehicle_type", Loose::deserialize)?,
        capacity: loose(&mut fields, "capacity", Loose::deserialize)?,
        attributes: loose(&mut fields, "attributes", readable_attributes)?,
    };
    let mut errors = Vec::new();
    let patch = patch(&raw, Nulls::Remove, &mut errors);
    fields.add(errors);
    fields.finish(Some(patch))
}

/// Removes and returns a member; `null` counts as a value.
fn loose<'a>(
    fields: &mut Fields<'a>,
    name: &'static str,
    read: fn(&'a RawValue) -> serde_json::Result<Loose<'a>>,
) -> Result<Option<Loose<'a>>, Problem> {
    let value = fields.value(name).map(read).transpose();
    value.map_err(|error| Problem::malformed(format!("the body cannot be read: {name}: {error}")))
}

/// Reads attributes. What cannot be represented is an error here, while a position only loses that member.
fn readable_attributes(value: &RawValue) -> serde_json::Result<Loose<'_>> {
    let read = Attributes.deserialize(value)?;
    let is_readable = match &read {
        Loose::Unreadable => false,
        Loose::Object(members) => !members.iter().any(|(_, value)| matches!(value, Loose::Unreadable)),
        _ => true,
    };
    if is_readable {
        Ok(read)
    } else {
        Err(serde_json::Error::custom(
            "a value cannot be represented, or is nested too deep",
        ))
    }
}

/// The patch in a body's profile members; faults go to `errors`.
pub(super) fn patch(raw: &RawProfile<'_>, nulls: Nulls, errors: &mut Vec<FieldError>) -> ProfilePatch {
    ProfilePatch {
        status: member(raw.status.as_ref(), nulls, |value| text("status", value, errors)),
        vehicle_type: member(raw.vehicle_type.as_ref(), nulls, |value| {
            text("vehicle_type", value, errors)
        }),
        capacity: member(raw.capacity.as_ref(), nulls, |value| capacity(value, errors)),
        attributes: raw
            .attributes
            .as_ref()
            .map_or_else(Vec::new, |value| attributes(value, nulls, errors)),
    }
}

fn member<T>(value: Option<&Loose<'_>>, nulls: Nulls, parse: impl FnOnce(&Loose<'_>) -> Option<T>) -> Change<T> {
    match (value, nulls) {
        (None, _) | (Some(Loose::Null), Nulls::Ignore) => Change::Keep,
        (Some(Loose::Null), Nulls::Remove) => Change::Remove,
        // The fault is added to `errors`. For a position the member then stays as it is.
        (Some(value), _) => parse(value).map_or(Change::Keep, Change::Set),
    }
}

fn text(name: &'static str, value: &Loose<'_>, errors: &mut Vec<FieldError>) -> Option<CompactString> {
    match value {
        Loose::Text(text) if (1..=MAX_TEXT).contains(&text.len()) && !text.chars().any(char::is_control) => {
            Some(CompactString::new(text))
        }
        Loose::Text(_) => {
            errors.push(FieldError::new(
                name,
                "must have 1 to 256 bytes and no control characters",
            ));
            None
        }
        other => {
            errors.push(FieldError::new(
                name,
                format!("must be a string, not {}", other.type_name()),
            ));
            None
        }
    }
}

fn capacity(value: &Loose<'_>, errors: &mut Vec<FieldError>) -> Option<u32> {
    if let Loose::Int(value) = value
        && let Ok(value @ 0..=1_000_000) = u32::try_from(*value)
    {
        return Some(value);
    }
    errors.push(FieldError::new(
        "capacity",
        "must be a whole number between 0 and 1000000",
    ));
    None
}

fn attributes(value: &Loose<'_>, nulls: Nulls, errors: &mut Vec<FieldError>) -> Vec<(CompactString, Option<Scalar>)> {
    let members = match value {
        Loose::Object(members) => members,
        Loose::Null => return Vec::new(),
        other => {
            errors.push(FieldError::new(
                "attributes",
                format!("must be an object, not {}", other.type_name()),
            ));
            return Vec::new();
        }
    };
    if members.len() > MAX_ATTRIBUTES {
        errors.push(FieldError::new("attributes", "has at most 32 members"));
        if nulls == Nulls::Remove {
            return Vec::new();
        }
    }
    let mut attributes: Vec<(CompactString, Option<Scalar>)> = Vec::with_capacity(members.len().min(MAX_ATTRIBUTES));
    for (name, value) in members {
        if attributes.len() == MAX_ATTRIBUTES {
            break;
        }
        let pointer = || format!("attributes/{}", name.replace('~', "~0").replace('/', "~1"));
        if !(1..=MAX_NAME).contains(&name.len()) || name.chars().any(char::is_control) {
            errors.push(FieldError::new(
                "attributes",
                "names must have 1 to 64 bytes and no control characters",
            ));
        } else if attributes.iter().any(|(other, _)| other == name) {
            errors.push(FieldError::new(&pointer(), "is given twice"));
        } else {
            match scalar(value) {
                Ok(None) if nulls == Nulls::Ignore => {}
                Ok(value) => attributes.push((CompactString::new(name), value)),
                Err(detail) => errors.push(FieldError::new(&pointer(), detail)),
            }
        }
    }
    attributes
}

fn scalar(value: &Loose<'_>) -> Result<Option<Scalar>, &'static str> {
    Ok(Some(match value {
        Loose::Null => return Ok(None),
        Loose::Bool(value) => Scalar::Bool(*value),
        Loose::Int(value) => Scalar::Number((*value).into()),
        Loose::Number(text) if text.len() <= MAX_TEXT => Scalar::Number(Digits::parse(text).ok_or("must be a number")?),
        Loose::Number(_) => return Err("has at most 256 digits"),
        Loose::Text(text) if text.len() <= MAX_TEXT => Scalar::Text(CompactString::new(text)),
        Loose::Text(_) => return Err("has at most 256 bytes"),
        Loose::Float(_) | Loose::Array | Loose::Object(_) | Loose::Unreadable => {
            return Err("must be a string, a number or a boolean");
        }
    }))
}
