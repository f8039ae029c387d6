use super::super::{AnswerLimit, Answers, Problem, asks_for};
use super::Argument;
use crate::runtime::{Budget, Room};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};

/// What an answer depends on: the media types that the client accepts, and the memory for answers. For handlers of lists and of other large answers.
#[derive(Debug, Clone)]
pub struct AnswerContext(HttpRequest);

impl AnswerContext {
    /// Returns whether the client prefers a media type to JSON.
    #[must_use]
    pub fn prefers(&self, media_type: &str) -> bool {
        asks_for(&self.0, media_type)
    }

    /// Returns the largest size of an answer that is a list, bytes.
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        AnswerLimit::of(&self.0)
    }

    /// Returns the memory for answers.
    #[must_use]
    pub fn memory(&self) -> Option<&Budget> {
        Answers::of(&self.0)
    }

    /// Returns room for the answer while it is written: see [`Answers::room`].
    #[must_use]
    pub fn room(&self) -> Option<Room> {
        Answers::room(&self.0)
    }

    /// Takes room for an answer of at most `bytes`: see [`Answers::reserve`].
    ///
    /// # Errors
    /// 503 if that much memory is not free.
    pub fn reserve(&self, bytes: usize) -> Result<Option<Room>, Problem> {
        Answers::reserve(&self.0, bytes)
    }

    /// Checks that memory for a large answer is left: see [`Answers::check`].
    ///
    /// # Errors
    /// 503 if too little is free.
    pub fn check(&self) -> Result<(), Problem> {
        Answers::check(&self.0)
    }
}

impl FromRequest for AnswerContext {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.clone())))
    }
}

impl Argument for AnswerContext {}

/// The same for a call that changes nothing and whose answer may always be large: it is a 503 if too little memory is free. As an
/// argument before the body, it refuses the call before the body is read.
#[derive(Debug)]
pub struct LargeAnswer(pub AnswerContext);

impl FromRequest for LargeAnswer {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let answer = AnswerContext(request.clone());
        ready(answer.check().map(|()| Self(answer)))
    }
}

impl Argument for LargeAnswer {}
