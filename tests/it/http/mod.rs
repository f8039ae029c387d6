//! HTTP behaviour that is the same on every route, as browsers, proxies, phones and probes expect it.

mod answers;
mod browsers;
mod encoded_bodies;
mod heads;
mod methods;
mod query_faults;

use crate::support::Api;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::Value;
use std::io::Write;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Every call of the service: its method, one of its paths, and its operation in the document.
async fn calls(api: &Api) -> Vec<(String, String, Value)> {
    let document = api.get("/openapi.json").await.body;
    let mut calls = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        // That of a job as well.
        let word = |word: &str| match word {
            "{kind}" => "drivers".to_owned(),
            word if word.starts_with('{') => "a.ABCDEFGHIJKLM".to_owned(),
            word => word.to_owned(),
        };
        let path = path.split('/').map(word).collect::<Vec<_>>().join("/");
        for (method, call) in operations.as_object().unwrap() {
            calls.push((method.to_uppercase(), path.clone(), call.clone()));
        }
    }
    calls
}
