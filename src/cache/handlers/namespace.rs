//! A namespace as a whole, and the counts of all.

use super::super::{Invalidated, Stats};
use super::State;
use super::arguments::{AnyNamespace, ListingToken, Namespace};
use crate::http::{Path, Problem, Query, QueryParameters, QueryString, reply};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The longest pattern, bytes.
const MAX_PATTERN: usize = 256;

/// A piece of a listing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CacheListing)]
pub(super) struct ListBody {
    /// Keys; one may come twice.
    keys: Vec<String>,
    /// Where to go on; none at the end.
    next: Option<String>,
}

/// A piece of an invalidation by pattern.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CacheInvalidated, example = json!({"invalidated": 40, "next": "3072"}))]
pub(super) struct InvalidatedBody {
    /// How many keys this piece has invalidated.
    invalidated: u64,
    /// Where to go on; none at the end.
    next: Option<String>,
}

/// List the keys of a namespace
///
/// For those who look after the service: with the token of `CACHE_LISTING_TOKEN`. Each call looks through a bounded number of
/// keys, so a piece may be empty and not the last. A key whose value is being computed is among them.
#[utoipa::path(
    get, path = "/v1/cache/{namespace}", operation_id = "list_cache_keys", tag = "cache", security(("admin" = [])),
    params(
        ("namespace" = String, Path),
        ("pattern" = Option<String>, Query, min_length = 1, max_length = 256, description = "What keys are like: `*`, `?` and `[…]` as Redis has them; all if not given"),
        ("cursor" = Option<String>, Query, pattern = "^[0-9]{1,19}$", description = "`next` of the last piece"),
    ),
    responses(
        (status = 200, description = "A piece", body = ListBody),
        (status = 401, description = "Not with the token that is set", body = Problem),
        (status = 403, description = "No token is set: keys are not listed here", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
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
            return Err(Problem::unacceptable_parameter("pattern", detail));
        }
        let cursor = query
            .number("cursor")
            .map_err(|error| Problem::unacceptable(vec![error]))?;
        Ok(Self {
            pattern: pattern.to_owned(),
            cursor: cursor.unwrap_or(0),
        })
    }
}

/// What an invalidation covers.
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
            return Err(Problem::unacceptable_parameter(
                "cursor",
                "is allowed only together with pattern",
            ));
        }
        Ok(Self::All)
    }
}

/// Invalidate a namespace or matching keys
///
/// One write, whatever lies in it. A value whose computation is under way is never served to those who ask from then on.
/// `responses` is where the service's own answers lie.
///
/// With a `pattern` only the keys that match it, in pieces: each call looks through a bounded number of keys and says how many it has
/// invalidated. Call it again with `next` as the `cursor` until there is none; then nothing is served any more that lay under a matching
/// key when the first call was made.
#[utoipa::path(
    delete, path = "/v1/cache/{namespace}", operation_id = "invalidate_cache_namespace", tag = "cache",
    params(
        ("namespace" = String, Path),
        ("pattern" = Option<String>, Query, min_length = 1, max_length = 256, description = "What keys are like: `*`, `?` and `[…]` as Redis has them; everything if not given"),
        ("cursor" = Option<String>, Query, pattern = "^[0-9]{1,19}$", description = "`next` of the last piece; with a pattern only"),
    ),
    responses(
        (status = 200, description = "With a pattern: what this piece came to", body = InvalidatedBody),
        (status = 204, description = "Nothing of it is served any more"),
        (status = 503, description = "Redis is away: it may be invalidated or not", body = Problem),
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
