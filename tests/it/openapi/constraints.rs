//! The document and the service agree about what a client may send. For every parameter and every member of every body, values at and
//! beyond the bounds that the document names are judged by the document and sent to the service. What the document refuses the service
//! has to refuse. What it allows the service may refuse only if the rest of the request forbids it. Every answer on the way has to be one
//! that the document describes.

use super::call::{Call, members};
use super::probes::{has_format, probes, samples, variants, with};
use super::request::{Request, as_text, typed};
use crate::support::{Document, Scene, Service, http_client};
use futures_util::StreamExt;
use futures_util::stream;
use jsonschema::Validator;
use reqwest::Client;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

const LISTING_TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// A request that is accepted may wait for an event. One that is refused is answered at once.
const WAITS: Duration = Duration::from_secs(1);
/// The number of concurrent calls.
const AT_ONCE: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Refused,
    /// A name that does not exist.
    Missing,
}

/// Rules that depend on more than one value, so that the document cannot state them.
const BEYOND_FORM: [(&str, &str); 5] = [
    // `null` is as if it was not given, and one has to be.
    ("touch_cache_entry", "/ttl_s"),
    // The quantity would leave its range.
    ("adjust_item", "/delta"),
    // The same id with other items is refused.
    ("create_reservation", "/id"),
    ("reserve_item", "/id"),
    // The jobs of the example are of one queue.
    ("settle_jobs", "queue"),
];

impl Verdict {
    /// Whether a value that the document allows, or refuses, may have this result.
    fn is_of(self, is_valid: bool) -> bool {
        match self {
            Self::Accepted => is_valid,
            Self::Refused => !is_valid,
            Self::Missing => true,
        }
    }
}

/// One call of the document under test.
struct Trial<'a> {
    document: &'a Document,
    call: Call<'a>,
    http: &'a Client,
    url: &'a str,
    token: String,
    faults: &'a RefCell<Vec<String>>,
    /// Of answers, by status.
    validators: RefCell<HashMap<u16, Option<Rc<Validator>>>>,
}

/// A test for each group of calls, with a service of its own.
macro_rules! tests {
    ($($name:ident: $tag:literal,)*) => {
        const TAGS: &[&str] = &[$($tag),*];
        $(#[actix_web::test]
        async fn $name() {
            agree($tag).await;
        })*
    };
}

tests! {
    about_positions: "tracking",
    about_stock: "inventory",
    about_sessions: "sessions",
    about_limits: "limits",
    about_locks: "locks",
    about_jobs: "jobs",
    about_the_cache: "cache",
    about_health: "health",
}

#[actix_web::test]
async fn every_group_of_calls_is_covered() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let document = Document::of(&service.drivers()).await;
    for call in Call::all(&document) {
        assert!(TAGS.contains(&call.tag()), "{call:?}");
    }
}

/// Tries every value of the calls of a group.
async fn agree(tag: &str) {
    // Where a setting bounds a value further, it is as wide as it can be.
    let scene = Scene::new().await.with(&[
        "--session-max-ttl=31536000",
        "--limits=login=window:1000000/1m; api=gcra:600/1m",
        &format!("--cache-listing-token={LISTING_TOKEN}"),
    ]);
    let service = scene.start().await;
    let document = Document::of(&service.drivers()).await;
    let (http, url) = (http_client().build().unwrap(), service.url());
    let faults = RefCell::new(Vec::new());
    let group: Vec<_> = Call::all(&document)
        .into_iter()
        .filter(|call| call.tag() == tag)
        .collect();
    assert!(!group.is_empty(), "{tag}");
    let calls = stream::iter(group).map(|call| {
        let (document, http, url, faults) = (&document, &http, &*url, &faults);
        let service = &service;
        async move {
            let token = token(service, &call).await;
            let trial = Trial {
                document,
                call,
                http,
                url,
                token,
                faults,
                validators: RefCell::default(),
            };
            trial.run().await
        }
    });
    let sent: usize = calls
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .sum();
    let faults = faults.into_inner();
    assert!(faults.is_empty(), "{} of {sent}:\n{}", faults.len(), faults.join("\n"));
    assert!(sent > 0 || tag == "health", "{sent}");
}

