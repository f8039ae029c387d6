use super::super::answer::{Found, List};
use super::super::input::parse_within;
use super::{State, form, kind_of};
use crate::clock;
use crate::http::Problem;
use crate::tracking::docs::ListBody;
use actix_web::{HttpRequest, HttpResponse};

/// Who is inside a box
///
/// By id. `west` greater than `east` means across the antimeridian. `truncated` says whether there were more than the limit.
#[utoipa::path(
    get, path = "/v1/{kind}/within", tag = "tracking",
    params(
        ("kind" = String, Path, description = "drivers, vehicles or users"),
        ("bbox" = String, Query, description = "west,south,east,north in degrees"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 1,000 if not given"),
        ("max_age_s" = Option<f64>, Query, description = "Only fixes at most this old"),
        ("status" = Option<Vec<String>>, Query, description = "Only these; repeat the parameter for several"),
        ("vehicle_type" = Option<Vec<String>>, Query, description = "Only these; repeat the parameter for several"),
        ("min_capacity" = Option<u32>, Query, description = "Only a capacity of at least this"),
    ),
    responses(
        (status = 200, description = "Those inside", content(
            (ListBody = "application/json"), (serde_json::Value = "application/geo+json"))),
        (status = 400, description = "A parameter is unknown, missing or cannot be read", body = Problem),
    )
)]
pub async fn within(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let kind = kind_of(&request)?;
    let query = parse_within(request.query_string())?;
    let shared = state.shared();
    let now_ms = clock::now_ms();
    let (entities, truncated) = shared
        .live(kind)
        .within(&query.bounds, query.limit, now_ms, &query.filter);
    let list = List {
        found: Found::Entities(&entities),
        source: "live",
        stale: !shared.is_synced(),
        truncated: Some(truncated),
        now_ms,
        form: form(&request),
    };
    Ok(super::list(&list))
}
