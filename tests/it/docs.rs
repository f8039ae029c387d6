//! The documentation that the service serves: its `OpenAPI` document, the page that shows it, and the types of its problems.

use crate::support::{Raw, Scene, send};
use fleetpulse::app;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

#[actix_web::test]
async fn the_openapi_document_names_every_route_and_no_other() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let answer = service.drivers().get("/openapi.json").await;
    assert_eq!((answer.status, &*answer.content_type), (200, "application/json"));
    let document = answer.body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{document}");
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} has a summary");
            assert!(operation["responses"].as_object().is_some_and(|all| !all.is_empty()));
            let scope = operation["x-scope"].as_str().unwrap().to_owned();
            described.insert((method.to_uppercase(), path.clone(), scope));
        }
    }
    let routes = app::routes().into_iter();
    let table: BTreeSet<_> = routes
        // The document does not describe itself, nor the page that shows it.
        .filter(|route| !["/openapi.json", "/", "/docs", "/docs/{file:.*}"].contains(&route.path))
        .map(|route| {
            let method = route.method.to_string();
            (method, route.path.to_owned(), route.scope.as_str().to_owned())
        })
        .collect();
    assert!(table.len() > 12, "{table:?}");
    assert_eq!(described, table);
}

#[test]
fn every_route_is_in_the_table_once_and_a_path_has_one_name() {
    let (mut seen, mut names) = (BTreeSet::new(), BTreeMap::new());
    for route in app::routes() {
        assert!(
            seen.insert((route.method.to_string(), route.path)),
            "{route:?} is there twice"
        );
        let name = names.entry(route.path).or_insert(route.name);
        assert_eq!(*name, route.name, "{}", route.path);
        let described = route.document().map(|document| {
            let mut paths = document.paths.paths.into_iter();
            paths.next().map(|(path, _)| path)
        });
        assert!(
            described.is_none_or(|path| path.as_deref() == Some(route.path)),
            "{route:?}"
        );
    }
}

#[actix_web::test]
async fn every_method_of_every_path_matches_the_route_table() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let routes = app::routes();
    let paths: BTreeSet<&str> = routes.iter().map(|route| route.path).collect();
    for path in paths {
        let id = if path.starts_with("/docs") { "index.html" } else { ID };
        // Refused where it is mounted, before anything is done.
        let there = format!("{}?unheard-of=1", filled(path, "drivers", id));
        for method in METHODS {
            let is_mounted = routes.iter().any(|route| route.path == path && route.method == method);
            let answer = api.request(method.parse().unwrap(), &there).send().await.unwrap();
            let status = answer.status().as_u16();
            match (is_mounted, path.starts_with("/v1/")) {
                (false, _) => assert_eq!(status, 405, "{method} {there}"),
                (true, true) => assert_eq!(status, 400, "{method} {there}"),
                (true, false) => assert!(![404, 405].contains(&status), "{method} {there}: {status}"),
            }
        }
    }
}

/// An id of anything, that of a job as well.
const ID: &str = "a.ABCDEFGHIJKLM";

/// A call of the document: its method, its path, and its description.
type Call<'a> = (&'a str, &'a str, &'a Value);

fn calls(document: &Value) -> impl Iterator<Item = Call<'_>> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap();
        operations.iter().map(|(method, call)| (&**method, &**path, call))
    })
}

/// The response of a call with a status, with references resolved.
fn described<'a>(document: &'a Value, (method, path, call): Call<'a>, status: u16) -> &'a Value {
    let answer = &call["responses"][status.to_string()];
    assert!(answer.is_object(), "{method} {path} does not describe {status}");
    let reference = answer["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix('#'));
    reference.map_or(answer, |pointer| document.pointer(pointer).unwrap())
}

#[actix_web::test]
async fn every_call_of_the_openapi_document_may_be_answered_with_a_429() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let document = service.drivers().get("/openapi.json").await.body;
    for call in calls(&document) {
        let answer = described(&document, call, 429);
        for header in ["Retry-After", "RateLimit", "RateLimit-Policy"] {
            let kind = &answer["headers"][header]["schema"]["type"];
            assert!(kind.is_string(), "{header}: {answer}");
        }
        let body = &answer["content"]["application/problem+json"]["schema"]["allOf"];
        assert_eq!(body[0]["$ref"], "#/components/schemas/Problem", "{answer}");
        assert_eq!(body[1]["properties"]["violated-policies"]["type"], "array", "{answer}");
        // There are none if the session was rotated too often.
        assert_eq!(body[1]["required"], Value::Null, "{answer}");
    }
}

