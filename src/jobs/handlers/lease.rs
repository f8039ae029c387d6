use super::super::{AddOutcome, Jobs, LeaseRequest};
use super::answer::{AddedAnswer, LeasedAnswer, SettledAnswer, ids};
use super::arguments::LargeBody;
use super::docs::{LeaseBody, NewJobsBody, SettleBody};
use super::input;
use super::{Data, MAX_BODY, count_leased, count_settled, problem_of_many, while_connected};
use crate::http::{AnswerContext, Answers, Body, Client, IdempotencyKey, Path, Problem, REPLAYED, UnreadKey, reply};
use crate::ids::Id;
use crate::once::Once;
use crate::runtime::Room;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// The largest part of an answer about one added job, and about one settled lease, besides the name of the queue, bytes.
const ADDED: usize = 64;
const SETTLED: usize = 96;

/// Enqueue jobs
///
/// One job or an array of up to 1,000. Either all are added or none. The response lists them in the order of the request. A call whose
/// response was lost may have added the jobs: with an `Idempotency-Key` it can be repeated unchanged within a day and gets the first
/// response. A `unique_key` prevents other calls from adding the same job.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/jobs", operation_id = "add_jobs", tag = "jobs", request_body = NewJobsBody,
    params(("queue" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "No job was added: other jobs have the unique keys", body = AddedAnswer),
        (status = 201, description = "Added", body = AddedAnswer, headers(
            ("Idempotent-Replayed" = String, description = "`true` if an earlier call with the same key added the jobs; otherwise absent"),
        )),
        (status = 409, description = "`too_many_queues`, or `too_many_types` of jobs in the queue", body = Problem),
        (status = 413, description = "More than 8 MiB", body = Problem),
        (status = 422, description = "Validation failed, or the same key with another body; no job was added", body = Problem),
        (status = 503, description = "Redis is unavailable, or the memory for answers is exhausted: try again", body = Problem),
    )
)]
pub async fn add_jobs(
    Path(queue): Path<Id>,
    answer: AnswerContext,
    state: Data,
    IdempotencyKey(key): IdempotencyKey,
    Body(body): Body<LargeBody<MAX_BODY>>,
) -> Result<HttpResponse, Problem> {
    let parse = move |jobs: &Jobs, queue: &Id, body: &[u8]| {
        let once = key.map(|key| Once::new(&["jobs", queue], &key, body));
        let (new, is_array) = input::new_jobs(body, &|job| jobs.with_defaults(queue, job))?;
        jobs.check(queue, &new)
            .map_err(|error| problem_of_many(error, path(is_array)))?;
        Ok((new, is_array, once))
    };
    let (new, is_array, once) = body.parse(&state, &queue, parse).await?;
    let room = answer.reserve(new.len() * (queue.len() + ADDED))?;
    let (added, is_replay) = state
        .jobs
        .add_checked(&queue, new, once.as_ref())
        .await
        .map_err(|error| problem_of_many(error, path(is_array)))?;
    for job in added.iter().filter(|_| !is_replay) {
        let outcome = match job.outcome {
            AddOutcome::Created => "created",
            AddOutcome::Existing => "existing",
            AddOutcome::Replaced => "replaced",
            AddOutcome::Debounced => "debounced",
        };
        state.metrics.added.with_label_values(&[outcome]).inc();
    }
    let is_any_new = added.iter().any(|job| job.outcome != AddOutcome::Existing);
    let status = if is_any_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut response = Answers::counted(reply::value(status, &AddedAnswer::new(&added))?, room);
    if is_replay {
        let (name, value) = REPLAYED;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Returns the path of a job in the body of a call that adds jobs.
fn path(is_array: bool) -> impl Fn(usize) -> String {
    move |index| if is_array { format!("{index}/") } else { String::new() }
}

/// Lease jobs
///
/// Leases the first jobs in line, each for a time. The worker ends a lease with `complete` or `fail`, or extends it with `extend`. A
/// lease that expires is a failed attempt: the job goes to the next worker after its backoff. So a job may run twice, and a
/// handler must be idempotent. With `wait_ms` the call waits for jobs; if none arrive, the list is empty. A client that disconnects
/// before the response leases nothing; a client that closes only its sending side counts as disconnected.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/lease", operation_id = "lease_jobs", tag = "jobs", request_body = Option<LeaseBody>, params(("queue" = String, Path)),
    responses(
        (status = 200, description = "The jobs; an empty list if there are none", body = LeasedAnswer),
        (status = 503, description = "Redis is unavailable, or the memory for answers is exhausted: try again", body = Problem),
    )
)]
pub async fn lease_jobs(
    Path(queue): Path<Id>,
    client: Client,
    answer: AnswerContext,
    state: Data,
    Body(request): Body<LeaseRequest>,
) -> Result<HttpResponse, Problem> {
    let offer = state.jobs.offer(&queue, &request, answer.memory());
    let offered = if request.wait.is_zero() {
        offer.await?
    } else {
        while_connected(&client, &state.metrics, offer).await??
    };
    let taken = client.deliver(offered).await?;
    count_leased(&state.metrics, &taken.jobs);
    let response = reply::value(StatusCode::OK, &LeasedAnswer::new(&taken.jobs))?;
    Ok(Answers::counted(response, taken.room))
}

