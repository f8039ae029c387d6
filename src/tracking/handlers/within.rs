use super::super::answer::{Found, List};
use super::super::input::{WithinParameters, write_cursor};
use super::{State, form, too_many_searches};
use crate::clock;
use crate::http::{AnswerContext, Problem, Query};
use crate::ids::Id;
use crate::kind::Kind;
use crate::runtime::Turn;
use crate::tracking::docs::{FieldsParam, FilterParams, ListBody, WithinParams};
use actix_web::HttpResponse;

/// List the entities in a box
///
/// In order of id. `west` greater than `east` means across the antimeridian; longitudes beyond ±180 are wrapped (up to ±540), and an
/// extent of 360 degrees or more is the whole circle. `truncated` is true if there are more than the limit, or than fit into
/// `HTTP_MAX_ANSWER_BYTES`; then repeat the call with `cursor` for the next page; any instance accepts it. An entity that is in the box
/// from the first call to the last is listed exactly once, even if it moves; others may be listed or not.
#[utoipa::path(
    get, path = "/v1/{kind}/within", operation_id = "find_within", tag = "tracking",
    params(
        ("kind" = String, Path, description = "drivers, vehicles or users"),
        WithinParams,
        FilterParams,
        FieldsParam,
    ),
    responses(
        (status = 200, description = "The entities in the box", content(
            (ListBody = "application/json"), (serde_json::Value = "application/geo+json"))),
        (status = 400, description = "A parameter is unknown, missing or cannot be read", body = Problem),
        (status = 422, description = "A value is out of range, or the cursor belongs to another listing", body = Problem),
        (status = 503, description = "Too many searches of very many entities are waiting", body = Problem),
    )
)]
pub async fn within(
    kind: Kind,
    Query(parameters): Query<WithinParameters>,
    context: AnswerContext,
    state: State,
) -> Result<HttpResponse, Problem> {
    let members = parameters.members;
    let query = parameters.page(kind)?;
    let shared = state.shared();
    let now_ms = clock::now_ms();
    let mut turn = super::turn_of(&context, query.limit).await?;
    let mut search = shared.live(kind).search_within(&query, now_ms);
    while search.advance() {
        // A large box takes long: let other tasks of this thread run in between.
        if turn.is_none() {
            turn = Some(Turn::wait().await.map_err(too_many_searches)?);
        }
        tokio::task::yield_now().await;
    }
    let (entities, truncated) = search.finish();
    let cursor = |behind: &Id| write_cursor(kind, &query, behind);
    let list = List {
        found: Found::Entities(&entities),
        source: "live",
        stale: !shared.is_synced(),
        truncated: Some(truncated),
        cursor: Some(&cursor),
        now_ms,
        form: form(&context),
        members,
        most_bytes: context.max_bytes(),
    };
    super::list(&context, &list, turn).await
}
