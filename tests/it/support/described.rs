//! Compares every problem that a test receives with the `OpenAPI` document.

use serde_json::Value;
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(fleetpulse::app::document()).unwrap());

/// Panics if the document describes the call but not this problem as one of its answers.
#[track_caller]
pub fn assert_described(method: &str, path: &str, status: u16, problem: &Value) {
    // A fault of the service itself, which tests cause on purpose.
    if status == 500 {
        return;
    }
    let method = method.to_ascii_lowercase();
    let Some((template, call)) = call(&method, path) else {
        return;
    };
    let name = format!("{method} {template}: {status} {problem}");
    let answer = resolved(&call["responses"][status.to_string()]);
    assert!(answer.is_object(), "the document has no such status: {name}");
    let content = &answer["content"]["application/problem+json"]["schema"];
    let types = types(resolved(content));
    assert!(
        types.iter().any(|kind| **kind == problem["type"]),
        "the document has no such type: {name}"
    );
}

/// The call of this path: the one whose template has the fewest parameters.
fn call(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let method = if method == "head" { "get" } else { method };
    let paths = DOCUMENT["paths"].as_object()?;
    let fits = paths.iter().filter(|(template, _)| is_of(template, path));
    let (template, operations) = fits.min_by_key(|(template, _)| template.matches('{').count())?;
    Some((template, operations.get(method)?))
}

fn is_of(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') && !given.is_empty() => {}
            _ => return false,
        }
    }
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// The problem types that a schema allows.
fn types(schema: &'static Value) -> Vec<&'static Value> {
    let all_of = schema["allOf"].as_array().into_iter().flatten();
    let kinds = all_of.filter_map(|part| part["properties"]["type"]["enum"].as_array());
    kinds.flatten().collect()
}
