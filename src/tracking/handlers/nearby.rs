use super::super::answer::{Found, List, Lists};
use super::super::geosearch;
use super::super::input::{NearbyParameters, Source, parse_queries};
use super::super::live::LiveIndex;
use super::super::members::Members;
use super::super::model::{Hit, NearbyQuery};
use super::{State, form, too_many_searches};
use crate::clock;
use crate::http::{AnswerContext, Answers, LargeAnswer, Problem, Query, Unparsed, reply};
use crate::kind::Kind;
use crate::runtime::{Turn, apart};
use crate::tracking::docs::{FieldsParam, FilterParams, ListBody, NearbyParams, QueriesAnswer, QueriesBody};
use actix_web::HttpResponse;

/// The largest body of many queries, bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Steps of about a millisecond that the queries of one call take together, before the remaining ones are cut.
const MOST_STEPS: usize = 1_000;

/// Find the nearest entities
///
/// Nearest first, by haversine distance on the mean earth radius (6 371 008.8 m). Filters apply before the limit. With
/// `Accept: application/geo+json` the answer is a `FeatureCollection`. An answer that would be larger than `HTTP_MAX_ANSWER_BYTES`
/// contains the nearest entities that fit, and `truncated` is true.
#[utoipa::path(
    get, path = "/v1/{kind}/nearby", operation_id = "find_nearby", tag = "tracking",
    params(
        ("kind" = String, Path, description = "drivers, vehicles or users"),
        NearbyParams,
        FilterParams,
        FieldsParam,
    ),
    responses(
        (status = 200, description = "The nearest", content(
            (ListBody = "application/json"), (serde_json::Value = "application/geo+json"))),
        (status = 400, description = "A parameter is unknown, missing or not a number", body = Problem),
        (status = 503, description = "`source=redis` while Redis is unavailable or two such searches of this instance are in progress; or too many searches of very many entities are waiting", body = Problem),
    )
)]
pub async fn nearby(
    kind: Kind,
    Query(parameters): Query<NearbyParameters>,
    context: AnswerContext,
    state: State,
) -> Result<HttpResponse, Problem> {
    let NearbyParameters { query, source, members } = &parameters;
    let shared = state.shared();
    let now_ms = clock::now_ms();
    let mut turn = match source {
        Source::Live => super::turn_of(&context, query.limit).await?,
        // It waits for Redis, and does little work on this thread.
        Source::Redis => {
            context.check()?;
            None
        }
    };
    let (hits, is_stale) = match source {
        Source::Live => {
            let (hits, _) = live(shared.live(kind), query, now_ms, &mut turn).await?;
            (hits, !shared.is_synced())
        }
        Source::Redis => {
            // In a box, because it would make the state of every other search several times as large.
            let search = geosearch::nearby(shared, state.link(), kind, query, now_ms);
            (Box::pin(search).await?, false)
        }
    };
    let list = List {
        found: Found::Hits(&hits),
        source: source.as_str(),
        stale: is_stale,
        truncated: None,
        cursor: None,
        now_ms,
        form: form(&context),
        members: *members,
        most_bytes: context.max_bytes(),
    };
    super::list(&context, &list, turn).await
}

/// Find the nearest entities of many places
///
/// Up to 1,000 queries, answered in order; their limits must not add up to more than 50,000. An answer that would be larger than
/// `HTTP_MAX_ANSWER_BYTES`, or whose queries take more than about a second of work, has the lists of the first queries, and `truncated`
/// is true: repeat the call with the others. If the first list alone is too long, it has the nearest that fit.
#[utoipa::path(
    post, path = "/v1/{kind}/nearby", operation_id = "find_nearby_many", tag = "tracking", request_body = QueriesBody,
    params(("kind" = String, Path, description = "drivers, vehicles or users"), FieldsParam),
    responses(
        (status = 200, description = "A list for each query", body = QueriesAnswer),
        (status = 413, description = "More than 1 MiB", body = Problem),
        (status = 422, description = "A query is not valid; none was answered", body = Problem),
        (status = 503, description = "Too many searches of very many entities are waiting; or other bodies, or answers that clients do not read, take all memory", body = Problem),
    )
)]
pub async fn nearby_many(
    kind: Kind,
    Query(members): Query<Members>,
    LargeAnswer(context): LargeAnswer,
    state: State,
    Unparsed(body): Unparsed<MAX_BODY>,
) -> Result<HttpResponse, Problem> {
    let body = body.json()?;
    let queries = apart(body.len(), move || parse_queries(&body)).await??;
    let shared = state.shared();
    let now_ms = clock::now_ms();
    let mut lists = Lists::new(members, now_ms, context.max_bytes());
    // Shared by all calls that write such an answer at the same time.
    let mut room = context.room();
    let mut steps = 0;
    for query in &queries {
        if steps >= MOST_STEPS {
            lists.cut();
            break;
        }
        let mut turn = super::turn_of(&context, query.limit).await?;
        let (hits, more) = live(shared.live(kind), query, now_ms, &mut turn).await?;
        steps += more;
        if !lists.push(&hits, turn, &mut room).await? {
            break;
        }
        if let Some(room) = &mut room {
            room.try_resize(lists.bytes())?;
        }
        // A single query may take long: let other tasks of this thread run.
        tokio::task::yield_now().await;
    }
    let answer = reply::json(lists.finish(!shared.is_synced()));
    Ok(Answers::counted(answer, room))
}

/// Returns the nearest entities in the live index, and how many steps it took to find them if the search had to examine very many.
async fn live(
    index: &LiveIndex,
    query: &NearbyQuery,
    now_ms: i64,
    turn: &mut Option<Turn>,
) -> Result<(Vec<Hit>, usize), Problem> {
    match index.nearby_at_once(query, now_ms) {
        Some(hits) => Ok((hits, 0)),
        // In a box, because it would make the state of every short search several times as large.
        None => Box::pin(in_steps(index, query, now_ms, turn)).await,
    }
}

/// Yields to other tasks on this thread after each step, in the turn of long work.
async fn in_steps(
    index: &LiveIndex,
    query: &NearbyQuery,
    now_ms: i64,
    turn: &mut Option<Turn>,
) -> Result<(Vec<Hit>, usize), Problem> {
    if turn.is_none() {
        *turn = Some(Turn::wait().await.map_err(too_many_searches)?);
    }
    let mut search = index.search_nearby(query, now_ms);
    let mut steps = 1;
    while search.advance() {
        steps += 1;
        tokio::task::yield_now().await;
    }
    Ok((search.finish(), steps))
}
