use super::Api;
use serde_json::{Value, json};

/// One of each kind of JSON.
pub fn any_json() -> [Value; 6] {
    [
        json!(null),
        json!(true),
        json!(1.5),
        json!("x"),
        json!([1]),
        json!({"a": 1}),
    ]
}

/// What the service says of its calls.
pub struct Document(Value);

impl Document {
    pub async fn of(api: &Api) -> Self {
        Self(api.get("/openapi.json").await.body)
    }

    pub fn schema(&self, name: &str) -> &Value {
        &self.0["components"]["schemas"][name]
    }

    /// The body of a call that the document gives as an example of a media type.
    pub fn example(&self, call: &str, media_type: &str) -> &Value {
        &self.call(call)["requestBody"]["content"][media_type]["example"]
    }

    /// The document allows such a body of a call, named `post /v1/…` as it stands there.
    #[track_caller]
    pub fn allows(&self, call: &str, body: &Value) {
        self.fits(&self.call(call)["requestBody"], body);
    }

    /// The document has such an answer.
    #[track_caller]
    pub fn has(&self, call: &str, status: u16, answer: &Value) {
        self.fits(&self.call(call)["responses"][status.to_string()], answer);
    }

    #[track_caller]
    fn call(&self, call: &str) -> &Value {
        let (method, path) = call.split_once(' ').unwrap();
        let call = &self.0["paths"][path][method];
        assert!(call.is_object(), "{method} {path} is not in the document");
        call
    }

    #[track_caller]
    fn fits(&self, content: &Value, value: &Value) {
        let content = resolved(&self.0, content)["content"].as_object().unwrap();
        // A refusal is a problem, and everything else of ours is JSON.
        let kinds = ["application/problem+json", "application/json"];
        let content = kinds.into_iter().find_map(|kind| content.get(kind));
        let schema = &content.expect("there is a schema")["schema"];
        let fault = fault(&self.0, schema, value);
        assert_eq!(fault, None, "{schema}");
    }
}

/// What stands where a reference leads; a value that is none as it is.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// Why a value is not as a schema has it. As much of JSON Schema as the document uses.
fn fault(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let schema = resolved(document, schema);
    let of = |all: &Value| all.as_array().cloned().unwrap_or_default();
    let faults =
        |all: &Value| -> Vec<Option<String>> { of(all).iter().map(|schema| fault(document, schema, value)).collect() };
    if let Some(fault) = faults(&schema["allOf"]).into_iter().flatten().next() {
        return Some(fault);
    }
    let one_of = faults(&schema["oneOf"]);
    if !one_of.is_empty() && one_of.iter().filter(|fault| fault.is_none()).count() != 1 {
        return Some(format!("{value} is not just one of {one_of:?}"));
    }
    let types = match &schema["type"] {
        Value::Null => Vec::new(),
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    };
    if !types.is_empty() && !types.iter().any(is) {
        return Some(format!("{value} is no {types:?}"));
    }
    let number = value.as_i64();
    if schema["format"] == "int32" && number.is_some_and(|number| i32::try_from(number).is_err()) {
        return Some(format!("{value} is no int32"));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        return Some(format!("{value} is none of {}", schema["enum"]));
    }
    if let Some(missing) = of(&schema["required"])
        .iter()
        .find(|name| value.is_object() && value.get(name.as_str().unwrap()).is_none())
    {
        return Some(format!("{value} lacks {missing}"));
    }
    let members = schema["properties"].as_object().into_iter().flatten();
    let members = members.filter_map(|(name, schema)| fault(document, schema, value.get(name)?));
    let elements = value.as_array().into_iter().flatten();
    let elements = elements.filter_map(|element| fault(document, schema.get("items")?, element));
    members.chain(elements).next()
}
