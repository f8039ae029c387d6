//! Queues of jobs: a file per subject.

mod bad_input;
mod books;
mod bounds;
mod calls;
mod document;
mod embedded;
mod events;
mod faults;
mod full;
mod operators;
pub mod presets;
mod recall;
mod regressions;
mod reminders;
mod schedules;
mod soak;
mod storm;
mod unique;
mod waiting;
mod worker;

use crate::support::{Answer, Api, Redis, Scene, Service, send};
use books::Books;
use fleetpulse::http::timestamp::parse_rfc3339;
use fleetpulse::ids::Id;
use fleetpulse::jobs::{End, JobSettings, Jobs, LeaseRequest, Leased, NewJob, Settlement, Wakeups};
use fleetpulse::store::{Link, Store};
use redis::IntoConnectionInfo;
use reqwest::Method;
use serde_json::value::RawValue;
use serde_json::{Value, json as body};
use std::time::Duration;

/// A timeout that is longer than any expected event takes.
const SOON: Duration = Duration::from_secs(20);

fn id_of(text: &str) -> Id {
    Id::parse(text).unwrap()
}

/// The calls of one instance about jobs.
#[derive(Clone)]
struct JobApi(Api);

impl JobApi {
    fn of(service: &Service) -> Self {
        Self(service.drivers())
    }

    async fn get(&self, path: &str) -> Answer {
        self.0.get(path).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.0.request(Method::POST, path).json(&body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        send(self.0.request(Method::DELETE, path)).await
    }

    /// Enqueues jobs, which must succeed; returns their ids.
    async fn add(&self, queue: &str, jobs: Value) -> Vec<String> {
        let answer = self.post(&format!("/v1/queues/{queue}/jobs"), jobs).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        ids_of(answer.body["jobs"].as_array().unwrap())
            .into_iter()
            .map(ToOwned::to_owned)
            .collect()
    }

    /// The jobs that are leased.
    async fn lease(&self, queue: &str, wanted: Value) -> Vec<Value> {
        let answer = self.post(&format!("/v1/queues/{queue}/lease"), wanted).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["jobs"].as_array().unwrap().clone()
    }

    /// Completes a leased job, which must succeed.
    async fn complete(&self, job: &Value) {
        let path = format!("/v1/jobs/{}/complete", job["id"].as_str().unwrap());
        let answer = self.post(&path, body!({"token": job["token"]})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

fn ids_of(jobs: &[Value]) -> Vec<&str> {
    jobs.iter().map(|job| job["id"].as_str().unwrap()).collect()
}

/// Unix ms of a time in an answer.
#[track_caller]
fn stamp(value: &Value) -> i64 {
    parse_rfc3339(value.as_str().unwrap_or_default()).unwrap_or_else(|| panic!("{value} is no time"))
}

fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

/// A job whose payload identifies it.
fn job(n: usize) -> NewJob {
    NewJob::new("count", json(&n.to_string()))
}

/// Returns the identity of the job.
fn number(leased: &Leased) -> usize {
    leased.payload.get().parse().unwrap()
}

fn numbers(leased: &[Leased]) -> Vec<usize> {
    leased.iter().map(number).collect()
}

fn ended(leased: &Leased, end: End) -> Settlement {
    Settlement {
        id: leased.id.clone(),
        token: leased.token,
        end,
    }
}

fn completed(leased: &Leased) -> Settlement {
    ended(leased, End::Complete { result: None })
}

/// Returns the current number.
fn up_to(count: usize) -> LeaseRequest {
    LeaseRequest::of(count)
}

/// The Rust interface as another process would have it: with a connection and a subscription of its own.
async fn embedded<R: AsRef<Redis>>(scene: &Scene<R>) -> Jobs {
    embedded_with(scene, JobSettings::default()).await
}

async fn embedded_with<R: AsRef<Redis>>(scene: &Scene<R>, settings: JobSettings) -> Jobs {
    let address = scene.redis.as_ref().url().into_connection_info().unwrap();
    let store = Store::new(address, scene.keys(), Duration::from_secs(2)).unwrap();
    let link = Link::open(&store);
    link.connected().await;
    Jobs::new(link, Wakeups::listen(&store), settings)
}
