use crate::runtime::Phases;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::ConnectionType;
use futures_util::TryFutureExt;
use futures_util::future::{Either, MapOk};
use std::future::{Ready, ready};

/// Middleware that closes connections while the service stops, so that clients open their next connection to another instance.
#[derive(Debug, Clone)]
pub struct CloseWhenStopping(pub Phases);

impl<S, B> Transform<S, ServiceRequest> for CloseWhenStopping
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = Closing<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Closing {
            service,
            phases: self.0.clone(),
        }))
    }
}

/// The service that [`CloseWhenStopping`] wraps around another.
#[derive(Debug)]
pub struct Closing<S> {
    service: S,
    phases: Phases,
}

impl<S, B> Service<ServiceRequest> for Closing<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Either<S::Future, MapOk<S::Future, fn(ServiceResponse<B>) -> ServiceResponse<B>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let answering = self.service.call(request);
        if self.phases.is_stopping() {
            Either::Right(answering.map_ok(close))
        } else {
            Either::Left(answering)
        }
    }
}

fn close<B>(mut response: ServiceResponse<B>) -> ServiceResponse<B> {
    response
        .response_mut()
        .head_mut()
        .set_connection_type(ConnectionType::Close);
    response
}
