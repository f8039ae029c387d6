//! What a request is answered with: what is kept, what a handler made, or something stale in the place of an error.

use super::fetch::Fetched;
use super::middleware::{Asked, Found, Worker};
use super::status::{Forward, Left, Status};
use super::stored::Response;
use super::terms::is_failure;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::{Error, HttpResponse};
use std::time::Duration;

/// What is fetched, and for whom.
#[derive(Debug)]
pub(super) struct Errand {
    pub asked: Asked,
    pub found: Found,
    pub why: Forward,
}

impl Errand {
    /// `answered` is the handler's status, `told` the client's.
    fn status(
        &self,
        (answered, told): (StatusCode, StatusCode),
        detail: Option<&'static str>,
        stored: bool,
        collapsed: bool,
    ) -> Status {
        Status::Forwarded {
            why: self.why,
            answered: (answered != told).then_some(answered),
            stored,
            collapsed,
            detail: detail.or(self.found.silence.map(|_| "redis-away")),
        }
    }
}

impl<S> Worker<S> {
    pub(super) fn hit(&self, response: &Response, age: Duration, left: Left, asked: &Asked) -> HttpResponse {
        let mut answer = self.answer(response, Some(age), asked);
        Status::Hit { left }.say(answer.headers_mut());
        answer
    }

    pub(super) fn count_hit(&self, left: Left) {
        let metrics = &self.rule.shared.metrics;
        match left {
            Left::Fresh(_) => metrics.hits.inc(),
            Left::Stale(_) => metrics.stale.inc(),
        }
    }

    /// The response, or a 304 if the client has it.
    fn answer(&self, response: &Response, age: Option<Duration>, asked: &Asked) -> HttpResponse {
        if response.status.is_success() && asked.has.is(&response.headers) {
            self.rule.shared.metrics.not_modified.inc();
            response.not_modified(age)
        } else {
            response.answer(age)
        }
    }

    /// What a handler made, for this request or another, unless something stale is better.
    pub(super) fn made(
        &self,
        response: &Response,
        answered: StatusCode,
        stored: bool,
        collapsed: bool,
        errand: &Errand,
    ) -> HttpResponse {
        if let Some(answer) = self.better(response.status, collapsed, errand) {
            return answer;
        }
        let mut answer = self.answer(response, None, &errand.asked);
        let status = errand.status((answered, answer.status()), None, stored, collapsed);
        status.say(answer.headers_mut());
        answer
    }

    /// Something stale in the place of an error, where there is something and that is allowed.
    fn better(&self, status: StatusCode, collapsed: bool, errand: &Errand) -> Option<HttpResponse> {
        let (response, age) = errand.found.response.as_ref().filter(|_| is_failure(status))?;
        if !response.terms.good_after_error(*age, &errand.asked.directives) {
            return None;
        }
        self.rule.shared.metrics.stale.inc();
        let mut answer = self.answer(response, Some(*age), &errand.asked);
        let status = Status::Forwarded {
            why: errand.why,
            answered: Some(status),
            stored: false,
            collapsed,
            detail: Some("stale-if-error"),
        };
        status.say(answer.headers_mut());
        Some(answer)
    }

    /// The answer for who fetched it.
    pub(super) fn conclude(&self, fetched: Fetched, errand: &Errand) -> Result<ServiceResponse, Error> {
        self.rule.shared.metrics.misses.inc();
        match fetched {
            Fetched::Shared {
                request,
                response,
                answered,
                stored,
            } => Ok(ServiceResponse::new(
                request,
                self.made(&response, answered, stored, false, errand),
            )),
            Fetched::Alone {
                response,
                answered,
                reason,
            } => {
                if let Some(answer) = self.better(response.status(), false, errand) {
                    return Ok(response.into_response(answer));
                }
                // The handler was not shown what the client has.
                let has_it = response.status().is_success() && errand.asked.has.is(response.headers());
                let mut response = response.map_body(|head, body| {
                    if has_it {
                        head.status = StatusCode::NOT_MODIFIED;
                        return BoxBody::new(());
                    }
                    body
                });
                let status = errand.status((answered, response.status()), Some(reason), false, false);
                status.say(response.headers_mut());
                Ok(response)
            }
            Fetched::Failed(error) => {
                let status = error.as_response_error().status_code();
                Err(match self.better(status, false, errand) {
                    // There is no request left to answer.
                    Some(answer) => InternalError::from_response(error, answer).into(),
                    None => error,
                })
            }
        }
    }
}
