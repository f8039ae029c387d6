//! Handles every request and every answer, regardless of the route: which requests are refused (`rules`), pages of other origins
//! (`cors`), HEAD, and the form of answers (`answer`, `compress`).

mod answer;
mod compress;
mod cors;
mod rules;

pub use cors::{OriginError, Origins};
pub use rules::{HostNameError, HostNames, Rules};

use super::{Connection, Problem};
use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{IF_RANGE, RANGE};
use actix_web::http::{ConnectionType, Method};
use actix_web::{Error, HttpResponse, ResponseError};
use answer::finish;
use cors::Cors;
use futures_util::future::Either;
use pin_project_lite::pin_project;
use prometheus::IntCounterVec;
use rules::Refusal;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The outermost middleware.
#[derive(Debug, Clone)]
pub struct Edge {
    rules: Arc<Rules>,
    refused: IntCounterVec,
}

impl Edge {
    /// Checks requests by `rules`, and counts those that are refused by reason.
    #[must_use]
    pub fn new(rules: Rules, refused: &IntCounterVec) -> Self {
        Self {
            rules: Arc::new(rules),
            refused: refused.clone(),
        }
    }
}

impl<S> Transform<S, ServiceRequest> for Edge
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Transform = AtEdge<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(AtEdge {
            service,
            edge: Rc::new(self.clone()),
        }))
    }
}

/// The service that [`Edge`] wraps around another.
#[derive(Debug)]
pub struct AtEdge<S> {
    service: S,
    edge: Rc<Edge>,
}

impl<S> Service<ServiceRequest> for AtEdge<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = Either<Ready<Result<ServiceResponse, Error>>, Finishing<S::Future>>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let Edge { rules, refused } = &*self.edge;
        let cors = Cors::of(rules.origins(), request.headers());
        let is_head = request.method() == Method::HEAD;
        let answer = match rules.check(request.head()) {
            Err(refusal) => Some(refuse(refusal, refused)),
            Ok(()) if cors.is_preflight(request.head()) => Some(cors::preflight(request.headers())),
            Ok(()) => None,
        };
        if let Some(answer) = answer {
            let connection = request.conn_data::<Rc<Connection>>();
            let is_surplus = connection.is_some_and(|connection| connection.is_surplus());
            let mut answer = finish(request.into_response(answer), is_head, &cors);
            if is_surplus {
                let head = answer.response_mut().head_mut();
                head.set_connection_type(ConnectionType::Close);
            }
            return Either::Left(ready(Ok(answer)));
        }
        if is_head {
            ask_as_get(&mut request);
        }
        Either::Right(Finishing {
            answering: self.service.call(request),
            is_head,
            cors,
        })
    }
}

fn refuse(refusal: Refusal, refused: &IntCounterVec) -> HttpResponse {
    let reason = refusal.reason();
    refused.with_label_values(&[reason]).inc();
    let problem = Problem::from(refusal);
    let status = problem.status_code().as_u16();
    tracing::debug!(reason, status, "a request was refused");
    problem.error_response()
}

/// Turns a HEAD into a GET, so that every path with GET also has HEAD. Ranges apply to GET only (RFC 9110, section 14.2).
fn ask_as_get(request: &mut ServiceRequest) {
    request.head_mut().method = Method::GET;
    for name in [RANGE, IF_RANGE] {
        if request.headers().contains_key(&name) {
            request.headers_mut().remove(name);
        }
    }
}

pin_project! {
    /// A request that is being answered.
    #[derive(Debug)]
    pub struct Finishing<F> {
        #[pin]
        answering: F,
        is_head: bool,
        cors: Cors,
    }
}

impl<F> Future for Finishing<F>
where
    F: Future<Output = Result<ServiceResponse<BoxBody>, Error>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.answering.poll(context).map(|answered| match answered {
            Ok(response) => Ok(finish(response, *this.is_head, this.cors)),
            Err(error) => Err(answer::finish_error(error, *this.is_head, this.cors)),
        })
    }
}
