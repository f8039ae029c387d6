use crate::http::Fields;
use crate::jobs::Fault;

/// Reads a payload, which is a JSON object, member by member. A missing payload counts as an empty object. Unknown members are allowed:
/// the caller that enqueued the job has already been answered.
pub(super) fn read<T>(payload: &str, read: impl FnOnce(&mut Fields) -> Option<T>) -> Result<T, Vec<Fault>> {
    let payload = if payload == "null" { "{}" } else { payload };
    let Ok(mut fields) = Fields::parse(payload.as_bytes()) else {
        return Err(vec![Fault::new("", "must be an object that names each member once")]);
    };
    let made = read(&mut fields);
    fields.pass_over_rest();
    fields.faults(made).map_err(|faults| {
        let member = |pointer: &str| pointer.trim_start_matches('/').to_owned();
        let each = faults.into_iter();
        each.map(|fault| Fault::new(member(&fault.pointer), fault.detail))
            .collect()
    })
}

/// A text of 1 to `longest` bytes.
pub(super) fn words(fields: &mut Fields, name: &'static str, longest: usize) -> Option<String> {
    let text = fields.required(name, |fields, name| fields.text(name, longest))?;
    if text.trim().is_empty() {
        fields.refuse(name, "must not be empty");
        return None;
    }
    Some(text)
}
