use super::super::{Cursor, MOST_DRAINED, State as JobState};
use super::answer::{CancelledAnswer, JobAnswer, JobsAnswer, MovedAnswer, QueueAnswer, QueuesAnswer};
use super::docs::RedriveBody;
use super::params::{DrainParams, JobsParams, QueuesParams};
use super::{Data, MAX_SMALL_BODY};
use crate::http::{
    Fields, Problem, QueryString, RawBody, no_idempotency_key, no_query, path_external_id, path_id, reply,
};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use std::ops::RangeInclusive;

/// Jobs and queues of a page, if nothing is said and at most.
const PAGE: u64 = 100;
const PAGES: RangeInclusive<u64> = 1..=100;

pub(super) fn fault(name: &str, detail: impl Into<String>) -> Problem {
    Problem::unacceptable_parameter(name, detail)
}

pub(super) fn number(
    query: &QueryString<'_>,
    name: &str,
    usual: u64,
    range: &RangeInclusive<u64>,
) -> Result<u64, Problem> {
    let number = query.number(name).map_err(|error| Problem::unacceptable(vec![error]))?;
    let number = number.unwrap_or(usual);
    if range.contains(&number) {
        Ok(number)
    } else {
        Err(fault(name, format!("must be {} to {}", range.start(), range.end())))
    }
}

