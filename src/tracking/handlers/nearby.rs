use super::super::answer::{self, Found, List};
use super::super::geosearch;
use super::super::input::{Source, parse_nearby, parse_queries};
use super::super::live::LiveIndex;
use super::super::model::{Hit, NearbyQuery};
use super::{State, form, kind_of};
use crate::clock;
use crate::http::{Body, Problem, no_query, reply};
use crate::tracking::docs::{FilterParams, ListBody, NearbyParams, QueriesAnswer, QueriesBody};
use actix_web::{HttpRequest, HttpResponse, web};

/// The largest body of many queries, bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Find the nearest entities
///
/// Nearest first, by haversine distance on the mean earth radius (6 371 008.8 m). Filters apply before the limit. With
/// `Accept: application/geo+json` the answer is a `FeatureCollection`.
#[utoipa::path(
    get, path = "/v1/{kind}/nearby", operation_id = "find_nearby", tag = "tracking",
    params(
        ("kind" = String, Path, description = "drivers, vehicles or users"),
        NearbyParams,
        FilterParams,
    ),
    responses(
        (status = 200, description = "The nearest", content(
            (ListBody = "application/json"), (serde_json::Value = "application/geo+json"))),
        (status = 400, description = "A parameter is unknown, missing or not a number", body = Problem),
        (status = 503, description = "source=redis while Redis is away, or two such searches of this instance are under way", body = Problem),
    )
)]
pub async fn nearby(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let kind = kind_of(&request)?;
    let (query, source) = parse_nearby(request.query_string())?;
    let shared = state.shared();
    let now_ms = clock::now_ms();
    let (hits, is_stale) = match source {
        Source::Live => (live(shared.live(kind), &query, now_ms).await, !shared.is_synced()),
        Source::Redis => (
            geosearch::nearby(shared, state.link(), kind, &query, now_ms).await?,
            false,
        ),
    };
    Ok(super::list(&List {
        found: Found::Hits(&hits),
        source: source.as_str(),
        stale: is_stale,
        truncated: None,
        cursor: None,
        now_ms,
        form: form(&request),
    }))
}

/// Find the nearest entities of many places
///
/// Up to 1,000 queries, answered in order; their limits must not add up to more than 50,000.
#[utoipa::path(
    post, path = "/v1/{kind}/nearby", operation_id = "find_nearby_many", tag = "tracking", request_body = QueriesBody,
    params(("kind" = String, Path, description = "drivers, vehicles or users")),
    responses(
        (status = 200, description = "A list for each query", body = QueriesAnswer),
        (status = 413, description = "More than 1 MiB", body = Problem),
        (status = 422, description = "A query is not acceptable; none was answered", body = Problem),
    )
)]
pub async fn nearby_many(request: HttpRequest, payload: web::Payload, state: State) -> Result<HttpResponse, Problem> {
    let kind = kind_of(&request)?;
    no_query(&request)?;
    let body = Body::read_json(&request, &mut payload.into_inner(), MAX_BODY).await?;
    let queries = parse_queries(&body)?;
    let shared = state.shared();
    let now_ms = clock::now_ms();
    let mut results = Vec::with_capacity(queries.len());
    for query in &queries {
        results.push(live(shared.live(kind), query, now_ms).await);
        // A single one may take long; others on this thread get their turn.
        tokio::task::yield_now().await;
    }
    let json = answer::lists(&results, !shared.is_synced(), now_ms);
    Ok(reply::json(json))
}

/// Returns the nearest entities in the live index. A search of very many entities yields to other tasks on this thread.
async fn live(index: &LiveIndex, query: &NearbyQuery, now_ms: i64) -> Vec<Hit> {
    if let Some(hits) = index.nearby_at_once(query, now_ms) {
        return hits;
    }
    let mut search = index.search_nearby(query, now_ms);
    while search.go_on() {
        tokio::task::yield_now().await;
    }
    search.finish()
}
