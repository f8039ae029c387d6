use super::super::schedules::{Scheduled, Stored};
use super::docs::ScheduleBody;
use super::params::SchedulesParams;
use super::{Data, input, read};
use crate::http::{AnswerLimit, Problem, QueryString, RawBody, Stamp, no_query, path_id, reply};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

/// The largest body: a job's payload, and what is said of it.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// The most bytes that a schedule takes besides its job's payload: names and keys, escaped, and numbers.
const AROUND: usize = 8 * 1024;

/// A schedule.
#[derive(Serialize, ToSchema)]
pub(super) struct ScheduleAnswer {
    name: String,
    #[serde(flatten)]
    what: Stored,
    /// When it fires next.
    #[schema(value_type = String, format = DateTime)]
    next_at: Stamp,
    /// When it fired last; not there before it has.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<Stamp>,
}

/// The schedules of a queue, by when they fire next.
#[derive(Serialize, ToSchema)]
pub(super) struct SchedulesAnswer {
    schedules: Vec<ScheduleAnswer>,
    /// The `cursor` of the next page; not there on the last.
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
/// In the place of one of the same name. Set again as it was, it goes on in its rhythm. However many instances there are, each
/// firing puts one job in.
#[utoipa::path(
    put, path = "/v1/queues/{queue}/schedules/{name}", operation_id = "put_schedule", tag = "jobs", request_body = ScheduleBody,
    params(("queue" = String, Path), ("name" = String, Path)),
    responses(
        (status = 200, description = "Set, and when it fires first", body = ScheduleAnswer),
        (status = 409, description = "The queue has a hundred others (`too_many_schedules`), or no room for another type of job (`too_many_types`), or there are as many queues as there may be (`too_many_queues`)", body = Problem),
        (status = 422, description = "Not acceptable: no cron expression, one that never fires, no such time zone, …", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn put_schedule(request: HttpRequest, payload: web::Payload, state: Data) -> Result<HttpResponse, Problem> {
    let (queue, name) = (path_id(&request, "queue")?, path_id(&request, "name")?);
    no_query(&request)?;
    let body = RawBody::read_json(&request, &mut payload.into_inner(), MAX_BODY).await?;
    let new = read(&state, &queue, body, |jobs, queue, body| {
        input::schedule(body, &|job| jobs.usual(queue, job))
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
        (status = 200, description = "What it is, and when it fires next", body = ScheduleAnswer),
        (status = 404, description = "There is none of that name", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn get_schedule(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let (queue, name) = (path_id(&request, "queue")?, path_id(&request, "name")?);
    no_query(&request)?;
    let (mut skip, piece) = (0, state.jobs.schedules_within(AnswerLimit::of(&request)));
    loop {
        let (schedules, all) = state.jobs.schedules(&queue, skip, piece).await?;
        if let Some(found) = schedules.into_iter().find(|schedule| *schedule.name == *name) {
            return reply::value(StatusCode::OK, &ScheduleAnswer::from(found));
        }
        skip += piece;
        if skip as u64 >= all {
            return Err(Problem::not_found("there is no such schedule"));
        }
    }
}

/// List the schedules of a queue
///
/// By when they fire next. A page ends where it would be larger than `HTTP_MAX_ANSWER_BYTES`. One that fires between two pages may be
/// missed or come twice.
#[utoipa::path(
    get, path = "/v1/queues/{queue}/schedules", operation_id = "list_schedules", tag = "jobs",
    params(("queue" = String, Path), SchedulesParams),
    responses(
        (status = 200, description = "A page of them; mostly all", body = SchedulesAnswer),
        (status = 422, description = "The cursor is not one that a page named", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn list_schedules(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    let query = QueryString::parse(request.query_string(), &["cursor"], &[])?;
    let refused = |error| Problem::unacceptable(vec![error]);
    let first = query.number::<u16>("cursor").map_err(refused)?.map_or(0, usize::from);
    let mut left = AnswerLimit::of(&request);
    let piece = state.jobs.schedules_within(left);
    let mut schedules = Vec::new();
    let next = 'reading: loop {
        let (found, all) = state.jobs.schedules(&queue, first + schedules.len(), piece).await?;
        let is_last = found.is_empty() || (first + schedules.len() + found.len()) as u64 >= all;
        for schedule in found {
            let size = AROUND + schedule.what.payload_bytes();
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
/// What it has put in stays.
#[utoipa::path(
    delete, path = "/v1/queues/{queue}/schedules/{name}", operation_id = "delete_schedule", tag = "jobs",
    params(("queue" = String, Path), ("name" = String, Path)),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is none of that name", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn delete_schedule(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let (queue, name) = (path_id(&request, "queue")?, path_id(&request, "name")?);
    no_query(&request)?;
    state.jobs.remove_schedule(&queue, &name).await?;
    Ok(HttpResponse::NoContent().finish())
}
