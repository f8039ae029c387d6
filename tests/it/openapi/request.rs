//! A request with the values that are tried.

use jsonschema::Validator;
use serde_json::{Value, json};
use std::fmt::Write;

/// A request as it is put together.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub path: Vec<(String, Value)>,
    pub query: Vec<(String, Value)>,
    pub headers: Vec<(String, Value)>,
    pub body: Option<Value>,
}

impl Request {
    /// Sets a parameter.
    pub fn put(&mut self, parameter: &Value, value: Value) {
        let name = parameter["name"].as_str().unwrap().to_owned();
        let place = match parameter["in"].as_str().unwrap() {
            "path" => &mut self.path,
            "query" => &mut self.query,
            _ => &mut self.headers,
        };
        place.retain(|(other, _)| *other != name);
        place.push((name, value));
    }

    /// The path and the query with the values in them.
    pub fn target(&self, template: &str) -> String {
        let mut target = template.to_owned();
        for (name, value) in &self.path {
            target = target.replace(&format!("{{{name}}}"), &encoded(&as_text(value).unwrap()));
        }
        for (nth, (name, value)) in self.query.iter().flat_map(repeated).enumerate() {
            let mark = if nth == 0 { '?' } else { '&' };
            let _ = write!(target, "{mark}{name}={}", encoded(&value));
        }
        target
    }
}

/// A list is one parameter for each element.
fn repeated((name, value): &(String, Value)) -> Vec<(&str, String)> {
    match value {
        Value::Array(elements) => elements
            .iter()
            .filter_map(|value| Some((&**name, as_text(value)?)))
            .collect(),
        value => as_text(value).map(|text| (&**name, text)).into_iter().collect(),
    }
}

pub fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(elements) if elements.iter().all(Value::is_string) => Some(String::new()),
        Value::Array(_) => None,
        value => Some(value.to_string()),
    }
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => write!(encoded, "{}", char::from(byte)),
            byte => write!(encoded, "%{byte:02X}"),
        };
        encoded
    })
}

/// A text in a URL has no type: its schema determines how it is parsed.
pub fn typed(probe: &Value, validator: &Validator) -> Value {
    match probe {
        Value::Array(_) => probe.clone(),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(number) if number.is_number() && validator.is_valid(&number) => number,
            _ if validator.is_valid(&json!([text])) => json!([text]),
            _ => probe.clone(),
        },
        value => {
            let text = json!(value.to_string());
            if validator.is_valid(value) {
                value.clone()
            } else if validator.is_valid(&json!([text])) {
                json!([text])
            } else {
                text
            }
        }
    }
}