/// Settle many leases
///
/// Each lease is settled independently, and the response has an outcome for each. With `lease_next` the next jobs are leased in the
/// same step, unless none of the leases was still held. With no leases to end, the call leases jobs as `lease` does.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/settle", operation_id = "settle_jobs", tag = "jobs", request_body = SettleBody, params(("queue" = String, Path)),
    responses(
        (status = 200, description = "The outcomes, in the order of the request", body = SettledAnswer),
        (status = 409, description = "`too_many_types` of jobs in the queue", body = Problem),
        (status = 413, description = "More than 8 MiB", body = Problem),
        (status = 422, description = "Validation failed; nothing was changed", body = Problem),
        (status = 503, description = "Redis is unavailable, or the memory for answers is exhausted: try again", body = Problem),
    )
)]
pub async fn settle_jobs(
    Path(queue): Path<Id>,
    client: Client,
    answer: AnswerContext,
    state: Data,
    key: UnreadKey,
    Body(body): Body<LargeBody<MAX_BODY>>,
) -> Result<HttpResponse, Problem> {
    let path = |index| format!("jobs/{index}/");
    let parse = move |jobs: &Jobs, queue: &Id, body: &[u8]| {
        let (settlements, next) = input::ends(body)?;
        jobs.check_settlements(queue, &settlements)
            .map_err(|error| problem_of_many(error, path))?;
        Ok((settlements, next))
    };
    let (settlements, next) = body.parse(&state, &queue, parse).await?;
    if next.is_some() {
        key.refuse()?;
    }
    let room = answer.reserve(settlements.len() * (queue.len() + SETTLED))?;
    let ids = ids(&settlements);
    let settling = state
        .jobs
        .settle_and_offer(&queue, settlements, next.as_ref(), answer.memory());
    let settled = match &next {
        Some(LeaseRequest { wait, .. }) if !wait.is_zero() => {
            while_connected(&client, &state.metrics, settling).await?
        }
        _ => settling.await,
    };
    let (outcomes, offered) = settled.map_err(|error| problem_of_many(error, path))?;
    count_settled(&state.metrics, &outcomes);
    let taken = client.deliver(offered).await?;
    count_leased(&state.metrics, &taken.jobs);
    let next = next.map(|_| &*taken.jobs);
    let response = reply::value(StatusCode::OK, &SettledAnswer::new(&ids, &outcomes, next))?;
    Ok(Answers::counted(response, Room::joined(taken.room, room)))
}
