//! The HTTP interface of the slice: `/v1/locks/{name}`.

mod answer;
mod input;

use super::model::Wanted;
use super::{LockError, LockMetrics, Locks};
use crate::http::{Body, Client, Path, Problem, gone, reply};
use crate::ids::Id;
use crate::telemetry::Present;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use answer::{GrantBody, LockBody};
use input::{AcquireBody, Release, RenewBody, Renewal, TokenBody};
use utoipa::IntoResponses;

/// The state of a worker that the handlers use.
#[derive(Debug, Clone)]
pub struct State {
    /// The locks.
    pub locks: Locks,
    /// The metrics.
    pub metrics: LockMetrics,
}

/// Acquire a lock
///
/// A repeated call with the same `token` gets the same grant until it is released. A client that disconnects before the response
/// gets no lock and leaves the queue; a client that closes only its sending side counts as disconnected.
#[utoipa::path(
    post, path = "/v1/locks/{name}", operation_id = "acquire_lock", tag = "locks", request_body = AcquireBody, params(("name" = String, Path)),
    responses(
        (status = 201, description = "Granted", body = GrantBody),
        (status = 409, description = "The lock is held (`lock_taken`), with `owner`, `fence` and `expires_at`", body = Problem),
        (status = 422, description = "Not acceptable, or the token holds the lock for another owner or time, or has released it", body = Problem),
        (status = 503, description = "Redis is unavailable, too many requests wait, or this instance is about to stop: try again", body = Problem),
        (status = 504, description = "The wait timed out (`lock_wait_timeout`), with the holder", body = Problem),
    )
)]
pub async fn acquire(
    Path(name): Path<Id>,
    client: Client,
    state: web::Data<State>,
    Body(wanted): Body<Wanted>,
) -> Result<HttpResponse, Problem> {
    let count = |outcome| state.metrics.acquires.with_label_values(&[outcome]).inc();
    let acquired = if wanted.wait.is_zero() {
        state.locks.acquire_undelivered(&name, &wanted).await
    } else {
        let _waiting = Present::count(&state.metrics.waiters);
        tokio::select! {
            acquired = state.locks.acquire_undelivered(&name, &wanted) => acquired,
            () = client.gone() => {
                count("gone");
                return Err(gone());
            }
        }
    };
    let answer = match acquired {
        Ok(grant) => Ok(client.deliver(grant).await.inspect_err(|_gone| count("gone"))?),
        Err(error) => Err(error),
    };
    let outcome = match &answer {
        Ok(_) => "granted",
        Err(LockError::Taken(_)) => "taken",
        Err(LockError::TimedOut(_)) => "timed_out",
        Err(LockError::Closed) => "closed",
        Err(_) => "failed",
    };
    count(outcome);
    reply::value(StatusCode::CREATED, &GrantBody::new(&name, &answer?))
}

/// Renew a lock
///
/// A renewal never shortens the lease. An expired lease cannot be renewed.
#[utoipa::path(
    post, path = "/v1/locks/{name}/renew", operation_id = "renew_lock", tag = "locks", request_body = RenewBody, params(("name" = String, Path)),
    responses(
        (status = 200, description = "Renewed", body = GrantBody),
        (status = 404, description = "The lock is free: the grant has ended", body = Problem),
        (status = 409, description = "Another token holds the lock (`lock_held_by_other`)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn renew(
    Path(name): Path<Id>,
    state: web::Data<State>,
    Body(Renewal { token, ttl }): Body<Renewal>,
) -> Result<HttpResponse, Problem> {
    let grant = state.locks.renew(&name, &token, ttl).await?;
    reply::value(StatusCode::OK, &GrantBody::new(&name, &grant))
}

/// The responses of both calls that release a lock.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "shown in the document")]
enum ReleaseResponses {
    #[response(status = 204, description = "Released")]
    Released,
    #[response(status = 404, description = "The lock is free: the grant had ended before")]
    Free(Problem),
    #[response(status = 409, description = "Another token holds the lock (`lock_held_by_other`)")]
    HeldByOther(Problem),
    #[response(status = 503, description = "Redis is unavailable")]
    Unavailable(Problem),
}

/// Release a lock
///
/// The request that has waited longest gets the lock next. A repeated call gets the same answer until the next holder has released it.
#[utoipa::path(
    delete, path = "/v1/locks/{name}", operation_id = "release_lock", tag = "locks", request_body = TokenBody, params(("name" = String, Path)),
    responses(ReleaseResponses)
)]
pub async fn release(
    Path(name): Path<Id>,
    state: web::Data<State>,
    Body(Release { token }): Body<Release>,
) -> Result<HttpResponse, Problem> {
    state.locks.release(&name, &token).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Release a lock with POST
///
/// The same as `DELETE` of the lock, for clients behind proxies that drop the bodies of `DELETE`.
#[utoipa::path(
    post, path = "/v1/locks/{name}/release", tag = "locks", operation_id = "release_lock_with_post", request_body = TokenBody,
    params(("name" = String, Path)),
    responses(ReleaseResponses)
)]
pub async fn release_with_post(
    name: Path<Id>,
    state: web::Data<State>,
    body: Body<Release>,
) -> Result<HttpResponse, Problem> {
    release(name, state, body).await
}

/// Get the holder of a lock
#[utoipa::path(
    get, path = "/v1/locks/{name}", operation_id = "get_lock", tag = "locks", params(("name" = String, Path)),
    responses(
        (status = 200, description = "Held", body = LockBody),
        (status = 404, description = "The lock is free", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn inspect(Path(name): Path<Id>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let (holder, waiting) = state.locks.inspect(&name).await?;
    let holder = holder.ok_or_else(|| Problem::from(LockError::NotHeld))?;
    reply::value(StatusCode::OK, &LockBody::new(&name, &holder, waiting))
}
