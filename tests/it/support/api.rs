use super::described::assert_described;
use super::wait::eventually;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder};
use rustls::RootCertStore;
use rustls::crypto::ring;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The tests use plain HTTP: no certificates are loaded for each of their clients.
pub fn no_tls() -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

/// The calls of one instance about one kind of entity.
#[derive(Clone)]
pub struct Api {
    http: Client,
    url: String,
    kind: &'static str,
}

/// A response: the status, the media type, and the body if it was JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub retry_after: Option<String>,
    pub body: Value,
}

/// A client for plain HTTP that waits long enough for a busy machine.
pub fn http_client() -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(no_tls())
        .timeout(Duration::from_secs(30))
}

impl Api {
    pub fn new(url: String, kind: &'static str) -> Self {
        let http = http_client().build().unwrap();
        Self { http, url, kind }
    }

    /// Waits until the instance is ready.
    pub async fn ready(&self) {
        eventually(Duration::from_secs(20), "the service is ready", async || {
            let ready = self.request(Method::GET, "/health/ready").send().await;
            ready.is_ok_and(|answer| answer.status() == 200).then_some(())
        })
        .await;
    }

    /// A request to any path.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    fn to(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, &format!("/v1/{}/{path}", self.kind))
    }

    /// The text of `GET /metrics`.
    pub async fn metrics(&self) -> String {
        let answer = self.request(Method::GET, "/metrics").send().await.unwrap();
        answer.text().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// `POST …/{id}/position`.
    pub async fn post_fix(&self, id: &str, fix: Value) -> Answer {
        send(self.to(Method::POST, &format!("{id}/position")).json(&fix)).await
    }

    /// Stores a fix.
    pub async fn place(&self, id: &str, fix: Value) {
        let answer = self.post_fix(id, fix).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// `POST …/positions`, as JSON.
    pub async fn post_batch(&self, batch: &Value) -> Answer {
        send(self.to(Method::POST, "positions").json(batch)).await
    }

    /// Stores all positions of a batch, in as many calls as necessary.
    pub async fn place_all(&self, fixes: &[Value]) {
        for fixes in fixes.chunks(5_000) {
            let answer = self.post_batch(&json!(fixes)).await;
            assert_eq!(answer.body["accepted"], fixes.len(), "{answer:?}");
        }
    }

    /// `POST …/positions`, as lines.
    pub async fn post_ndjson(&self, lines: &str) -> Answer {
        let request = self.to(Method::POST, "positions");
        send(
            request
                .header(CONTENT_TYPE, "application/x-ndjson")
                .body(lines.to_owned()),
        )
        .await
    }

    pub async fn position(&self, id: &str) -> Answer {
        send(self.to(Method::GET, &format!("{id}/position"))).await
    }

    pub async fn forget(&self, id: &str) -> Answer {
        send(self.to(Method::DELETE, &format!("{id}/position"))).await
    }

    pub async fn put_profile(&self, id: &str, profile: Value) -> Answer {
        send(self.to(Method::PUT, id).json(&profile)).await
    }

    pub async fn patch_profile(&self, id: &str, patch: Value) -> Answer {
        send(self.to(Method::PATCH, id).json(&patch)).await
    }

    pub async fn profile(&self, id: &str) -> Answer {
        send(self.to(Method::GET, id)).await
    }

    pub async fn delete_profile(&self, id: &str) -> Answer {
        send(self.to(Method::DELETE, id)).await
    }

    /// `GET …/nearby?query`.
    pub async fn nearby(&self, query: &str) -> Answer {
        send(self.to(Method::GET, &format!("nearby?{query}"))).await
    }

    pub async fn nearby_many(&self, queries: Value) -> Answer {
        send(self.to(Method::POST, "nearby").json(&json!({ "queries": queries }))).await
    }

    /// `GET …/within?query`.
    pub async fn within(&self, query: &str) -> Answer {
        send(self.to(Method::GET, &format!("within?{query}"))).await
    }

    /// `GET` of `nearby?…` or `within?…` as `GeoJSON`.
    pub async fn geojson(&self, call: &str) -> Answer {
        send(self.to(Method::GET, call).header(ACCEPT, "application/geo+json")).await
    }
}

impl Answer {
    /// The ids of the results, in order.
    pub fn ids(&self) -> Vec<&str> {
        assert_eq!(self.status, 200, "{self:?}");
        ids(&self.body["results"])
    }

    /// Asserts that it is a problem as defined by RFC 9457, naming these members of the body by their pointers, or these parameters as `/NAME`.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, pointers: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.content_type, "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], status, "{self:?}");
        for member in ["type", "title", "detail"] {
            assert!(self.body[member].is_string(), "{member}: {self:?}");
        }
        let errors = self.body["errors"].as_array().map_or(&[][..], Vec::as_slice);
        // Invalid parameters are tested for all calls in `http::query_faults`.
        let named = errors.iter().filter_map(|error| match error["parameter"].as_str() {
            Some(parameter) => (status != 400).then(|| format!("/{parameter}")),
            None => Some(error["pointer"].as_str().unwrap().to_owned()),
        });
        let named: Vec<String> = named.collect();
        assert_eq!(named, pointers, "{self:?}");
    }
}

/// The ids of a list of entities, in order.
pub fn ids(results: &Value) -> Vec<&str> {
    let results = results.as_array().expect("a list of results");
    results.iter().map(|entity| entity["id"].as_str().unwrap()).collect()
}

/// Sends a request that must be answered.
pub async fn send(request: RequestBuilder) -> Answer {
    try_send(request).await.unwrap()
}

/// Sends a request to an instance that may be killed during the call. A problem must be one that the `OpenAPI` document describes.
pub async fn try_send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let (http, request) = request.build_split();
    let request = request?;
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response = http.execute(request).await?;
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let (content_type, retry_after) = (header("content-type").unwrap_or_default(), header("retry-after"));
    let status = response.status().as_u16();
    let body = response.bytes().await?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if content_type == "application/problem+json" && method != Method::HEAD {
        assert_described(method.as_str(), &path, status, &body);
    }
    Ok(Answer {
        status,
        content_type,
        retry_after,
        body,
    })
}
