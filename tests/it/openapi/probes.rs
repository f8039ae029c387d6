//! Values at and beyond the bounds of a schema, and bodies that hold them.

use crate::support::Document;
use serde_json::{Map, Value, json};

/// The types that a schema allows, with those of its parts.
fn types<'a>(document: &'a Document, schema: &'a Value) -> Vec<&'a Value> {
    let schema = document.resolved(schema);
    let mut all = vec![schema];
    for part in ["allOf", "oneOf", "anyOf"] {
        for part in schema[part].as_array().into_iter().flatten() {
            all.extend(types(document, part));
        }
    }
    all
}

/// Returns whether more than the form of a value decides whether it is accepted.
pub fn has_format(document: &Document, schema: &Value) -> bool {
    let meant = |schema: &&Value| {
        schema["format"]
            .as_str()
            .is_some_and(|format| !format.starts_with("int"))
    };
    types(document, schema)
        .iter()
        .any(|schema| meant(schema) && !is_number(schema))
}

fn is(schema: &Value, kind: &str) -> bool {
    let kinds = &schema["type"];
    kinds == kind
        || kinds
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|one| one == kind))
}

fn is_number(schema: &Value) -> bool {
    (is(schema, "integer") || is(schema, "number")) && schema["format"] != "epoch-ms"
}

/// Values at and beyond the bounds, types and words of a schema.
pub fn probes(document: &Document, schema: &Value) -> Vec<Value> {
    let mut probes = vec![json!(true), json!("x"), json!({}), json!(null)];
    let schemas = types(document, schema);
    // Any JSON: nothing is refused for its form.
    if schemas
        .iter()
        .all(|schema| schema.get("type").is_none() && schema.get("enum").is_none())
    {
        return probes;
    }
    for schema in schemas {
        if is_number(schema) {
            probes.extend(numbers(schema));
        }
        if is(schema, "string") {
            probes.extend(texts(schema));
        }
        if is(schema, "array") {
            probes.extend(lists(document, schema));
        }
    }
    probes
}

fn numbers(schema: &Value) -> Vec<Value> {
    let whole = is(schema, "integer");
    let number = |value: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the bounds of whole numbers are below 2^53"
        )]
        if whole && value.fract() == 0.0 {
            json!(value as i64)
        } else {
            json!(value)
        }
    };
    let mut all = Vec::new();
    for (bound, beyond) in [("minimum", -1.0), ("maximum", 1.0)] {
        if let Some(bound) = schema[bound].as_f64() {
            all.extend([number(bound), number(bound + beyond)]);
        }
    }
    if whole {
        all.push(json!(1.5));
    }
    all.extend(schema.get("default").cloned());
    all
}

fn texts(schema: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = ["", "a", "\u{e9}", "\u{7}", ".", "..", "not one of them"]
        .map(Value::from)
        .to_vec();
    all.extend(schema["enum"].as_array().into_iter().flatten().cloned());
    all.extend(schema.get("default").cloned());
    all.extend(schema.get("example").cloned());
    for (bound, beyond) in [("minLength", -1), ("maxLength", 1)] {
        if let Some(length) = schema[bound].as_i64() {
            let text = |length: i64| json!("x".repeat(usize::try_from(length).unwrap_or(0)));
            all.extend([text(length), text(length + beyond)]);
        }
    }
    all
}

fn lists(document: &Document, schema: &Value) -> Vec<Value> {
    let mut all = vec![json!([]), json!([{"unheard_of": 1}])];
    let Some(item) = samples(document, &schema["items"]).into_iter().next() else {
        return all;
    };
    for (bound, beyond) in [("minItems", -1), ("maxItems", 1)] {
        if let Some(count) = schema[bound].as_i64() {
            let list = |count: i64| (0..count.max(0)).map(|nth| distinct(&item, nth)).collect::<Value>();
            all.extend([list(count), list(count + beyond)]);
        }
    }
    all
}

/// The value with another name in it for each number, where no two elements may have one name.
fn distinct(item: &Value, nth: i64) -> Value {
    match item {
        Value::String(text) => {
            let kept = text.len().saturating_sub(5).max(1).min(text.len());
            json!(format!("{}{nth:05}", &text[..kept]))
        }
        Value::Object(members) => {
            let named = |(name, value): (&String, &Value)| match &**name {
                "id" | "sku" | "key" => (name.clone(), distinct(value, nth)),
                _ => (name.clone(), value.clone()),
            };
            Value::Object(members.iter().map(named).collect())
        }
        other => other.clone(),
    }
}

/// Values that a schema describes: its examples, or what its types require; of each variant one.
pub fn samples(document: &Document, schema: &Value) -> Vec<Value> {
    let schema = document.resolved(schema);
    let mut all: Vec<Value> = schema.get("example").into_iter().cloned().collect();
    all.extend(schema["examples"].as_array().into_iter().flatten().cloned());
    for variant in schema["oneOf"].as_array().into_iter().flatten() {
        all.extend(samples(document, variant));
    }
    if !all.is_empty() {
        return all;
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts
            .iter()
            .flat_map(|part| samples(document, part).into_iter().take(1))
        {
            whole.extend(part.as_object().cloned().unwrap_or_default());
        }
        return vec![Value::Object(whole)];
    }
    if let Some(first) = schema["enum"].as_array().and_then(|words| words.first()) {
        return vec![first.clone()];
    }
    let sample = if is(schema, "object") {
        let required = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let member = |name: &str| {
            let sample = samples(document, &schema["properties"][name]).into_iter().next();
            (name.to_owned(), sample.unwrap_or(Value::Null))
        };
        Value::Object(required.map(member).collect())
    } else if is(schema, "array") {
        let items = samples(document, &schema["items"]).into_iter();
        return items.map(|item| json!([item])).collect();
    } else if is(schema, "string") {
        json!("a")
    } else if is_number(schema) {
        schema.get("minimum").cloned().unwrap_or(json!(1))
    } else {
        json!(true)
    };
    vec![sample]
}

/// A body with another value at a place; `None` if the body has no such place.
pub fn with(body: &Value, pointer: &str, value: &Value) -> Option<Value> {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/')?;
    if body.pointer(parent).is_none() {
        // An object that the example leaves out.
        body = with(&body, parent, &json!({}))?;
    }
    match body.pointer_mut(parent)? {
        Value::Object(members) => {
            members.insert(name.to_owned(), value.clone());
        }
        Value::Array(elements) => *elements.get_mut(name.parse::<usize>().ok()?)? = value.clone(),
        _ => return None,
    }
    Some(body)
}

/// The body, and the body without each of the members next to a place or next to a parent of it: some exclude each other.
pub fn variants(body: &Value, pointer: &str) -> Vec<Value> {
    let mut all = vec![body.clone()];
    let mut place = pointer;
    while let Some((parent, name)) = place.rsplit_once('/') {
        let members = body.pointer(parent).and_then(Value::as_object).into_iter().flatten();
        for (other, _) in members.filter(|(other, _)| *other != name) {
            let mut without = body.clone();
            if let Some(members) = without.pointer_mut(parent).and_then(Value::as_object_mut) {
                members.remove(other);
            }
            all.push(without);
        }
        place = parent;
    }
    all
}
