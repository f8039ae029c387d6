use crate::http::{Fields, RawObject, raw};
use crate::jobs::Fault;

/// Reads a payload, a JSON object, member by member. An absent payload is an empty object.
pub(super) fn read<T>(payload: &str, read: impl FnOnce(&mut Fields) -> Option<T>) -> Result<T, Vec<Fault>> {
    read_rest(object(payload)?, read)
}

/// Returns the members of a payload, for a caller that forwards some of them as raw JSON.
pub(super) fn object(payload: &str) -> Result<RawObject<'_>, Vec<Fault>> {
    let payload = if payload == "null" { "{}" } else { payload };
    let raw = raw(payload.as_bytes()).map_err(|_problem| no_object())?;
    RawObject::read(raw, "").map_err(|_fault| no_object())
}

/// Reads the remaining members.
pub(super) fn read_rest<T>(
    object: RawObject<'_>,
    read: impl FnOnce(&mut Fields) -> Option<T>,
) -> Result<T, Vec<Fault>> {
    let mut fields = object.into_fields().map_err(|_fault| no_object())?;
    let made = read(&mut fields);
    fields.faults(made).map_err(|faults| {
        let member = |pointer: &str| pointer.trim_start_matches('/').to_owned();
        let each = faults.into_iter();
        each.map(|fault| Fault::new(member(&fault.pointer), fault.detail))
            .collect()
    })
}

fn no_object() -> Vec<Fault> {
    vec![Fault::new("", "must be an object that names each member once")]
}

/// Reads a text of 1 to `longest` bytes.
pub(super) fn non_empty_text(fields: &mut Fields, name: &'static str, longest: usize) -> Option<String> {
    let text = fields.required(name, |fields, name| fields.text(name, longest))?;
    if text.trim().is_empty() {
        fields.refuse(name, "must not be empty");
        return None;
    }
    Some(text)
}
