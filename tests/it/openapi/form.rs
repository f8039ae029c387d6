use super::call::Call;
use crate::support::{Document, Scene};
use jsonschema::draft202012::meta;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

async fn document() -> Document {
    let scene = Scene::new().await;
    let service = scene.start().await;
    Document::of(&service.drivers()).await
}

/// The first words of summaries.
const VERBS: [&str; 27] = [
    "Acquire",
    "Add",
    "Adjust",
    "Cancel",
    "Change",
    "Check",
    "Complete",
    "Confirm",
    "Create",
    "Delete",
    "End",
    "Enqueue",
    "Extend",
    "Fail",
    "Find",
    "Get",
    "Invalidate",
    "Lease",
    "List",
    "Merge",
    "Move",
    "Pause",
    "Release",
    "Renew",
    "Replace",
    "Report",
    "Reserve",
];
const MORE_VERBS: [&str; 9] = [
    "Reset", "Resume", "Retry", "Return", "Set", "Settle", "Take", "Validate", "Write",
];

#[actix_web::test]
async fn each_call_has_a_unique_id_and_a_short_imperative_summary() {
    let document = document().await;
    let mut ids = HashSet::new();
    for call in Call::all(&document) {
        let (id, summary) = (call.id(), call.operation["summary"].as_str().unwrap_or_default());
        assert!(!id.is_empty(), "{call:?} has no operationId");
        assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{id}");
        assert!(ids.insert(id), "two calls have the operationId {id}");
        let verb = summary.split([' ', ',']).next().unwrap_or_default();
        assert!(VERBS.contains(&verb) || MORE_VERBS.contains(&verb), "{id}: {summary:?}");
        assert!(summary.len() <= 60 && !summary.ends_with('.'), "{id}: {summary:?}");
    }
}

