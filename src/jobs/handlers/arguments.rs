//! The arguments of handlers that only this slice has.

use super::super::{JobId, Jobs, JobsError};
use super::State;
use super::params::EventId;
use crate::http::{AppData, Argument, EVENT_STREAM, FromBody, PathValue, Problem, asks_for, path_id};
use crate::ids::Id;
use crate::runtime::{apart, takes_long};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use bytes::Bytes;
use std::future::{Ready, ready};

/// The id of a job in a path. A text that cannot be the id of a job is a 404.
impl PathValue for JobId {
    fn read(request: &HttpRequest, name: &str) -> Result<Self, Problem> {
        let id = path_id(request, name)?;
        Self::parse(&id).ok_or_else(|| JobsError::Unknown.into())
    }
}

/// A body of jobs, settlements or a schedule, which the handler parses: a large one on another thread.
#[derive(Debug)]
pub struct LargeBody<const MAX_BYTES: usize>(Bytes);

impl<const MAX_BYTES: usize> FromBody for LargeBody<MAX_BYTES> {
    const MAX_BYTES: usize = MAX_BYTES;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        Ok(Self(body.clone()))
    }
}

impl<const MAX_BYTES: usize> LargeBody<MAX_BYTES> {
    /// Parses and checks the body: a large one on another thread, so that the worker can serve other requests.
    pub(super) async fn parse<T: Send + 'static>(
        self,
        state: &State,
        queue: &Id,
        parse: impl FnOnce(&Jobs, &Id, &[u8]) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let Self(body) = self;
        if !takes_long(body.len()) {
            return parse(&state.jobs, queue, &body);
        }
        let (jobs, queue) = (state.jobs.clone(), queue.clone());
        apart(body.len(), move || parse(&jobs, &queue, &body)).await?
    }
}

/// `Last-Event-ID`, which the client of an event stream sends when it reconnects. A request for a page ignores it.
#[derive(Debug)]
pub struct LastEventId(pub(super) Option<EventId>);

impl FromRequest for LastEventId {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let header = request.headers().get("last-event-id");
        let header = header.filter(|_| asks_for(request, EVENT_STREAM));
        let id = header.map(|value| EventId::parse("last-event-id", value.to_str().unwrap_or_default()));
        ready(id.transpose().map(Self))
    }
}

impl Argument for LastEventId {}
