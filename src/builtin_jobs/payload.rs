use crate::http::Fields;
use crate::jobs::Fault;

/// Reads a payload, a JSON object, member by member. An absent payload is an empty object.
pub(super) fn read<'p, T>(payload: &'p str, read: impl FnOnce(&mut Fields<'p>) -> Option<T>) -> Result<T, Vec<Fault>> {
    let payload = if payload == "null" { "{}" } else { payload };
    let mut fields = Fields::parse(payload.as_bytes()).map_err(|_problem| no_object())?;
    let made = read(&mut fields);
    fields.faults(made).map_err(|faults| {
        let member = |pointer: &str| pointer.trim_start_matches('/').to_owned();
        let each = faults.into_iter();
        each.map(|fault| Fault::new(member(&fault.pointer), fault.detail))
            .collect()
    })
}

fn no_object() -> Vec<Fault> {
    vec![Fault::new("", "must be an object")]
}

/// Reads a text of 1 to `longest` bytes.
pub(super) fn non_empty_text(fields: &mut Fields<'_>, name: &'static str, longest: usize) -> Option<String> {
    let text = fields.required(name, |fields, name| fields.text(name, longest))?;
    if text.trim().is_empty() {
        fields.refuse(name, "must not be empty");
        return None;
    }
    Some(text)
}
