use super::super::Problem;
use super::Argument;
use crate::kind::Kind;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};

/// The kind of entity of a path with `{kind}`, as [`mount`](crate::http::mount) records it.
impl FromRequest for Kind {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let kind = request.app_data().copied();
        ready(kind.ok_or_else(|| Problem::internal(&"a handler takes a kind of entity, but its path has none")))
    }
}

impl Argument for Kind {}