pub(super) fn limit(query: &QueryString<'_>, usual: u64, range: &RangeInclusive<u64>) -> Result<usize, Problem> {
    number(query, "limit", usual, range).map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// List the queues
///
/// By name, each with how it is. One without jobs is in use for ten minutes more.
#[utoipa::path(
    get, path = "/v1/queues", operation_id = "list_queues", tag = "jobs",
    params(QueuesParams),
    responses(
        (status = 200, description = "A page of them", body = QueuesAnswer),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn list_queues(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let query = QueryString::parse(request.query_string(), &["limit", "cursor"], &[])?;
    let limit = limit(&query, PAGE, &PAGES)?;
    let (queues, are_more) = state.jobs.queues(query.text("cursor"), limit).await?;
    let answer = QueuesAnswer {
        queues: queues
            .iter()
            .map(|(name, counts)| QueueAnswer::new(name, counts))
            .collect(),
        next: queues.last().filter(|_| are_more).map(|(name, _)| &**name),
    };
    reply::value(StatusCode::OK, &answer)
}

/// Get queue statistics
///
/// One that nobody has put anything into is an empty one.
#[utoipa::path(
    get, path = "/v1/queues/{queue}", operation_id = "get_queue", tag = "jobs", params(("queue" = String, Path)),
    responses(
        (status = 200, description = "Jobs by state, throughput, times", body = QueueAnswer),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn get_queue(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    no_query(&request)?;
    let counts = state.jobs.counts(&queue).await?;
    reply::value(StatusCode::OK, &QueueAnswer::new(&queue, &counts))
}

/// List the jobs in a state
///
/// In the order of the state: that of the line, by when they are due, by when their leases end, by when they are forgotten. What
/// changes meanwhile may be missed or seen twice.
#[utoipa::path(
    get, path = "/v1/queues/{queue}/jobs", operation_id = "list_jobs", tag = "jobs",
    params(
        ("queue" = String, Path),
        JobsParams,
    ),
    responses(
        (status = 200, description = "A page of them, without payloads", body = JobsAnswer),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn list_jobs(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    let query = QueryString::parse(request.query_string(), &["state", "limit", "cursor"], &[])?;
    let wanted = query.text("state").unwrap_or_default();
    let wanted = JobState::ALL.into_iter().find(|state| state.name() == wanted);
    let wanted = wanted.ok_or_else(|| fault("state", "must be ready, delayed, leased, done, dead or cancelled"))?;
    let limit = limit(&query, PAGE, &PAGES)?;
    let cursor = match query.text("cursor") {
        Some(text) => Some(Cursor::parse(text).ok_or_else(|| fault("cursor", "is not one that a page named"))?),
        None => None,
    };
    let (jobs, next) = state.jobs.list(&queue, wanted, cursor.as_ref(), limit).await?;
    let answer = JobsAnswer {
        jobs: jobs.iter().map(JobAnswer::from).collect(),
        next: next.map(|cursor| cursor.to_string()),
    };
    reply::value(StatusCode::OK, &answer)
}

/// Cancel the waiting jobs of a queue
///
/// Those that are ready, the first in line first, or those that are delayed; what is leased goes on. A call cancels up to `limit` of
/// them, a hundred at a time, and says how many are left: repeat it until none is. Each is remembered as cancelled, as long as
/// it is among the last `JOBS_KEEP_DONE`, so that `retry` brings it back, and its unique key is free. Pause the queue first if nothing is to be leased meanwhile.
#[utoipa::path(
    delete, path = "/v1/queues/{queue}/jobs", operation_id = "drain_jobs", tag = "jobs",
    params(
        ("queue" = String, Path),
        DrainParams,
    ),
    responses(
        (status = 200, description = "How many, and how many are left", body = MovedAnswer),
        (status = 503, description = "Redis is away; some may be cancelled", body = Problem),
    )
)]
pub async fn drain_jobs(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    let query = QueryString::parse(request.query_string(), &["state", "limit"], &[])?;
    let wanted = match query.text("state") {
        Some("ready") => JobState::Ready,
        Some("delayed") => JobState::Delayed,
        _ => return Err(fault("state", "must be ready or delayed")),
    };
    let limit = number(&query, "limit", MOST_DRAINED, &(1..=MOST_DRAINED))?;
    let (jobs, left) = state.jobs.drain(&queue, wanted, limit).await?;
    reply::value(StatusCode::OK, &MovedAnswer { jobs, left })
}

/// Pause a queue
///
/// Nothing of it is leased until it goes on; what is leased can be ended.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/pause", operation_id = "pause_queue", tag = "jobs", params(("queue" = String, Path)),
    responses(
        (status = 204, description = "Paused"),
        (status = 409, description = "There are as many queues as there may be (`too_many_queues`)", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn pause_queue(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    no_query(&request)?;
    state.jobs.pause(&queue).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Resume a queue
#[utoipa::path(
    post, path = "/v1/queues/{queue}/resume", operation_id = "resume_queue", tag = "jobs", params(("queue" = String, Path)),
    responses(
        (status = 204, description = "It goes on"),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn resume_queue(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    no_query(&request)?;
    state.jobs.resume(&queue).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Move dead jobs back to their queue
///
/// Those that have been dead for longest, at the places that they had, with all their attempts before them. Those whose unique
/// keys other jobs have stay dead and are passed over, twenty thousand at most: so if fewer than `limit` were moved no more can be.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/redrive", operation_id = "redrive_jobs", tag = "jobs", request_body = Option<RedriveBody>, params(("queue" = String, Path)),
    responses(
        (status = 200, description = "How many", body = MovedAnswer),
        (status = 503, description = "Redis is away; some may be back", body = Problem),
    )
)]
pub async fn redrive(request: HttpRequest, payload: web::Payload, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    no_query(&request)?;
    no_idempotency_key(&request)?;
    let body = RawBody::read_json(&request, &mut payload.into_inner(), MAX_SMALL_BODY).await?;
    let mut fields = Fields::parse_optional(&body)?;
    let limit = fields.integer("limit", 1..=1_000);
    let limit = fields.finish(Some(limit))?.unwrap_or(1_000);
    let (jobs, left) = state.jobs.redrive(&queue, limit.unsigned_abs()).await?;
    reply::value(StatusCode::OK, &MovedAnswer { jobs, left })
}

/// Delete the dead jobs of a queue
#[utoipa::path(
    delete, path = "/v1/queues/{queue}/dead", operation_id = "delete_dead_jobs", tag = "jobs", params(("queue" = String, Path)),
    responses(
        (status = 200, description = "How many", body = MovedAnswer),
        (status = 503, description = "Redis is away; some may be forgotten", body = Problem),
    )
)]
pub async fn clear_dead(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    no_query(&request)?;
    let (jobs, left) = state.jobs.clear_dead(&queue).await?;
    reply::value(StatusCode::OK, &MovedAnswer { jobs, left })
}

/// Cancel the job that has a unique key
///
/// And free the key. The key of a job that is done and keeps it for a time (`unique_for_ms`) stays: `unique_mode` `replace` puts
/// another one in.
#[utoipa::path(
    delete, path = "/v1/queues/{queue}/unique/{key}", operation_id = "cancel_unique_job", tag = "jobs",
    params(("queue" = String, Path), ("key" = String, Path)),
    responses(
        (status = 200, description = "Cancelled", body = CancelledAnswer),
        (status = 404, description = "No job has the key", body = Problem),
        (status = 409, description = "It is done (`wrong_state`), and keeps the key", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn cancel_unique(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let (queue, key) = (path_id(&request, "queue")?, path_external_id(&request, "key")?);
    no_query(&request)?;
    let id = state.jobs.cancel_unique(&queue, &key).await?;
    reply::value(StatusCode::OK, &CancelledAnswer { id })
}
