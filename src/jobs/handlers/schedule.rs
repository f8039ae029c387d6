use super::super::schedules::{Scheduled, Stored};
use super::arguments::LargeBody;
use super::docs::ScheduleBody;
use super::params::SchedulesParams;
use super::{Data, input};
use crate::http::{AnswerContext, Body, Path, Problem, Query, Stamp, reply};
use crate::ids::Id;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The largest body, bytes: the payload of a job, and its other members.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// The largest size of a schedule in an answer besides the payload of its job, bytes: escaped names and keys, and numbers.
const OVERHEAD: usize = 8 * 1024;

/// A schedule.
#[derive(Serialize, ToSchema)]
pub(super) struct ScheduleAnswer {
    name: String,
    #[serde(flatten)]
    what: Stored,
    /// The next firing.
    #[schema(value_type = String, format = DateTime)]
    next_at: Stamp,
    /// The last firing; absent before the first.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<Stamp>,
}

/// The schedules of a queue, by their next firing.
#[derive(Serialize, ToSchema)]
pub(super) struct SchedulesAnswer {
    schedules: Vec<ScheduleAnswer>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<Scheduled> for ScheduleAnswer {
    fn from(scheduled: Scheduled) -> Self {
        Self {
            name: scheduled.name,
            what: scheduled.what,
            next_at: Stamp(scheduled.next_ms),
            last_at: scheduled.last_ms.map(Stamp),
        }
    }
}

/// Set a schedule
///
/// Replaces a schedule of the same name. A schedule that is set again unchanged keeps its firing times. Each firing adds one job, however
/// many instances run.
#[utoipa::path(
    put, path = "/v1/queues/{queue}/schedules/{name}", operation_id = "put_schedule", tag = "jobs", request_body = ScheduleBody,
    params(("queue" = String, Path), ("name" = String, Path)),
    responses(
        (status = 200, description = "The schedule, with its next firing", body = ScheduleAnswer),
        (status = 409, description = "The queue has a hundred other schedules (`too_many_schedules`) or no room for another type of job (`too_many_types`), or the maximum number of queues exists (`too_many_queues`)", body = Problem),
        (status = 422, description = "Validation failed: not a cron expression, one that does not fire within 41 years, an unknown time zone, …", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn put_schedule(
    Path((queue, name)): Path<(Id, Id)>,
    state: Data,
    Body(body): Body<LargeBody<MAX_BODY>>,
) -> Result<HttpResponse, Problem> {
    let new = body
        .parse(&state, &queue, |jobs, queue, body| {
            input::schedule(body, &|job| jobs.with_defaults(queue, job))
        })
        .await?;
    let set = state.jobs.set_schedule(&queue, &name, &new).await?;
    reply::value(StatusCode::OK, &ScheduleAnswer::from(set))
}

/// Get a schedule
#[utoipa::path(
    get, path = "/v1/queues/{queue}/schedules/{name}", operation_id = "get_schedule", tag = "jobs",
    params(("queue" = String, Path), ("name" = String, Path)),
    responses(
        (status = 200, description = "The schedule, with its next firing", body = ScheduleAnswer),
        (status = 404, description = "The schedule does not exist", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn get_schedule(Path((queue, name)): Path<(Id, Id)>, state: Data) -> Result<HttpResponse, Problem> {
    let found = state.jobs.schedule(&queue, &name).await?;
    reply::value(StatusCode::OK, &ScheduleAnswer::from(found))
}

/// List the schedules of a queue
///
/// By their next firing. A page ends where it would be larger than `HTTP_MAX_ANSWER_BYTES`. A schedule that fires between two pages may
/// be missing or listed twice.
#[utoipa::path(
    get, path = "/v1/queues/{queue}/schedules", operation_id = "list_schedules", tag = "jobs",
    params(("queue" = String, Path), SchedulesParams),
    responses(
        (status = 200, description = "A page of schedules; usually all", body = SchedulesAnswer),
        (status = 422, description = "The cursor is not the `next` of a page", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn list_schedules(
    Path(queue): Path<Id>,
    answer: AnswerContext,
    state: Data,
    Query(query): Query<SchedulesParams>,
) -> Result<HttpResponse, Problem> {
    let first = query.cursor.map_or(0, usize::from);
    let mut left = answer.max_bytes();
    let piece = state.jobs.schedules_within(left);
    let mut schedules = Vec::new();
    let next = 'reading: loop {
        let (found, all) = state.jobs.schedules(&queue, first + schedules.len(), piece).await?;
        let is_last = found.is_empty() || (first + schedules.len() + found.len()) as u64 >= all;
        for schedule in found {
            let size = OVERHEAD + schedule.what.payload_bytes();
            if size > left && !schedules.is_empty() {
                break 'reading Some((first + schedules.len()).to_string());
            }
            left = left.saturating_sub(size);
            schedules.push(ScheduleAnswer::from(schedule));
        }
        if is_last {
            break None;
        }
    };
    reply::value(StatusCode::OK, &SchedulesAnswer { schedules, next })
}

/// Delete a schedule
///
/// The jobs that it has added stay.
#[utoipa::path(
    delete, path = "/v1/queues/{queue}/schedules/{name}", operation_id = "delete_schedule", tag = "jobs",
    params(("queue" = String, Path), ("name" = String, Path)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "The schedule does not exist", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn delete_schedule(Path((queue, name)): Path<(Id, Id)>, state: Data) -> Result<HttpResponse, Problem> {
    state.jobs.remove_schedule(&queue, &name).await?;
    Ok(HttpResponse::NoContent().finish())
}
