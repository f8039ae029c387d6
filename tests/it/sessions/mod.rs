//! Sessions, from their creation to their end: a file per subject.

mod bad_input;
mod current;
mod data;
mod disconnecting_clients;
mod extend;
mod lifecycle;
mod limit;
mod model;
mod outages;
mod regressions;
mod rotate;
mod stats;
mod storm;
mod subject;
mod total;

use crate::support::{Answer, Api, Redis, Scene, Service, send};
use fleetpulse::ids::ExternalId;
use fleetpulse::sessions::{About, Data, NewSession, SessionMetrics, SessionSettings, Sessions, Shared};
use fleetpulse::store::{Link, Store};
use fleetpulse::telemetry::MetricsRegistry;
use redis::IntoConnectionInfo;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The calls of one instance.
#[derive(Clone)]
struct Calls(Api);

/// A session that was created.
#[derive(Debug, Clone)]
struct Opened {
    token: String,
    id: String,
}

impl Calls {
    fn of(service: &Service) -> Self {
        Self(service.drivers())
    }

    /// A call with a session's token.
    async fn with(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.0.request(method, &format!("/v1/sessions/current{path}"));
        let request = request.bearer_auth(token);
        send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    async fn create(&self, session: Value) -> Answer {
        send(self.0.request(Method::POST, "/v1/sessions").json(&session)).await
    }

    /// A session of a subject with the defaults.
    async fn open(&self, subject: &str) -> Opened {
        self.open_as(json!({ "subject": subject })).await
    }

    /// A session that has to be created.
    async fn open_as(&self, session: Value) -> Opened {
        let answer = self.create(session).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
        Opened {
            token: text("token"),
            id: text("id"),
        }
    }

    async fn get(&self, token: &str) -> Answer {
        self.with(token, Method::GET, "", None).await
    }

    async fn patch(&self, token: &str, version: u64, data: Value) -> Answer {
        let body = json!({"version": version, "data": data});
        self.with(token, Method::PATCH, "", Some(body)).await
    }

    async fn rotate(&self, token: &str) -> Answer {
        self.with(token, Method::POST, "/rotate", None).await
    }

    async fn extend(&self, token: &str, seconds: u64) -> Answer {
        let body = json!({ "seconds": seconds });
        self.with(token, Method::POST, "/extend", Some(body)).await
    }

    async fn sign_out(&self, token: &str) -> Answer {
        self.with(token, Method::DELETE, "", None).await
    }

    async fn list(&self, subject: &str) -> Answer {
        self.0.get(&format!("/v1/subjects/{subject}/sessions")).await
    }

    /// `DELETE` of the subject's sessions, with a suffix: nothing, a query, or a slash and an id.
    async fn end(&self, subject: &str, rest: &str) -> Answer {
        let path = format!("/v1/subjects/{subject}/sessions{rest}");
        send(self.0.request(Method::DELETE, &path)).await
    }

    /// The ids of a subject's sessions, in order.
    async fn ids(&self, subject: &str) -> Vec<String> {
        listed(&self.list(subject).await)
    }
}

/// The ids of a list of sessions, in order.
#[track_caller]
fn listed(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let sessions = answer.body["sessions"].as_array().unwrap();
    sessions
        .iter()
        .map(|session| session["id"].as_str().unwrap().to_owned())
        .collect()
}

/// A time of an answer, Unix milliseconds.
#[track_caller]
fn ms(answer: &Value, name: &str) -> i64 {
    let text = answer[name].as_str().unwrap_or_else(|| panic!("{name} in {answer}"));
    chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

/// The settings that the service has by default.
fn settings() -> SessionSettings {
    SessionSettings {
        idle_ttl_s: 3_600,
        absolute_ttl_s: 86_400,
        max_ttl_s: 2_592_000,
        per_subject: 32,
        max: 1_000_000,
        rotation_grace_ms: 15_000,
    }
}

/// The Rust interface, with times to live of milliseconds.
async fn embedded<R: AsRef<Redis>>(scene: &Scene<R>, settings: SessionSettings) -> Sessions {
    let address = scene.redis.as_ref().url().into_connection_info().unwrap();
    let store = Store::new(address, scene.keys(), Duration::from_secs(5)).unwrap();
    let link = Link::open(&store);
    link.connected().await;
    Sessions::new(
        link,
        Shared::new(
            settings,
            &SessionMetrics::register(&MetricsRegistry::default()).unwrap(),
        ),
    )
}

/// A session to create, with these times to live in milliseconds.
fn new(subject: &str, idle_ms: u64, absolute_ms: u64) -> NewSession {
    NewSession {
        subject: ExternalId::parse(subject).unwrap(),
        about: About::default(),
        data: Data::new(&Map::new()).unwrap(),
        idle_ttl: Some(Duration::from_millis(idle_ms)),
        absolute_ttl: Some(Duration::from_millis(absolute_ms)),
    }
}

/// The keys of the slice under the scene's prefix.
async fn keys<R: AsRef<Redis>>(scene: &Scene<R>) -> Vec<String> {
    scene.stored("session").await
}

/// Those of them that are sessions.
async fn session_keys<R: AsRef<Redis>>(scene: &Scene<R>) -> Vec<String> {
    let mut keys = keys(scene).await;
    keys.retain(|key| key.contains(":session:"));
    keys
}
