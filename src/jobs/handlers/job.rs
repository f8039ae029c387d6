use super::super::{JobsError, LeaseRequest, SettleOutcome, Settlement};
use super::answer::{EndedAnswer, ExtendedAnswer, JobAnswer};
use super::docs::{CompleteBody, ExtendBody, FailBody, ProgressBody};
use super::input::{self, Verb};
use super::{Data, MAX_BODY, MAX_SMALL_BODY, count_leased, count_settled, job_id, read, waiting};
use crate::http::{Answers, Fields, Problem, RawBody, Stamp, deliver, no_idempotency_key, no_query, reply};
use crate::ids::Id;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

/// Get a job
#[utoipa::path(
    get, path = "/v1/jobs/{id}", operation_id = "get_job", tag = "jobs", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The job", body = JobAnswer),
        (status = 404, description = "There is none, or none any more", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn get_job(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let id = job_id(&request)?;
    no_query(&request)?;
    let job = state.jobs.get(&id).await?;
    reply::value(StatusCode::OK, &JobAnswer::from(&job))
}

/// Cancel a job
///
/// Wherever it is, unless it has ended. A worker that has it is told by a 409 to whatever it says next. Repeating it changes
/// nothing.
#[utoipa::path(
    delete, path = "/v1/jobs/{id}", operation_id = "cancel_job", tag = "jobs", params(("id" = String, Path)),
    responses(
        (status = 204, description = "Cancelled"),
        (status = 404, description = "There is none, or none any more", body = Problem),
        (status = 409, description = "It is done or dead (`wrong_state`)", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn cancel_job(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let id = job_id(&request)?;
    no_query(&request)?;
    state.jobs.cancel(&id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Retry a job now
///
/// A delayed one does not wait any longer; one that is dead or was cancelled has all its attempts before it again.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", operation_id = "retry_job", tag = "jobs", params(("id" = String, Path)),
    responses(
        (status = 204, description = "It is ready"),
        (status = 404, description = "There is none, or none any more", body = Problem),
        (status = 409, description = "It is leased or done, or another has its unique key (`wrong_state`)", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn retry_job(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let id = job_id(&request)?;
    no_query(&request)?;
    no_idempotency_key(&request)?;
    state.jobs.retry(&id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Complete a job
///
/// With `then` it is done for now and goes on later under the same id, so that cancelling ends the whole series. Repeating it is
/// answered alike, as long as the job is remembered.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/complete", operation_id = "complete_job", tag = "jobs", request_body = CompleteBody, params(("id" = String, Path)),
    responses(
        (status = 200, description = "It is done, or delayed with `then`", body = EndedAnswer),
        (status = 404, description = "There is none, or none any more", body = Problem),
        (status = 409, description = "The lease is another's or is over (`lease_over`), with the job's `state`; or `then` is of a type too many (`too_many_types`)", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn complete_job(request: HttpRequest, payload: web::Payload, state: Data) -> Result<HttpResponse, Problem> {
    end(&request, payload, &state, Verb::Complete).await
}

/// Fail a job
///
/// It is tried again as its backoff has it, and is dead after its last attempt. Repeating it is answered alike, as long
/// as nobody has leased it again.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/fail", operation_id = "fail_job", tag = "jobs", request_body = FailBody, params(("id" = String, Path)),
    responses(
        (status = 200, description = "It is delayed, ready or dead; or cancelled, if another has taken its unique key", body = EndedAnswer),
        (status = 404, description = "There is none, or none any more", body = Problem),
        (status = 409, description = "The lease is another's or is over (`lease_over`), with the job's `state`", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn fail_job(request: HttpRequest, payload: web::Payload, state: Data) -> Result<HttpResponse, Problem> {
    end(&request, payload, &state, Verb::Fail).await
}

async fn end(request: &HttpRequest, payload: web::Payload, state: &Data, verb: Verb) -> Result<HttpResponse, Problem> {
    let id = job_id(request)?;
    no_query(request)?;
    let body = RawBody::read_json(request, &mut payload.into_inner(), MAX_BODY).await?;
    let queue = Id::parse(id.queue()).map_err(|_no_queue| JobsError::Unknown)?;
    let (settlements, next) = read(state, &queue, body, move |jobs, queue, body| {
        let (token, end, next) = input::end(body, verb)?;
        let settlements = vec![Settlement { id, token, end }];
        jobs.check_settlements(queue, &settlements)?;
        Ok((settlements, next))
    })
    .await?;
    if next.is_some() {
        no_idempotency_key(request)?;
    }
    let memory = Answers::of(request);
    let settling = state.jobs.settle_and_offer(&queue, settlements, next.as_ref(), memory);
    let (outcomes, offered) = match &next {
        Some(LeaseRequest { wait, .. }) if !wait.is_zero() => waiting(request, &state.metrics, settling).await??,
        _ => settling.await?,
    };
    count_settled(&state.metrics, &outcomes);
    // Where it is refused, nothing was leased.
    match outcomes.first() {
        Some(SettleOutcome::Settled(now)) => {
            let taken = deliver(request, offered).await?;
            count_leased(&state.metrics, &taken.jobs);
            let next = next.map(|_| &*taken.jobs);
            let answer = reply::value(StatusCode::OK, &EndedAnswer::new(*now, next))?;
            Ok(Answers::counted(answer, taken.room))
        }
        Some(SettleOutcome::NotYours(now)) => Err(JobsError::NotYours(*now).into()),
        Some(SettleOutcome::Unknown) | None => Err(JobsError::Unknown.into()),
    }
}

/// Extend a lease
///
/// Never shorter than it would, and never beyond the job's `timeout_ms`.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/extend", operation_id = "extend_job", tag = "jobs", request_body = ExtendBody, params(("id" = String, Path)),
    responses(
        (status = 200, description = "When it ends now", body = ExtendedAnswer),
        (status = 404, description = "There is none, or none any more", body = Problem),
        (status = 409, description = "The lease is another's or is over (`lease_over`), with the job's `state`", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn extend_job(request: HttpRequest, payload: web::Payload, state: Data) -> Result<HttpResponse, Problem> {
    let id = job_id(&request)?;
    no_query(&request)?;
    let body = RawBody::read_json(&request, &mut payload.into_inner(), MAX_SMALL_BODY).await?;
    let (token, lease) = input::extension(Fields::parse(&body)?)?;
    let lease_expires_at = Stamp(state.jobs.extend(&id, token, lease).await?);
    reply::value(StatusCode::OK, &ExtendedAnswer { lease_expires_at })
}

/// Report the progress of a job
///
/// Any JSON of up to 4 KiB, in the place of what was said before.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/progress", operation_id = "report_job_progress", tag = "jobs", request_body = ProgressBody, params(("id" = String, Path)),
    responses(
        (status = 204, description = "Noted"),
        (status = 404, description = "There is none, or none any more", body = Problem),
        (status = 409, description = "The lease is another's or is over (`lease_over`), with the job's `state`", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn progress_job(request: HttpRequest, payload: web::Payload, state: Data) -> Result<HttpResponse, Problem> {
    let id = job_id(&request)?;
    no_query(&request)?;
    let body = RawBody::read_json(&request, &mut payload.into_inner(), MAX_SMALL_BODY).await?;
    let (token, progress) = input::progress(&body)?;
    state.jobs.progress(&id, token, &progress).await?;
    Ok(HttpResponse::NoContent().finish())
}