#[actix_web::test]
async fn a_refusal_is_a_problem_and_a_temporary_one_has_retry_after() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let document = service.drivers().get("/openapi.json").await.body;
    for call in calls(&document) {
        let (method, path, said) = call;
        for status in said["responses"].as_object().unwrap().keys() {
            let answer = described(&document, call, status.parse().unwrap());
            let types: Vec<&String> = answer["content"].as_object().into_iter().flat_map(Map::keys).collect();
            if **status < *"400" {
                assert!(
                    !types.iter().any(|kind| kind.contains("problem")),
                    "{method} {path} {status}"
                );
            } else if path != "/health/ready" {
                assert_eq!(types, ["application/problem+json"], "{method} {path} {status}");
                let retry_after = &answer["headers"]["Retry-After"];
                assert_eq!(
                    retry_after.is_object(),
                    ["429", "503"].contains(&&**status),
                    "{method} {path} {status}"
                );
            }
        }
    }
}

/// A path with its kind and its ids.
fn filled(path: &str, kind: &str, id: &str) -> String {
    let word = |word: &str| match word {
        "{kind}" => kind.to_owned(),
        word if word.starts_with('{') => id.to_owned(),
        word => word.to_owned(),
    };
    path.split('/').map(word).collect::<Vec<_>>().join("/")
}

/// Requests that a call refuses: the expected status, the path, and the lines after the common head.
fn wrong(path: &str, call: &Value) -> Vec<(u16, String, &'static str)> {
    let good = filled(path, "drivers", ID);
    let mut wrong = Vec::new();
    if path.starts_with("/v1/") {
        wrong.push((400, format!("{good}?unheard-of=1"), "\r\n"));
    }
    if path.contains("{kind}") {
        wrong.push((404, filled(path, "bicycles", ID), "\r\n"));
    }
    if path.replace("{kind}", "").contains('{') {
        wrong.push((422, filled(path, "drivers", "%00"), "\r\n"));
    }
    if call["requestBody"].is_object() {
        wrong.extend([
            (408, good.clone(), "Content-Length: 2\r\n\r\n"),
            (413, good.clone(), "Content-Length: 1000000000\r\n\r\n"),
            (415, good.clone(), "Content-Type: text/plain\r\n\r\n"),
            (422, good, "Content-Length: 1\r\n\r\n7"),
        ]);
    }
    wrong
}

#[actix_web::test]
async fn every_call_answers_invalid_input_as_documented() {
    let scene = Scene::new().await.with(&["--request-timeout=1000"]);
    let service = scene.start().await;
    let (api, url) = (service.drivers(), service.url());
    let document = api.get("/openapi.json").await.body;
    let opened = api
        .request(Method::POST, "/v1/sessions")
        .json(&json!({"subject": "anna"}));
    let opened = send(opened).await.body;
    let token = opened["token"].as_str().unwrap();
    let mut asked = Vec::new();
    let mut statuses = BTreeSet::new();
    for (method, path, call) in calls(&document) {
        for (status, there, rest) in wrong(path, call) {
            described(&document, (method, path, call), status);
            statuses.insert(status);
            let method = method.to_uppercase();
            let request = format!("{method} {there} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{rest}");
            let url = &url;
            asked.push(async move {
                let answer = Raw::connect(url).await.send(&request).await.head().await;
                assert!(
                    answer.starts_with(&format!("HTTP/1.1 {status} ")),
                    "{request}\n{answer}"
                );
                assert!(answer.contains("application/problem+json"), "{request}\n{answer}");
            });
        }
    }
    assert_eq!(statuses, BTreeSet::from([400, 404, 408, 413, 415, 422]));
    join_all(asked).await;
}

