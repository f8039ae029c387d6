//! Limits on what a few clients can use of an instance: memory, descriptors, time of its threads. Other clients are still served.

mod answers;
mod bodies;
mod crowd;
mod descriptors;
mod leases;
mod readers;
mod room;
mod streams;
mod turns;

use crate::support::Api;
use serde_json::{Value, json};
use std::iter;

/// An entity's attributes that take some 51 KB of an answer: 32 of 256 characters that are escaped.
fn fat_attributes() -> Value {
    let attributes = (0..32).map(|n| (format!("{:x<64}", format!("n{n:02}")), json!("\u{1}".repeat(256))));
    Value::Object(attributes.collect())
}

/// Places `count` entities with large profiles at one spot, with the ids `f-000`, `f-001` ….
async fn place_fat(api: &Api, count: usize) {
    let attributes = fat_attributes();
    let fixes: Vec<_> = (0..count)
        .map(|n| json!({"id": format!("f-{n:03}"), "lat": 60, "lon": 25, "attributes": attributes}))
        .collect();
    for fixes in fixes.chunks(50) {
        let answer = api.post_batch(&json!(fixes)).await;
        assert_eq!(answer.body["accepted"], fixes.len(), "{answer:?}");
    }
}

/// A sample of `/metrics`.
async fn metric(api: &Api, name: &str) -> u64 {
    let text = api.metrics().await;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("there is no {name}")).parse().unwrap()
}

/// Checks that a cheap call is answered.
async fn others_are_served(api: &Api) {
    api.place("other", json!({"lat": 50, "lon": 50})).await;
    assert_eq!(api.nearby("lat=50&lon=50").await.ids(), ["other"]);
}

/// Repeats a value this many times.
fn times<T: Clone>(count: usize, thing: &T) -> Vec<T> {
    iter::repeat_n(thing.clone(), count).collect()
}
