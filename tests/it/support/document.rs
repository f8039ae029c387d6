use super::Api;
use jsonschema::Validator;
use serde_json::{Value, json};

/// Returns one JSON value of each type.
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

/// The `OpenAPI` document of the service.
pub struct Document(pub Value);

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

    /// Checks that the document allows a body of a call. The call is named as in the document: `post /v1/…`.
    #[track_caller]
    pub fn allows(&self, call: &str, body: &Value) {
        self.fits(&self.call(call)["requestBody"], body);
    }

    /// Checks that the document has a response with this status and body.
    #[track_caller]
    pub fn has(&self, call: &str, status: u16, answer: &Value) {
        self.fits(&self.call(call)["responses"][status.to_string()], answer);
    }

    /// Returns the target of a reference, or the value itself if it is not a reference.
    pub fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).unwrap(),
            None => value,
        }
    }

    /// Returns a validator of a schema of the document, including the schemas that it refers to.
    #[track_caller]
    pub fn validator(&self, schema: &Value) -> Validator {
        let mut root = schema.clone();
        root["components"] = json!({"schemas": self.0["components"]["schemas"]});
        jsonschema::draft202012::new(&root).unwrap()
    }

    /// The schema of a body in JSON, of a request or an answer.
    pub fn json_schema<'a>(&'a self, of: &'a Value) -> Option<&'a Value> {
        let content = self.resolved(of)["content"].as_object()?;
        // An error is a problem, and every other body is JSON.
        let kinds = ["application/problem+json", "application/json"];
        kinds.into_iter().find_map(|kind| content.get(kind)?.get("schema"))
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
        let schema = self.json_schema(content).expect("there is a schema");
        let faults: Vec<String> = self
            .validator(schema)
            .iter_errors(value)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{faults:?}\n{value}\n{schema}");
    }
}
