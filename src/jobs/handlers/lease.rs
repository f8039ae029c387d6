use super::super::{AddOutcome, LeaseRequest};
use super::answer::{AddedAnswer, LeasedAnswer, SettledAnswer, ids};
use super::docs::{LeaseBody, NewJobsBody, SettleBody};
use super::{Data, MAX_BODY, MAX_SMALL_BODY, count_leased, count_settled, input, problem_of_many, read, waiting};
use crate::http::{
    Answers, Fields, Problem, REPLAYED, RawBody, deliver, idempotency_key, no_idempotency_key, no_query, path_id, reply,
};
use crate::once::Once;
use crate::runtime::Room;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

/// The most bytes of an answer for one job that was added, and for one lease that was settled, besides the queue's name.
const ADDED: usize = 64;
const SETTLED: usize = 96;

/// Enqueue jobs
///
/// One job or an array of up to 1,000: all are put in, or none. They are answered in their order. A call whose answer was lost
/// may have put them in: with an `Idempotency-Key` it can be repeated within a day, as it is, and gets the first answer. A
/// `unique_key` keeps other calls from putting the same in.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/jobs", operation_id = "add_jobs", tag = "jobs", request_body = NewJobsBody,
    params(("queue" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "Nothing new: others have the unique keys", body = AddedAnswer),
        (status = 201, description = "Put in", body = AddedAnswer, headers(
            ("Idempotent-Replayed" = String, description = "`true` where they were put in before, by the same key; else not there"),
        )),
        (status = 409, description = "`too_many_queues`, or `too_many_types` of jobs in the queue", body = Problem),
        (status = 413, description = "More than 8 MiB", body = Problem),
        (status = 422, description = "Not acceptable, or the same key with another body; nothing was put in", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn add_jobs(request: HttpRequest, payload: web::Payload, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    no_query(&request)?;
    let once = idempotency_key(&request)?;
    let body = RawBody::read_json(&request, &mut payload.into_inner(), MAX_BODY).await?;
    let (new, are_many, once) = read(&state, &queue, body, |jobs, queue, body| {
        let once = once.map(|once| Once::new(&["jobs", queue], &once, body));
        let (new, are_many) = input::new_jobs(body, &|job| jobs.usual(queue, job))?;
        jobs.check(queue, &new)
            .map_err(|error| problem_of_many(error, path(are_many)))?;
        Ok((new, are_many, once))
    })
    .await?;
    let room = Answers::reserve(&request, new.len() * (queue.len() + ADDED))?;
    let (added, before) = state
        .jobs
        .add_checked(&queue, new, once.as_ref())
        .await
        .map_err(|error| problem_of_many(error, path(are_many)))?;
    for one in added.iter().filter(|_| !before) {
        let outcome = match one.outcome {
            AddOutcome::Created => "created",
            AddOutcome::Existing => "existing",
            AddOutcome::Replaced => "replaced",
            AddOutcome::Debounced => "debounced",
        };
        state.metrics.added.with_label_values(&[outcome]).inc();
    }
    let is_new = added.iter().any(|one| one.outcome != AddOutcome::Existing);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = Answers::counted(reply::value(status, &AddedAnswer::new(&added))?, room);
    if before {
        let (name, value) = REPLAYED;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Where a job is in the body of a call that adds jobs.
fn path(are_many: bool) -> impl Fn(usize) -> String {
    move |index| if are_many { format!("{index}/") } else { String::new() }
}

/// Lease jobs
///
/// The first in line, each for a time: the worker ends its lease with `complete` or `fail`, or makes it last with `extend`. A
/// lease that ran out is a failed attempt: the job goes to the next worker after its backoff. So a job may be run twice, and a
/// handler must be idempotent. With `wait_ms` the call waits for jobs; if none arrive, the list is empty. A client that disconnects
/// before the response leases nothing; a client that closes only its sending side counts as disconnected.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/lease", operation_id = "lease_jobs", tag = "jobs", request_body = Option<LeaseBody>, params(("queue" = String, Path)),
    responses(
        (status = 200, description = "The jobs; none if there are none", body = LeasedAnswer),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn lease_jobs(request: HttpRequest, payload: web::Payload, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    no_query(&request)?;
    no_idempotency_key(&request)?;
    let body = RawBody::read_json(&request, &mut payload.into_inner(), MAX_SMALL_BODY).await?;
    let wanted = input::lease(Fields::parse_optional(&body)?)?;
    let offer = state.jobs.offer(&queue, &wanted, Answers::of(&request));
    let offered = if wanted.wait.is_zero() {
        offer.await?
    } else {
        waiting(&request, &state.metrics, offer).await??
    };
    let taken = deliver(&request, offered).await?;
    count_leased(&state.metrics, &taken.jobs);
    let answer = reply::value(StatusCode::OK, &LeasedAnswer::new(&taken.jobs))?;
    Ok(Answers::counted(answer, taken.room))
}

/// Settle many leases
///
/// Each by itself: the answer says of each what it came to. With `lease_next` the next jobs come in the same step, unless none of
/// the leases was still the worker's. With no leases to end it takes jobs out as `lease` does.
#[utoipa::path(
    post, path = "/v1/queues/{queue}/settle", operation_id = "settle_jobs", tag = "jobs", request_body = SettleBody, params(("queue" = String, Path)),
    responses(
        (status = 200, description = "What each came to, in their order", body = SettledAnswer),
        (status = 409, description = "`too_many_types` of jobs in the queue", body = Problem),
        (status = 413, description = "More than 8 MiB", body = Problem),
        (status = 422, description = "Not acceptable; nothing was done", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn settle_jobs(request: HttpRequest, payload: web::Payload, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    no_query(&request)?;
    let body = RawBody::read_json(&request, &mut payload.into_inner(), MAX_BODY).await?;
    let path = |index| format!("jobs/{index}/");
    let (settlements, next) = read(&state, &queue, body, move |jobs, queue, body| {
        let (settlements, next) = input::ends(body)?;
        jobs.check_settlements(queue, &settlements)
            .map_err(|error| problem_of_many(error, path))?;
        Ok((settlements, next))
    })
    .await?;
    if next.is_some() {
        no_idempotency_key(&request)?;
    }
    let room = Answers::reserve(&request, settlements.len() * (queue.len() + SETTLED))?;
    let ids = ids(&settlements);
    let memory = Answers::of(&request);
    let settling = state.jobs.settle_and_offer(&queue, settlements, next.as_ref(), memory);
    let settled = match &next {
        Some(LeaseRequest { wait, .. }) if !wait.is_zero() => waiting(&request, &state.metrics, settling).await?,
        _ => settling.await,
    };
    let (outcomes, offered) = settled.map_err(|error| problem_of_many(error, path))?;
    count_settled(&state.metrics, &outcomes);
    let taken = deliver(&request, offered).await?;
    count_leased(&state.metrics, &taken.jobs);
    let next = next.map(|_| &*taken.jobs);
    let answer = reply::value(StatusCode::OK, &SettledAnswer::new(&ids, &outcomes, next))?;
    Ok(Answers::counted(answer, Room::joined(taken.room, room)))
}
