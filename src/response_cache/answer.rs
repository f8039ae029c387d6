//! The response to a request: a stored one, the handler's, or a stale one instead of an error.

use super::fetch::Fetched;
use super::policy::is_failure;
use super::status::{Freshness, Status};
use super::stored::Response;
use super::worker::{CacheRequest, FetchContext, Worker};
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::{Error, HttpResponse};
use std::time::Duration;

impl FetchContext {
    /// `sent` is the status that the client gets.
    fn status(
        &self,
        (handler_status, sent): (StatusCode, StatusCode),
        detail: Option<&'static str>,
        stored: bool,
        collapsed: bool,
    ) -> Status {
        Status::Forwarded {
            reason: self.forward,
            handler_status: (handler_status != sent).then_some(handler_status),
            stored,
            collapsed,
            detail: detail.or(self.found.store_fault.map(|_| "redis-unavailable")),
        }
    }
}

impl<S> Worker<S> {
    pub(super) fn hit(
        &self,
        response: &Response,
        age: Duration,
        freshness: Freshness,
        request: &CacheRequest,
    ) -> HttpResponse {
        let mut answer = self.answer(response, Some(age), request);
        Status::Hit { freshness }.append_to(answer.headers_mut());
        answer
    }

    pub(super) fn count_hit(&self, freshness: Freshness) {
        let metrics = &self.rule.shared.metrics;
        match freshness {
            Freshness::Fresh(_) => metrics.hits.inc(),
            Freshness::Stale(_) => metrics.stale.inc(),
        }
    }

    /// Returns the response, or a 304 if the client has it.
    fn answer(&self, response: &Response, age: Option<Duration>, request: &CacheRequest) -> HttpResponse {
        if response.status.is_success() && request.conditions.match_response(&response.headers) {
            self.rule.shared.metrics.not_modified.inc();
            response.not_modified(age)
        } else {
            response.answer(age)
        }
    }

    /// Returns the response of a handler, which was called for this request or another, or a stale one instead of an error.
    pub(super) fn fetched(
        &self,
        response: &Response,
        handler_status: StatusCode,
        stored: bool,
        collapsed: bool,
        context: &FetchContext,
    ) -> HttpResponse {
        if let Some(answer) = self.stale_if_error(response.status, collapsed, context) {
            return answer;
        }
        let mut answer = self.answer(response, None, &context.request);
        let status = context.status((handler_status, answer.status()), None, stored, collapsed);
        status.append_to(answer.headers_mut());
        answer
    }

    /// Returns a stale response instead of an error, if there is one and its policy allows that.
    fn stale_if_error(&self, status: StatusCode, collapsed: bool, context: &FetchContext) -> Option<HttpResponse> {
        let (response, age) = context.found.response.as_ref().filter(|_| is_failure(status))?;
        if !response.policy.allows_stale_if_error(*age, &context.request.directives) {
            return None;
        }
        self.rule.shared.metrics.stale.inc();
        let mut answer = self.answer(response, Some(*age), &context.request);
        let status = Status::Forwarded {
            reason: context.forward,
            handler_status: Some(status),
            stored: false,
            collapsed,
            detail: Some("stale-if-error"),
        };
        status.append_to(answer.headers_mut());
        Some(answer)
    }

    /// Returns the answer to the request that called the handler.
    pub(super) fn finish_fetch(&self, fetched: Fetched, context: &FetchContext) -> Result<ServiceResponse, Error> {
        self.rule.shared.metrics.misses.inc();
        match fetched {
            Fetched::Shared {
                request,
                response,
                handler_status,
                stored,
            } => Ok(ServiceResponse::new(
                request,
                self.fetched(&response, handler_status, stored, false, context),
            )),
            Fetched::NotShared {
                response,
                handler_status,
                reason,
            } => {
                if let Some(answer) = self.stale_if_error(response.status(), false, context) {
                    return Ok(response.into_response(answer));
                }
                // The handler did not get the client's conditions.
                let not_modified =
                    response.status().is_success() && context.request.conditions.match_response(response.headers());
                let mut response = response.map_body(|head, body| {
                    if not_modified {
                        head.status = StatusCode::NOT_MODIFIED;
                        return BoxBody::new(());
                    }
                    body
                });
                let status = context.status((handler_status, response.status()), Some(reason), false, false);
                status.append_to(response.headers_mut());
                Ok(response)
            }
            Fetched::Failed(error) => {
                let status = error.as_response_error().status_code();
                Err(match self.stale_if_error(status, false, context) {
                    // There is no request left for a response.
                    Some(answer) => InternalError::from_response(error, answer).into(),
                    None => error,
                })
            }
        }
    }
}
