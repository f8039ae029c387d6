use super::super::answer::{ArrayView, Found, ListView};
use super::super::geosearch;
use super::super::input::{Source, parse_nearby, parse_queries};
use super::super::shared::now_ms;
use super::{State, kind_of, wants_geojson};
use crate::http::{Body, Problem};
use crate::tracking::docs::{ListBody, QueriesAnswer, QueriesBody};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

/// The largest body of many queries, bytes.
const MAX_BODY: usize = 1024 * 1024;
/// Queries that are answered before others get the thread.
const QUERIES_AT_ONCE: usize = 32;

/// Who is near
///
/// Nearest first, by haversine distance on the mean earth radius (6 371 008.8 m). Filters apply before the limit. With
/// `Accept: application/geo+json` the answer is a `FeatureCollection`.
#[utoipa::path(
    get, path = "/v1/{kind}/nearby", tag = "tracking",
    params(
        ("kind" = String, Path, description = "drivers, vehicles or users"),
        ("lat" = f64, Query, description = "Degrees north"),
        ("lon" = f64, Query, description = "Degrees east"),
        ("radius_m" = Option<f64>, Query, description = "0 to 200,000; 2,000 if not given"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 10 if not given"),
        ("max_age_s" = Option<f64>, Query, description = "Only fixes at most this old"),
        ("status" = Option<Vec<String>>, Query, description = "Only these; repeat the parameter for several"),
        ("vehicle_type" = Option<Vec<String>>, Query, description = "Only these; repeat the parameter for several"),
        ("min_capacity" = Option<u32>, Query, description = "Only a capacity of at least this"),
        ("source" = Option<String>, Query, description = "live (this instance's replica) or redis (GEOSEARCH)"),
    ),
    responses(
        (status = 200, description = "The nearest", content(
            (ListBody = "application/json"), (serde_json::Value = "application/geo+json"))),
        (status = 400, description = "A parameter is unknown, missing or not a number", body = Problem),
        (status = 422, description = "A value is out of range", body = Problem),
        (status = 503, description = "source=redis while Redis is away", body = Problem),
    )
)]
pub async fn nearby(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let kind = kind_of(&request)?;
    let (query, source) = parse_nearby(request.query_string())?;
    let shared = state.shared();
    let now_ms = now_ms();
    let (hits, is_stale) = match source {
        Source::Live => (shared.live(kind).nearby(&query, now_ms), !shared.is_synced()),
        Source::Redis => (
            geosearch::nearby(shared, state.link(), kind, &query, now_ms).await?,
            false,
        ),
    };
    let geojson = wants_geojson(&request);
    let list = ListView {
        found: Found::Hits(&hits),
        source: source.as_str(),
        stale: is_stale,
        truncated: None,
        now_ms,
        geojson,
    };
    Ok(super::list(&list))
}

/// Who is near each of many places
///
/// Up to 1,000 queries, answered in order; their limits must not add up to more than 50,000.
#[utoipa::path(
    post, path = "/v1/{kind}/nearby", tag = "tracking", request_body = QueriesBody,
    params(("kind" = String, Path, description = "drivers, vehicles or users")),
    responses(
        (status = 200, description = "A list for each query", body = QueriesAnswer),
        (status = 400, description = "Not JSON", body = Problem),
        (status = 413, description = "More than 1 MiB", body = Problem),
        (status = 415, description = "Not application/json", body = Problem),
        (status = 422, description = "A query is not acceptable; none was answered", body = Problem),
    )
)]
pub async fn nearby_many(request: HttpRequest, payload: web::Payload, state: State) -> Result<HttpResponse, Problem> {
    let kind = kind_of(&request)?;
    let body = Body::read_json(&request, &mut payload.into_inner(), MAX_BODY).await?;
    let queries = parse_queries(&body)?;
    let shared = state.shared();
    let now_ms = now_ms();
    let mut results = Vec::with_capacity(queries.len());
    for (index, query) in queries.iter().enumerate() {
        if index % QUERIES_AT_ONCE == QUERIES_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        results.push(shared.live(kind).nearby(query, now_ms));
    }
    let lists = results
        .iter()
        .map(|hits| ArrayView {
            found: Found::Hits(hits),
            now_ms,
            geojson: false,
        })
        .collect();
    let mut json = Vec::with_capacity(64 + 192 * results.iter().map(Vec::len).sum::<usize>());
    // Numbers and text into memory: there is nothing in this that can fail.
    let _ = serde_json::to_writer(
        &mut json,
        &Lists {
            lists,
            stale: !shared.is_synced(),
        },
    );
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .body(json))
}

struct Lists<'a> {
    lists: Vec<ArrayView<'a>>,
    stale: bool,
}

impl Serialize for Lists<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Results<'a>(&'a [ArrayView<'a>]);
        impl Serialize for Results<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
                self.0.iter().try_for_each(|list| seq.serialize_element(list))?;
                seq.end()
            }
        }
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("results", &Results(&self.lists))?;
        map.serialize_entry("source", "live")?;
        map.serialize_entry("stale", &self.stale)?;
        map.end()
    }
}