#[actix_web::test]
async fn an_unsupported_method_is_answered_with_the_supported_ones() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let document = api.get("/openapi.json").await.body;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let mut described: BTreeSet<String> = operations
            .as_object()
            .unwrap()
            .keys()
            .map(|name| name.to_uppercase())
            .collect();
        // Any id is sufficient if none is looked up.
        let path = filled(path, "drivers", "x");
        if described.contains("GET") {
            described.insert("HEAD".to_owned());
        }
        described.insert("OPTIONS".to_owned());
        for (method, status) in [("OPTIONS", 204), ("TRACE", 405), ("PURGE", 405)] {
            let answer = api.request(method.parse().unwrap(), &path).send().await.unwrap();
            assert_eq!(answer.status(), status, "{method} {path}");
            let allow = answer.headers()["allow"].to_str().unwrap().to_owned();
            let allowed: BTreeSet<String> = allow.split(", ").map(ToOwned::to_owned).collect();
            assert_eq!(allowed, described, "{path}");
        }
    }
}

#[actix_web::test]
async fn every_reference_in_the_document_resolves() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let document = service.drivers().get("/openapi.json").await.body;
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference
            .strip_prefix('#')
            .unwrap_or_else(|| panic!("{reference} is foreign"));
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("$ref", Value::String(reference)) => found.push(reference.clone()),
                    _ => collect_references(value, found),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

#[actix_web::test]
async fn the_docs_page_loads_nothing_from_other_hosts() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let get = async |path: &str| {
        let answer = api.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    };
    // It is also found without its slash, as it is printed at the start.
    get("/docs").await;
    let page = get("/docs/").await;
    let links: Vec<_> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(links.len() >= 3, "{page}");
    for link in links {
        assert!(!link.contains("//"), "{link} is foreign");
        get(&format!("/docs/{}", link.trim_start_matches("./"))).await;
    }
    let start = get("/docs/swagger-initializer.js").await;
    assert!(start.contains("/openapi.json"), "{start}");
    assert!(!start.contains("http://") && !start.contains("https://"), "{start}");
}

/// Every file of the source.
fn sources(folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn schema_names_are_unique() {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let mut names = BTreeSet::new();
    for source in &all {
        for derived in source.split("#[derive(").skip(1) {
            let (derived, item) = derived.split_once(")]").unwrap();
            if !derived.contains("ToSchema") {
                continue;
            }
            // From the attributes, or else the name of the type.
            let (attributes, rest) = item.split_at(
                item.find("struct ")
                    .into_iter()
                    .chain(item.find("enum "))
                    .min()
                    .unwrap(),
            );
            let given = attributes.split_once("schema(as = ").map(|(_, given)| given);
            let name = given.unwrap_or_else(|| rest.split_once(' ').unwrap().1);
            let name = name.split(|letter: char| !letter.is_alphanumeric()).next().unwrap();
            assert!(
                names.insert(name.to_owned()),
                "{name} names two schemas, of which the document has one"
            );
        }
    }
    assert!(names.len() > 50, "{names:?}");
}

#[test]
fn the_http_page_lists_every_problem_type() {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let mut types = BTreeSet::new();
    for source in &all {
        let conflicts = source.split("::conflict(").skip(1);
        let others = source.split("Self::new(").skip(1).filter_map(|made| {
            let (status, rest) = made.split_once(',')?;
            status.trim_start().starts_with("StatusCode::").then_some(rest)
        });
        let first = conflicts
            .chain(source.split("too_many(").skip(1))
            .chain(others)
            .filter_map(|rest| rest.trim_start().strip_prefix('"'));
        types.extend(first.filter_map(|rest| rest.split('"').next()));
    }
    assert!(types.len() > 25, "{types:?}");
    let page = include_str!("../../docs/http.md");
    let (_, table) = page.split_once("| status | meaning | types |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let named: BTreeSet<&str> = table.split('`').skip(1).step_by(2).collect();
    assert_eq!(named, types);
    for name in types {
        let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(is_plain, "{name} is spelled as no other");
    }
}