/// The credentials of the call: the token of a session of its own, or that for listings.
async fn token(service: &Service, call: &Call<'_>) -> String {
    if call.operation["security"][0].get("session").is_none() {
        return LISTING_TOKEN.to_owned();
    }
    let request = service.drivers().request(reqwest::Method::POST, "/v1/sessions");
    let made = crate::support::send(request.json(&json!({"subject": call.id()}))).await;
    made.body["token"].as_str().unwrap().to_owned()
}

impl Trial<'_> {
    /// Tries every value of the call; returns how many requests that were.
    async fn run(&self) -> usize {
        let base = self.base();
        let mut sent = 0;
        for parameter in self.call.parameters() {
            sent += self.try_parameter(&base, parameter).await;
        }
        if let Some(schema) = self.call.body(self.document) {
            sent += self.try_body(&base, schema).await;
        }
        sent
    }

    /// A request with the required values.
    fn base(&self) -> Request {
        let mut request = Request::default();
        for parameter in self.call.parameters().filter(|parameter| parameter["required"] == true) {
            let sample = parameter.get("example").cloned();
            let sample = sample.unwrap_or_else(|| samples(self.document, &parameter["schema"]).remove(0));
            request.put(parameter, sample);
        }
        let body = self.call.body(self.document);
        request.body = body.map(|schema| samples(self.document, schema).remove(0));
        request
    }

    async fn try_parameter(&self, base: &Request, parameter: &Value) -> usize {
        let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
        let validator = self.document.validator(schema);
        let mut sent = 0;
        for probe in probes(self.document, schema) {
            let Some(text) = as_text(&probe) else { continue };
            // A client leaves out empty values, and resolves dots; a header has no control characters.
            let no_path = parameter["in"] == "path" && ["", ".", ".."].contains(&text.as_str());
            let no_header = parameter["in"] == "header" && HeaderValue::from_str(&text).is_err();
            if no_path || no_header || probe.is_null() || probe.is_object() {
                continue;
            }
            let mut request = base.clone();
            request.put(parameter, probe.clone());
            let is_valid = validator.is_valid(&typed(&probe, &validator));
            sent += 1;
            let verdict = self.send(&request, is_valid, parameter["in"] == "path").await;
            let is_beyond = BEYOND_FORM.contains(&(self.call.id(), name));
            let unclear = is_valid && (is_beyond || has_format(self.document, schema));
            if !unclear && !verdict.is_of(is_valid) {
                self.disagree(name, &probe, is_valid);
            }
        }
        sent
    }

    async fn try_body(&self, base: &Request, schema: &Value) -> usize {
        let validator = self.document.validator(schema);
        let bases = samples(self.document, schema);
        let mut sent = self.try_without_body(base).await;
        let mut places = vec![(String::new(), schema)];
        members(self.document, schema, "", &mut places);
        for (place, schema) in places {
            let mut probes = probes(self.document, schema);
            if place.is_empty() {
                probes.extend(bases.iter().cloned());
                probes.push(json!({"unheard_of": 1}));
            }
            for probe in probes {
                sent += self
                    .try_member(base, &validator, &bases, (&place, schema), &probe)
                    .await;
            }
        }
        sent
    }

    async fn try_without_body(&self, base: &Request) -> usize {
        let may_be_absent = self.call.operation["requestBody"]["required"] != true;
        let request = Request {
            body: None,
            ..base.clone()
        };
        if !self.send(&request, may_be_absent, false).await.is_of(may_be_absent) {
            self.disagree("a request without a body", &Value::Null, may_be_absent);
        }
        1
    }

    /// Puts a value at a place of all bodies that have it.
    async fn try_member(
        &self,
        base: &Request,
        validator: &Validator,
        bases: &[Value],
        (place, schema): (&str, &Value),
        probe: &Value,
    ) -> usize {
        let body = |base: &Value| {
            if place.is_empty() {
                Some(probe.clone())
            } else {
                with(base, place, probe)
            }
        };
        let bodies: Vec<Value> = bases.iter().filter_map(body).collect();
        let mut sent = 0;
        // If another member makes this one irrelevant, it is not checked.
        let is_there = |base: &&Value| base.pointer(place).is_some();
        let used: Vec<Value> = bases.iter().filter(is_there).filter_map(body).collect();
        let refused = if used.is_empty() { &bodies } else { &used };
        for body in refused.iter().filter(|body| !validator.is_valid(body)) {
            sent += 1;
            if self.send_body(base, body, false).await == Verdict::Accepted {
                self.disagree(place, probe, false);
            }
        }
        let valid: Vec<&Value> = bodies.iter().filter(|body| validator.is_valid(body)).collect();
        if valid.is_empty() || has_format(self.document, schema) {
            return sent;
        }
        // Some members exclude each other, so one body is enough that takes the value.
        for body in valid.iter().flat_map(|body| variants(body, place)) {
            sent += 1;
            if validator.is_valid(&body) && self.send_body(base, &body, true).await == Verdict::Accepted {
                return sent;
            }
        }
        if !BEYOND_FORM.contains(&(self.call.id(), place)) {
            self.disagree(place, probe, true);
        }
        sent
    }

    async fn send_body(&self, base: &Request, body: &Value, is_valid: bool) -> Verdict {
        let request = Request {
            body: Some(body.clone()),
            ..base.clone()
        };
        self.send(&request, is_valid, false).await
    }

    async fn send(&self, request: &Request, is_valid: bool, is_path: bool) -> Verdict {
        let sending = self.answer(request, is_path);
        if is_valid {
            timeout(WAITS, sending).await.unwrap_or(Verdict::Accepted)
        } else {
            sending.await
        }
    }

    async fn answer(&self, request: &Request, is_path: bool) -> Verdict {
        let method = self.call.method.to_uppercase().parse().unwrap();
        let url = format!("{}{}", self.url, request.target(self.call.path));
        let mut sending = self.http.request(method, url).bearer_auth(&self.token);
        for (name, value) in &request.headers {
            let value = HeaderValue::from_str(&as_text(value).unwrap()).unwrap();
            sending = sending.header(name.parse::<HeaderName>().unwrap(), value);
        }
        if let Some(body) = &request.body {
            sending = sending.json(body);
        }
        let answer = crate::support::send(sending).await;
        self.check_described(request, answer.status, &answer.body);
        let dropped = |name: &str| answer.body[name].as_array().is_some_and(|all| !all.is_empty());
        match answer.status {
            400 | 413 | 415 | 422 => Verdict::Refused,
            404 | 405 if is_path => Verdict::Missing,
            // Of positions all but the place is dropped where it is not acceptable.
            200 if dropped("warnings") || dropped("rejected") => Verdict::Refused,
            _ => Verdict::Accepted,
        }
    }

    fn validator(&self, status: u16, answer: &Value) -> Option<Rc<Validator>> {
        let mut known = self.validators.borrow_mut();
        let made = known.entry(status).or_insert_with(|| {
            let schema = self.document.json_schema(answer)?;
            Some(Rc::new(self.document.validator(schema)))
        });
        made.clone()
    }

    /// The document has such an answer.
    fn check_described(&self, request: &Request, status: u16, body: &Value) {
        let answer = &self.call.operation["responses"][status.to_string()];
        let problem = if status == 405 {
            // A path parameter can make it another path.
            None
        } else if !answer.is_object() {
            Some("is not described".to_owned())
        } else {
            let validator = self.validator(status, answer).filter(|_| !body.is_null());
            validator.and_then(|validator| {
                let fault = validator.iter_errors(body).next()?;
                Some(format!("{}: {fault}", fault.instance_path()))
            })
        };
        if let Some(problem) = problem {
            let id = self.call.id();
            let shown = serde_json::to_string(&request.body).unwrap();
            let fault = format!(
                "{id}: {status} {problem}: {body:.300} to {} {shown:.300}",
                request.target(self.call.path)
            );
            self.note(fault);
        }
    }

    fn disagree(&self, place: &str, probe: &Value, is_valid: bool) {
        let (document, service) = if is_valid {
            ("allows", "does not")
        } else {
            ("refuses", "does not")
        };
        let probe = probe.to_string();
        let shown: String = probe.chars().take(80).collect();
        let id = self.call.id();
        self.note(format!(
            "{id} {place}: the document {document} {shown}, the service {service}"
        ));
    }

    fn note(&self, fault: String) {
        let mut faults = self.faults.borrow_mut();
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
}
