use super::{Connection, HttpMetrics, Problem};
use crate::runtime::{caught, failpoint_of};
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use futures_util::future::LocalBoxFuture;
use prometheus::Histogram;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// Middleware of one route: measures its requests, counts those answered with 400 and above by status, and logs each at debug.
///
/// Each route has an instance with its own name, because to ask the router for the matched pattern costs more than everything else here.
#[derive(Debug, Clone)]
pub struct Observe {
    route: &'static str,
    seconds: Histogram,
    metrics: Arc<HttpMetrics>,
}

impl Observe {
    /// Observes the route called `route`.
    #[must_use]
    pub fn new(metrics: &Arc<HttpMetrics>, route: &'static str) -> Self {
        Self {
            route,
            seconds: metrics.request_seconds.with_label_values(&[route]),
            metrics: Arc::clone(metrics),
        }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Observe
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<B>;
    type Error = actix_web::Error;
    type Transform = Observed<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Observed {
            service,
            observe: Rc::new(self.clone()),
        }))
    }
}

/// The service that [`Observe`] wraps around another.
#[derive(Debug)]
pub struct Observed<S> {
    service: S,
    // One counter per worker, because a shared one would be contended at every request.
    observe: Rc<Observe>,
}

impl<S, B> Service<ServiceRequest> for Observed<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<B>;
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let start = Instant::now();
        let observe = Rc::clone(&self.observe);
        let connection = request.conn_data::<Rc<Connection>>().cloned();
        let handling = self.service.call(request);
        Box::pin(async move {
            // Without an answer the client would see only a broken connection, and not that the service caused it.
            let handling = async {
                if let Some(connection) = &connection {
                    connection.turn().await;
                }
                failpoint_of("http", observe.route);
                handling.await
            };
            let response = caught(observe.route, handling).await;
            let response = response.unwrap_or_else(|panicked| Err(Problem::internal(&panicked).into()));
            let elapsed = start.elapsed();
            if let Some(connection) = &connection {
                connection.spend(elapsed);
            }
            let status = match &response {
                Ok(response) => response.status(),
                Err(error) => error.as_response_error().status_code(),
            };
            observe.seconds.observe(elapsed.as_secs_f64());
            if status.as_u16() >= 400 {
                observe
                    .metrics
                    .request_errors
                    .with_label_values(&[observe.route, status.as_str()])
                    .inc();
            }
            // Neither path nor query, because they contain ids and coordinates.
            tracing::debug!(route = observe.route, status = status.as_u16(), ?elapsed, "request");
            response
        })
    }
}
