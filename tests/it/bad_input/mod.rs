//! Anything a client can send: a problem with the reason, nothing stored, and the service continues.

mod batches;
mod bodies;
mod connections;
mod log;
mod members;
mod queries;

use crate::support::{Answer, Api, send};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Method};
use serde_json::json;

/// Sends a body as it is.
async fn post(api: &Api, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let request = api.request(Method::POST, path).header(CONTENT_TYPE, content_type);
    send(request.body(body)).await
}

async fn post_json(api: &Api, path: &str, body: impl Into<Body>) -> Answer {
    post(api, path, "application/json", body).await
}

/// Checks that the service still accepts and finds a fix, which is not removed.
async fn still_works(api: &Api) {
    api.place("well", json!({"lat": 40.7484, "lon": -73.9857})).await;
    assert_eq!(api.nearby("lat=40.7484&lon=-73.9857").await.ids(), ["well"]);
}
