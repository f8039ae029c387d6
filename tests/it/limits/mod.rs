//! Rate limits: checks over one or several instances, and the limits on the service's own requests.

mod bad_input;
mod check;
mod concurrency;
mod model;
mod outages;
mod regressions;
mod requests;
mod share;

use crate::support::{Answer, Api, Redis, Scene, send};
use fleetpulse::ids::ExternalId;
use reqwest::Method;
use serde_json::{Value, json};

/// Policies that do not refill while a test runs, one of each algorithm.
const SLOW: &str = "--limits=even=gcra:10/1h,burst=3,fail=open; sliding=window:3/1h,fail=closed";
const POLICIES: [(&str, &str); 2] = [("even", "gcra"), ("sliding", "window")];

async fn ask(api: &Api, body: Value) -> Answer {
    send(api.request(Method::POST, "/v1/limits/check").json(&body)).await
}

/// A check that has to be answered.
async fn check(api: &Api, policy: &str, key: &str, cost: u32) -> Value {
    let answer = ask(api, json!({"policy": policy, "key": key, "cost": cost})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

async fn allowed(api: &Api, policy: &str, key: &str) -> bool {
    check(api, policy, key, 1).await["allowed"] == true
}

async fn reset(api: &Api, policy: &str, key: &str) -> Answer {
    send(api.request(Method::DELETE, &format!("/v1/limits/{policy}/{key}"))).await
}

fn key<R: AsRef<Redis>>(scene: &Scene<R>, algorithm: &str, policy: &str, key: &str) -> String {
    scene.keys().limit(algorithm, policy, &ExternalId::parse(key).unwrap())
}

/// The names of all keys of limits under the scene's prefix.
async fn stored(scene: &Scene) -> Vec<String> {
    scene.stored("limit:").await
}
