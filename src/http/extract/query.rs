use super::super::Problem;
use super::Argument;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};

/// Any query string, which is not looked at; for pages and probes, whose callers add parameters of their own.
#[derive(Debug, Clone, Copy)]
pub struct AnyQuery;

impl FromRequest for AnyQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(_request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Ok(Self))
    }
}

impl Argument for AnyQuery {
    const READS_QUERY: bool = true;
}
