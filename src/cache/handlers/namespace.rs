//! A namespace as a whole, and the counts of all.

use super::super::{Invalidated, Stats};
use super::State;
use super::arguments::{AnyNamespace, ListingToken, Namespace};
use crate::http::{Path, Problem, Query, QueryParameters, QueryString, reply};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The maximum length of a pattern, in bytes.
const MAX_PATTERN: usize = 256;

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CacheListing)]
pub(super) struct ListBody {
    /// Keys. A key may occur twice.
    keys: Vec<String>,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
}

/// The result of a page of an invalidation by pattern.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CacheInvalidated, example = json!({"invalidated": 40, "next": "3072"}))]
pub(super) struct InvalidatedBody {
    /// How many keys this call has invalidated.
    invalidated: u64,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
}

/// List the keys of a namespace
///
/// For operators: with the token of `CACHE_LISTING_TOKEN`. Each call reads a bounded number of keys, so a page may be empty and not the
/// last. The list includes keys whose value is being computed.
#[utoipa::path(
    get, path = "/v1/cache/{namespace}", operation_id = "list_cache_keys", tag = "cache", security(("admin" = [])),
    params(
        ("namespace" = String, Path),
        ("pattern" = Option<String>, Query, min_length = 1, max_length = 256, description = "A pattern of keys with `*`, `?` and `[…]`, as in Redis; all keys by default"),
        ("cursor" = Option<String>, Query, pattern = "^[0-9]{1,19}$", description = "`next` of the last page"),
    ),
    responses(
        (status = 200, description = "A page", body = ListBody),
        (status = 401, description = "The token is missing or wrong", body = Problem),
        (status = 403, description = "Listing is disabled: no token is set", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn list_keys(
    Path(Namespace(namespace)): Path<Namespace>,
    Query(Page { pattern, cursor }): Query<Page>,
    _token: ListingToken,
    cache: State,
) -> Result<HttpResponse, Problem> {
    let page = cache.list(&namespace, &pattern, cursor).await?;
    let body = ListBody {
        keys: page.keys,
        next: page.next.map(|next| next.to_string()),
    };
    reply::value(StatusCode::OK, &body)
}

/// The page of the keys that match a pattern.
pub struct Page {
    pattern: String,
    cursor: u64,
}

impl QueryParameters for Page {
    const KNOWN: &'static [&'static str] = &["pattern", "cursor"];

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        let pattern = query.text("pattern").unwrap_or("*");
        if pattern.is_empty() || pattern.len() > MAX_PATTERN {
            let detail = format!("must have 1 to {MAX_PATTERN} bytes");
            return Err(Problem::invalid_parameter("pattern", detail));
        }
        let cursor = query
            .number("cursor")
            .map_err(|error| Problem::validation_failed(vec![error]))?;
        Ok(Self {
            pattern: pattern.to_owned(),
            cursor: cursor.unwrap_or(0),
        })
    }
}

/// The scope of an invalidation.
pub enum Cleared {
    /// The whole namespace.
    All,
    /// A page of the keys that match a pattern.
    Matching(Page),
}

impl QueryParameters for Cleared {
    const KNOWN: &'static [&'static str] = Page::KNOWN;

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        if query.text("pattern").is_some() {
            return Page::read(query).map(Self::Matching);
        }
        if query.text("cursor").is_some() {
            return Err(Problem::invalid_parameter(
                "cursor",
                "is allowed only together with pattern",
            ));
        }
        Ok(Self::All)
    }
}

/// Invalidate a namespace or matching keys
///
/// One write, however many entries it has. Later calls get no value whose computation began before. `responses` is reserved for
/// cached responses.
///
/// With a `pattern` only the keys that match it, in pages: each call reads a bounded number of keys and returns how many it has
/// invalidated. Repeat the call with `next` as the `cursor` until `next` is null. Then no matching entry that was stored before the first
/// call is served any more.
#[utoipa::path(
    delete, path = "/v1/cache/{namespace}", operation_id = "invalidate_cache_namespace", tag = "cache",
    params(
        ("namespace" = String, Path),
        ("pattern" = Option<String>, Query, min_length = 1, max_length = 256, description = "A pattern of keys with `*`, `?` and `[…]`, as in Redis; the whole namespace by default"),
        ("cursor" = Option<String>, Query, pattern = "^[0-9]{1,19}$", description = "`next` of the last page; only with a pattern"),
    ),
    responses(
        (status = 200, description = "With a pattern: the result of this page", body = InvalidatedBody),
        (status = 204, description = "Its entries are not served any more"),
        (status = 503, description = "Redis is unavailable: the namespace may be invalidated", body = Problem),
    )
)]
pub async fn clear_namespace(
    Path(namespace): Path<AnyNamespace>,
    Query(cleared): Query<Cleared>,
    cache: State,
) -> Result<HttpResponse, Problem> {
    if let Cleared::Matching(Page { pattern, cursor }) = cleared {
        let Namespace(namespace) = namespace.of_callers()?;
        let Invalidated { keys, next } = cache.delete_matching(&namespace, &pattern, cursor).await?;
        let body = InvalidatedBody {
            invalidated: keys,
            next: next.map(|next| next.to_string()),
        };
        return reply::value(StatusCode::OK, &body);
    }
    let AnyNamespace(namespace) = namespace;
    cache.clear(&namespace).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Get cache statistics
#[utoipa::path(
    get, path = "/v1/cache/stats", operation_id = "get_cache_stats", tag = "cache",
    responses((status = 200, description = "The counts of this instance", body = Stats))
)]
pub async fn cache_stats(cache: State) -> Result<HttpResponse, Problem> {
    reply::value(StatusCode::OK, &cache.shared().stats())
}
