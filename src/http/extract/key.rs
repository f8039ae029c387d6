use super::super::{Problem, idempotency_key, no_idempotency_key};
use super::Argument;
use crate::ids::ExternalId;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};

/// The `Idempotency-Key`, if the request has one. A `POST` that is not idempotent and does not take this argument refuses it.
#[derive(Debug)]
pub struct IdempotencyKey(pub Option<ExternalId>);

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(idempotency_key(request).map(Self))
    }
}

impl Argument for IdempotencyKey {
    const READS_KEY: bool = true;
}

/// For a call whose body decides whether it is idempotent: refuses an `Idempotency-Key` once that is known.
#[derive(Debug)]
pub struct UnreadKey(Result<(), Problem>);

impl UnreadKey {
    /// Refuses the key, because the call is not idempotent.
    ///
    /// # Errors
    /// 422 if the request has an `Idempotency-Key`.
    pub fn refuse(self) -> Result<(), Problem> {
        self.0
    }
}

impl FromRequest for UnreadKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Ok(Self(no_idempotency_key(request))))
    }
}

impl Argument for UnreadKey {
    const READS_KEY: bool = true;
}