#[actix_web::test]
async fn the_document_is_openapi_3_1() {
    let document = document().await;
    let members: BTreeSet<&str> = document.0.as_object().unwrap().keys().map(|name| &**name).collect();
    assert_eq!(
        members,
        BTreeSet::from(["components", "info", "openapi", "paths", "servers", "tags"])
    );
    assert_eq!(document.0["servers"][0]["url"], "/");
    let version = document.0["info"]["version"].as_str().unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    let schemes = document.0["components"]["securitySchemes"].as_object().unwrap();
    let tags: Vec<_> = document.0["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .collect();
    for call in Call::all(&document) {
        let id = call.id();
        for tag in call.operation["tags"].as_array().unwrap() {
            assert!(tags.contains(&tag), "{id}: {tag}");
        }
        for scheme in call.operation["security"].as_array().into_iter().flatten() {
            assert!(
                scheme
                    .as_object()
                    .unwrap()
                    .keys()
                    .all(|name| schemes.contains_key(name)),
                "{id}"
            );
        }
        let mut names = BTreeSet::new();
        for parameter in call.parameters() {
            let (name, place) = (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
            assert!(names.insert((place, name)), "{id}: {name} is there twice");
            assert!(["path", "query", "header"].contains(&place), "{id}: {name}");
            assert!(place != "path" || parameter["required"] == true, "{id}: {name}");
            assert!(parameter["schema"].is_object(), "{id}: {name}");
            let description = parameter["description"].as_str().unwrap_or_default();
            assert!(!description.is_empty(), "{id}: {name} is not described");
        }
        let templated = call.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let named = names
            .iter()
            .filter(|(place, _)| *place == "path")
            .map(|(_, name)| *name);
        assert_eq!(
            templated.collect::<BTreeSet<_>>(),
            named.collect::<BTreeSet<_>>(),
            "{id}"
        );
        for (status, answer) in call.operation["responses"].as_object().unwrap() {
            assert!(
                status.parse::<u16>().is_ok_and(|status| (200..600).contains(&status)),
                "{id}"
            );
            let description = document.resolved(answer)["description"].as_str().unwrap_or_default();
            assert!(!description.is_empty(), "{id}: {status} is not described");
        }
    }
    for (name, schema) in document.0["components"]["schemas"].as_object().unwrap() {
        meta::validate(schema).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    }
}

#[actix_web::test]
async fn examples_match_their_schemas() {
    let document = document().await;
    let mut seen = 0;
    for (name, schema) in document.0["components"]["schemas"].as_object().unwrap() {
        let examples = schema["examples"]
            .as_array()
            .into_iter()
            .flatten()
            .chain(schema.get("example"));
        for example in examples {
            seen += 1;
            let validator = document.validator(schema);
            let faults: Vec<String> = validator.iter_errors(example).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{name}: {example}\n{faults:?}");
        }
    }
    assert!(seen > 30, "{seen}");
    for call in Call::all(&document) {
        let Some(body) = call.body(&document) else { continue };
        let body = document.resolved(body);
        let has_example = |schema: &Value| document.resolved(schema).get("example").is_some();
        let variants = body["oneOf"].as_array().into_iter().flatten();
        assert!(
            has_example(body) || variants.clone().any(has_example),
            "{} has no example of its body",
            call.id()
        );
    }
}

/// Members whose size only that of the body bounds.
const UNBOUNDED: [(&str, &str); 5] = [
    ("fail_job", "/error"),
    ("settle_jobs", "/jobs/0/error"),
    ("find_nearby_many", "/queries/0/status"),
    ("find_nearby_many", "/queries/0/vehicle_type"),
    ("find_nearby_many", "/queries/0/vehicle_type/0"),
];

#[actix_web::test]
async fn every_parameter_and_member_has_bounds() {
    let document = document().await;
    let mut unbounded = Vec::new();
    for call in Call::all(&document) {
        for (place, schema) in call.inputs(&document) {
            let elements_of_words = place.ends_with("status/0") || place == "status" || place == "vehicle_type";
            if !is_bounded(&document, schema) && !UNBOUNDED.contains(&(call.id(), &place)) && !elements_of_words {
                unbounded.push(format!("{} {place}: {schema}", call.id()));
            }
        }
    }
    assert!(unbounded.is_empty(), "{}", unbounded.join("\n"));
}

/// Whether a schema of one value bounds it; objects and arrays are checked separately.
fn is_bounded(document: &Document, schema: &Value) -> bool {
    let schema = document.resolved(schema);
    let has = |name: &str| !schema[name].is_null();
    if schema["type"] == "null" {
        return true;
    }
    let parts = ["allOf", "oneOf", "anyOf"];
    if parts.iter().any(|part| has(part)) {
        let all = parts
            .iter()
            .flat_map(|part| schema[*part].as_array().into_iter().flatten());
        return all.into_iter().all(|schema| is_bounded(document, schema));
    }
    let is = |kind: &str| {
        schema["type"] == kind
            || schema["type"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == kind))
    };
    if is("string") {
        return has("maxLength") || has("enum") || has("pattern") || has("format");
    }
    if is("integer") || is("number") {
        // Any number of degrees is taken modulo 360.
        let is_meant = ["epoch-ms", "degrees"].iter().any(|format| schema["format"] == *format);
        return is_meant || (has("minimum") && has("maximum"));
    }
    if is("array") {
        return has("maxItems");
    }
    true
}

#[actix_web::test]
async fn each_problem_answer_lists_its_types() {
    let document = document().await;
    let page = include_str!("../../../docs/http.md");
    for call in Call::all(&document) {
        for (status, answer) in call.operation["responses"].as_object().unwrap() {
            let problem = &document.resolved(answer)["content"]["application/problem+json"]["schema"];
            if problem.is_null() {
                continue;
            }
            let id = call.id();
            let types = problem["allOf"][1]["properties"]["type"]["enum"].as_array();
            let types = types.unwrap_or_else(|| panic!("{id}: {status} lists no types: {problem}"));
            assert!(
                !types.is_empty() && types.len() < 5,
                "{id}: {status} does not list its types: {types:?}"
            );
            for name in types {
                let name = name
                    .as_str()
                    .and_then(|name| name.strip_prefix("urn:fleetpulse:problem:"))
                    .unwrap();
                assert!(page.contains(&format!("`{name}`")), "{id}: {status}: {name}");
            }
        }
    }
}
