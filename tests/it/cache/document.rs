//! The `OpenAPI` document is true of what the calls take and answer.

use super::CacheApi;
use crate::support::Scene;
use serde_json::{Value, json};

/// Why a value is not as a schema has it. As much of JSON Schema as the slice's schemas use.
fn fault(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
        return fault(document, schema, value);
    }
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

#[track_caller]
fn fits(document: &Value, schema: &Value, value: &Value) {
    assert!(schema.is_object(), "there is a schema");
    let fault = fault(document, schema, value);
    assert_eq!(fault, None, "{schema}");
}

#[actix_web::test]
async fn what_the_calls_take_and_answer_is_what_the_document_says() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    let document = api.0.get("/openapi.json").await.body;
    let calls = &document["paths"];
    let body = |call: &Value| call["requestBody"]["content"]["application/json"]["schema"].clone();
    let answer = |call: &Value| call["responses"]["200"]["content"]["application/json"]["schema"].clone();
    let entry = &calls["/v1/cache/{namespace}/{key}"];
    for value in [
        json!(null),
        json!(true),
        json!(1.5),
        json!("x"),
        json!([1]),
        json!({"a": 1}),
    ] {
        let put = json!({"value": value, "ttl_ms": 2_678_400_000_u64, "tags": ["t"]});
        fits(&document, &body(&entry["put"]), &put);
        assert_eq!(api.put("n/k", put).await.status, 204);
        let found = api.get("n/k").await;
        assert_eq!((found.status, &found.body["value"]), (200, &value));
        fits(&document, &answer(&entry["get"]), &found.body);
    }
    let touch = json!({"ttl_ms": 2_678_400_000_u64});
    fits(&document, &body(&entry["patch"]), &touch);
    assert_eq!(api.patch("n/k", touch).await.status, 204);

    let batch = &calls["/v1/cache/{namespace}"]["post"];
    let all = json!({"set": [{"key": "1", "value": [null], "ttl_ms": 2_678_400_000_u64}], "get": ["1", "2", "3"]});
    let name = scene.keys().cache_entry(&super::id("n"), "3").name;
    let () = scene.redis.query(redis::cmd("SET").arg(name).arg("rubbish")).await;
    fits(&document, &body(batch), &all);
    let done = api.post("n", all).await;
    let results = &done.body["results"];
    assert_eq!(results[0]["value"], json!([null]));
    assert_eq!(results[1], json!({"key": "2", "state": "miss"}));
    assert_eq!(results[2], json!({"key": "3", "state": "corrupt"}));
    fits(&document, &answer(batch), &done.body);

    let counter = &calls["/v1/cache/counters/{namespace}/{key}"]["post"];
    let add = json!({"by": -2, "ttl_ms": 2_678_400_000_u64});
    fits(&document, &body(counter), &add);
    let added = api.post("counters/n/c", add).await;
    assert_eq!(added.status, 200);
    fits(&document, &answer(counter), &added.body);
    let named = &document["components"]["schemas"]["CountBody"]["properties"];
    for member in ["by", "ttl_s", "ttl_ms", "ttl_class"] {
        assert!(named[member].is_object(), "{member}");
    }

    let event = &calls["/v1/cache/events"]["post"];
    for time in [json!("2026-11-21T10:14:57.123Z"), json!(1_763_720_097_123_u64)] {
        let tell = json!({"type": "a", "entity_id": "7", "timestamp": time});
        fits(&document, &body(event), &tell);
        let told = api.post("events", tell).await;
        assert_eq!(told.status, 200);
        fits(&document, &answer(event), &told.body);
    }
}
