use crate::support::Document;
use serde_json::Value;

/// A call of the document.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub operation: &'a Value,
}

impl<'a> Call<'a> {
    pub fn all(document: &'a Document) -> Vec<Self> {
        let paths = document.0["paths"].as_object().unwrap();
        let calls = paths.iter().flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap();
            operations.iter().map(move |(method, operation)| Self {
                method,
                path,
                operation,
            })
        });
        calls.collect()
    }

    pub fn id(&self) -> &'a str {
        self.operation["operationId"].as_str().unwrap_or_default()
    }

    /// The group that it is in.
    pub fn tag(&self) -> &'a str {
        self.operation["tags"][0].as_str().unwrap_or_default()
    }

    pub fn parameters(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.operation["parameters"].as_array().into_iter().flatten()
    }

    /// The schema of its body in JSON.
    pub fn body(&self, document: &'a Document) -> Option<&'a Value> {
        let body = self.operation.get("requestBody")?;
        document.json_schema(body)
    }

    /// Every schema of what a client sends, by where it is: the parameters, and each member of the body at any depth.
    pub fn inputs(&self, document: &'a Document) -> Vec<(String, &'a Value)> {
        let mut found = Vec::new();
        for parameter in self.parameters() {
            let name = parameter["name"].as_str().unwrap().to_owned();
            found.push((name, document.resolved(&parameter["schema"])));
        }
        if let Some(body) = self.body(document) {
            members(document, body, "", &mut found);
        }
        found
    }
}

/// Every member and element below a schema, by its JSON pointer; the first element represents all.
pub fn members<'a>(document: &'a Document, schema: &'a Value, pointer: &str, found: &mut Vec<(String, &'a Value)>) {
    let schema = document.resolved(schema);
    for part in ["allOf", "oneOf", "anyOf"] {
        for schema in schema[part].as_array().into_iter().flatten() {
            members(document, schema, pointer, found);
        }
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let pointer = format!("{pointer}/{name}");
        found.push((pointer.clone(), member));
        members(document, member, &pointer, found);
    }
    if let Some(items) = schema.get("items") {
        let pointer = format!("{pointer}/0");
        found.push((pointer.clone(), items));
        members(document, items, &pointer, found);
    }
}
