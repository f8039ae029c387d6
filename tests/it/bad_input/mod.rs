//! Anything a client can send: a problem that says what is wrong, nothing stored, and the service goes on.

mod batches;
mod bodies;
mod connections;
mod log;
mod queries;

use crate::support::{Answer, Api, Scene, send};
use redis::cmd;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Method};
use serde_json::json;

/// How many keys there are under the scene's prefix, but for what the service makes of its own accord: the list of queues in use,
/// when it has begun to look for work, and its own answers that it keeps.
async fn keys(scene: &Scene) -> usize {
    let layout = scene.keys().layout();
    let pattern = format!("{}*", layout.split_once(':').unwrap().0);
    let keys: Vec<String> = scene.redis.query(cmd("KEYS").arg(pattern)).await;
    let queues = scene.keys().queues();
    let of_its_own = |key: &str| key == queues || key.ends_with("cache-warming") || key.contains("responses");
    keys.iter().filter(|key| !of_its_own(key)).count()
}

/// Sends a body as it is.
async fn post(api: &Api, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let request = api.request(Method::POST, path).header(CONTENT_TYPE, content_type);
    send(request.body(body)).await
}

async fn post_json(api: &Api, path: &str, body: impl Into<Body>) -> Answer {
    post(api, path, "application/json", body).await
}

/// Whether the service still takes and finds a fix; it stays.
async fn still_works(api: &Api) {
    api.place("well", json!({"lat": 40.7484, "lon": -73.9857})).await;
    assert_eq!(api.nearby("lat=40.7484&lon=-73.9857").await.ids(), ["well"]);
}
