use super::super::{JobId, Jobs, JobsError, LeaseRequest, SettleOutcome, Settlement};
use super::answer::{EndedAnswer, ExtendedAnswer, JobAnswer};
use super::arguments::LargeBody;
use super::docs::{CompleteBody, ExtendBody, FailBody, ProgressBody};
use super::input::{self, Extension, Progress, Verb};
use super::{Data, MAX_BODY, count_leased, count_settled, while_connected};
use crate::http::{AnswerContext, Answers, Body, Client, Path, Problem, Stamp, UnreadKey, reply};
use crate::ids::Id;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// Get a job
#[utoipa::path(
    get, path = "/v1/jobs/{id}", operation_id = "get_job", tag = "jobs", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The job", body = JobAnswer),
        (status = 404, description = "The job does not exist, or is deleted", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn get_job(Path(id): Path<JobId>, state: Data) -> Result<HttpResponse, Problem> {
    let job = state.jobs.get(&id).await?;
    reply::value(StatusCode::OK, &JobAnswer::from(&job))
}

/// Cancel a job
///
/// Cancels a job in any state in which it has not ended. If the job is leased, the next call of its worker about it is a 409.
/// Repeating the call changes nothing.
#[utoipa::path(
    delete, path = "/v1/jobs/{id}", operation_id = "cancel_job", tag = "jobs", params(("id" = String, Path)),
    responses(
        (status = 204, description = "Cancelled"),
        (status = 404, description = "The job does not exist, or is deleted", body = Problem),
        (status = 409, description = "The job is done or dead (`wrong_state`)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn cancel_job(Path(id): Path<JobId>, state: Data) -> Result<HttpResponse, Problem> {
    state.jobs.cancel(&id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Retry a job now
///
/// A delayed job becomes ready at once. A job that is dead or cancelled becomes ready with all its attempts restored.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", operation_id = "retry_job", tag = "jobs", params(("id" = String, Path)),
    responses(
        (status = 204, description = "The job is ready"),
        (status = 404, description = "The job does not exist, or is deleted", body = Problem),
        (status = 409, description = "The job is leased or done, or another job has its unique key (`wrong_state`)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn retry_job(Path(id): Path<JobId>, state: Data) -> Result<HttpResponse, Problem> {
    state.jobs.retry(&id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Complete a job
///
/// With `then` the job continues later under the same id, so that one cancellation ends the whole series. A repeated call gets the
/// same response as long as the job is kept.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/complete", operation_id = "complete_job", tag = "jobs", request_body = CompleteBody, params(("id" = String, Path)),
    responses(
        (status = 200, description = "The job is done, or delayed with `then`", body = EndedAnswer),
        (status = 404, description = "The job does not exist, or is deleted", body = Problem),
        (status = 409, description = "The lease has expired or belongs to another worker (`lease_over`), with the job's `state`; or `then` names one type too many (`too_many_types`)", body = Problem),
        (status = 503, description = "Redis is unavailable, or the memory for answers is exhausted: try again", body = Problem),
    )
)]
pub async fn complete_job(
    Path(id): Path<JobId>,
    client: Client,
    answer: AnswerContext,
    state: Data,
    key: UnreadKey,
    Body(body): Body<LargeBody<MAX_BODY>>,
) -> Result<HttpResponse, Problem> {
    end(id, client, answer, state, key, body, Verb::Complete).await
}

/// Fail a job
///
/// The job is retried after its backoff, and is dead after its last attempt. A repeated call gets the same response as long as the
/// job is not leased again.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/fail", operation_id = "fail_job", tag = "jobs", request_body = FailBody, params(("id" = String, Path)),
    responses(
        (status = 200, description = "The job is delayed, ready or dead; or cancelled, if another job has taken its unique key", body = EndedAnswer),
        (status = 404, description = "The job does not exist, or is deleted", body = Problem),
        (status = 409, description = "The lease has expired or belongs to another worker (`lease_over`), with the job's `state`", body = Problem),
        (status = 503, description = "Redis is unavailable, or the memory for answers is exhausted: try again", body = Problem),
    )
)]
pub async fn fail_job(
    Path(id): Path<JobId>,
    client: Client,
    answer: AnswerContext,
    state: Data,
    key: UnreadKey,
    Body(body): Body<LargeBody<MAX_BODY>>,
) -> Result<HttpResponse, Problem> {
    end(id, client, answer, state, key, body, Verb::Fail).await
}

async fn end(
    id: JobId,
    client: Client,
    answer: AnswerContext,
    state: Data,
    key: UnreadKey,
    body: LargeBody<MAX_BODY>,
    verb: Verb,
) -> Result<HttpResponse, Problem> {
    let queue = Id::parse(id.queue()).map_err(|_no_queue| JobsError::Unknown)?;
    let parse = move |jobs: &Jobs, queue: &Id, body: &[u8]| {
        let (token, end, next) = input::end(body, verb)?;
        let settlements = vec![Settlement { id, token, end }];
        jobs.check_settlements(queue, &settlements)?;
        Ok((settlements, next))
    };
    let (settlements, next) = body.parse(&state, &queue, parse).await?;
    if next.is_some() {
        key.refuse()?;
    }
    let settling = state
        .jobs
        .settle_and_offer(&queue, settlements, next.as_ref(), answer.memory());
    let (outcomes, offered) = match &next {
        Some(LeaseRequest { wait, .. }) if !wait.is_zero() => {
            while_connected(&client, &state.metrics, settling).await??
        }
        _ => settling.await?,
    };
    count_settled(&state.metrics, &outcomes);
    // If the settlement is refused, nothing was leased.
    match outcomes.first() {
        Some(SettleOutcome::Settled(now)) => {
            let taken = client.deliver(offered).await?;
            count_leased(&state.metrics, &taken.jobs);
            let next = next.map(|_| &*taken.jobs);
            let response = reply::value(StatusCode::OK, &EndedAnswer::new(*now, next))?;
            Ok(Answers::counted(response, taken.room))
        }
        Some(SettleOutcome::NotYours(now)) => Err(JobsError::NotYours(*now).into()),
        Some(SettleOutcome::Unknown) | None => Err(JobsError::Unknown.into()),
    }
}

/// Extend a lease
///
/// A lease is never shortened, and never extended beyond the job's `timeout_ms`.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/extend", operation_id = "extend_job", tag = "jobs", request_body = ExtendBody, params(("id" = String, Path)),
    responses(
        (status = 200, description = "The new end of the lease", body = ExtendedAnswer),
        (status = 404, description = "The job does not exist, or is deleted", body = Problem),
        (status = 409, description = "The lease has expired or belongs to another worker (`lease_over`), with the job's `state`", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn extend_job(
    Path(id): Path<JobId>,
    state: Data,
    Body(Extension { token, lease }): Body<Extension>,
) -> Result<HttpResponse, Problem> {
    let lease_expires_at = Stamp(state.jobs.extend(&id, token, lease).await?);
    reply::value(StatusCode::OK, &ExtendedAnswer { lease_expires_at })
}

/// Report the progress of a job
///
/// Any JSON of up to 4 KiB. It replaces the previous progress.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/progress", operation_id = "report_job_progress", tag = "jobs", request_body = ProgressBody, params(("id" = String, Path)),
    responses(
        (status = 204, description = "Stored"),
        (status = 404, description = "The job does not exist, or is deleted", body = Problem),
        (status = 409, description = "The lease has expired or belongs to another worker (`lease_over`), with the job's `state`", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn progress_job(
    Path(id): Path<JobId>,
    state: Data,
    Body(Progress { token, progress }): Body<Progress>,
) -> Result<HttpResponse, Problem> {
    state.jobs.progress(&id, token, &progress).await?;
    Ok(HttpResponse::NoContent().finish())
}
