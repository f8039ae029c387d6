use super::Data;
use super::answer::{CancelledAnswer, ChangedAnswer, JobAnswer, JobsAnswer, QueueAnswer, QueuesAnswer};
use super::docs::RedriveBody;
use super::input::Redrive;
use super::params::{DrainParams, JobsParams, QueuesParams};
use crate::http::{Body, Path, Problem, Query, reply};
use crate::ids::{ExternalId, Id};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// List the queues
///
/// The queues in use by name, each with its statistics. A queue without jobs stays in the list for ten minutes.
#[utoipa::path(
    get, path = "/v1/queues", operation_id = "list_queues", tag = "jobs",
    params(QueuesParams),
    responses(
        (status = 200, description = "A page of queues", body = QueuesAnswer),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn list_queues(state: Data, Query(query): Query<QueuesParams>) -> Result<HttpResponse, Problem> {
    let (queues, has_more) = state.jobs.queues(query.cursor.as_deref(), query.limit()).await?;
    let answer = QueuesAnswer {
        queues: queues
            .iter()
            .map(|(name, counts)| QueueAnswer::new(name, counts))
            .collect(),
        next: queues.last().filter(|_| has_more).map(|(name, _)| &**name),
    };
    reply::value(StatusCode::OK, &answer)
}

/// Get queue statistics
///
/// A queue to which no job was ever added is an empty queue.
#[utoipa::path(
    get, path = "/v1/queues/{queue}", operation_id = "get_queue", tag = "jobs", params(("queue" = String, Path)),
    responses(
        (status = 200, description = "Jobs by state, throughput and latencies", body = QueueAnswer),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn get_queue(Path(queue): Path<Id>, state: Data) -> Result<HttpResponse, Problem> {
    let counts = state.jobs.counts(&queue).await?;
    reply::value(StatusCode::OK, &QueueAnswer::new(&queue, &counts))
}

/// List the jobs in a state
///
/// The order depends on the state: ready jobs by their place in line, delayed jobs by when they are due, leased jobs by when their
/// leases expire, others by when they are deleted. A job whose state changes between two pages may be missing or listed twice.
#[utoipa::path(
    get, path = "/v1/queues/{queue}/jobs", operation_id = "list_jobs", tag = "jobs",
    params(
        ("queue" = String, Path),
        JobsParams,
    ),
    responses(
        (status = 200, description = "A page of jobs, without payloads", body = JobsAnswer),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn list_jobs(
    Path(queue): Path<Id>,
    state: Data,
    Query(query): Query<JobsParams>,
) -> Result<HttpResponse, Problem> {
    let (jobs, next) = state
        .jobs
        .list(&queue, query.state, query.cursor.as_ref(), query.limit())
        .await?;
    let answer = JobsAnswer {
        jobs: jobs.iter().map(JobAnswer::from).collect(),
        next: next.map(|cursor| cursor.to_string()),
    };
    reply::value(StatusCode::OK, &answer)
}

/// Cancel the waiting jobs of a queue
///
/// Cancels ready jobs, the first in line first, or delayed jobs; leased jobs are not affected. A call cancels up to `limit` jobs, a
/// hundred at a time, and returns how many are left: repeat it until none is. Each job is kept as cancelled while it is among the last
/// `JOBS_KEEP_DONE`, so that `retry` restores it, and its unique key is free. Pause the queue first if no job may be leased during the call.
#[utoipa::path(
    delete, path = "/v1/queues/{queue}/jobs", operation_id = "drain_jobs", tag = "jobs",
    params(
        ("queue" = String, Path),
        DrainParams,
    ),
    responses(
        (status = 200, description = "The number of cancelled jobs, and of those left", body = ChangedAnswer),
        (status = 503, description = "Redis is unavailable; some jobs may be cancelled", body = Problem),
    )
)]
pub async fn drain_jobs(
    Path(queue): Path<Id>,
    state: Data,
    Query(query): Query<DrainParams>,
) -> Result<HttpResponse, Problem> {
    let (jobs, left) = state.jobs.drain(&queue, query.state.into(), query.limit()).await?;
    reply::value(StatusCode::OK, &ChangedAnswer { jobs, left })
}

/// Pause a queue
///
/// No job of the queue is leased until it is resumed. Jobs that are leased can be settled.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/pause", operation_id = "pause_queue", tag = "jobs", params(("queue" = String, Path)),
    responses(
        (status = 204, description = "Paused"),
        (status = 409, description = "The maximum number of queues exists (`too_many_queues`)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn pause_queue(Path(queue): Path<Id>, state: Data) -> Result<HttpResponse, Problem> {
    state.jobs.pause(&queue).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Resume a queue
#[utoipa::path(
    post, path = "/v1/queues/{queue}/resume", operation_id = "resume_queue", tag = "jobs", params(("queue" = String, Path)),
    responses(
        (status = 204, description = "Resumed"),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn resume_queue(Path(queue): Path<Id>, state: Data) -> Result<HttpResponse, Problem> {
    state.jobs.resume(&queue).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Move dead jobs back to their queue
///
/// Moves the jobs that have been dead for longest to their original places in line, with all their attempts restored. A job whose
/// unique key another job has stays dead and is skipped. A call skips up to 20,000 jobs, so if it moves fewer than `limit`, no other
/// job can be moved.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/redrive", operation_id = "redrive_jobs", tag = "jobs", request_body = Option<RedriveBody>, params(("queue" = String, Path)),
    responses(
        (status = 200, description = "The number of moved jobs", body = ChangedAnswer),
        (status = 503, description = "Redis is unavailable; some jobs may be moved", body = Problem),
    )
)]
pub async fn redrive(
    Path(queue): Path<Id>,
    state: Data,
    Body(Redrive { limit }): Body<Redrive>,
) -> Result<HttpResponse, Problem> {
    let (jobs, left) = state.jobs.redrive(&queue, limit).await?;
    reply::value(StatusCode::OK, &ChangedAnswer { jobs, left })
}

/// Delete the dead jobs of a queue
#[utoipa::path(
    delete, path = "/v1/queues/{queue}/dead", operation_id = "delete_dead_jobs", tag = "jobs", params(("queue" = String, Path)),
    responses(
        (status = 200, description = "The number of deleted jobs", body = ChangedAnswer),
        (status = 503, description = "Redis is unavailable; some jobs may be deleted", body = Problem),
    )
)]
pub async fn clear_dead(Path(queue): Path<Id>, state: Data) -> Result<HttpResponse, Problem> {
    let (jobs, left) = state.jobs.clear_dead(&queue).await?;
    reply::value(StatusCode::OK, &ChangedAnswer { jobs, left })
}

/// Cancel the job that has a unique key
///
/// The key is free afterwards. A job that is done and keeps its key for a time (`unique_for_ms`) cannot be cancelled: add a job with
/// `unique_mode` `replace` instead.
#[utoipa::path(
    delete, path = "/v1/queues/{queue}/unique/{key}", operation_id = "cancel_unique_job", tag = "jobs",
    params(("queue" = String, Path), ("key" = String, Path)),
    responses(
        (status = 200, description = "Cancelled", body = CancelledAnswer),
        (status = 404, description = "No job has the key", body = Problem),
        (status = 409, description = "The job is done (`wrong_state`) and keeps the key", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn cancel_unique(Path((queue, key)): Path<(Id, ExternalId)>, state: Data) -> Result<HttpResponse, Problem> {
    let id = state.jobs.cancel_unique(&queue, &key).await?;
    reply::value(StatusCode::OK, &CancelledAnswer { id })
}
