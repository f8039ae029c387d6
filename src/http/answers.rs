use super::Problem;
use super::connection::Connection;
use crate::runtime::{Budget, Room};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::{ConnectionType, Method};
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};
use bytes::Bytes;
use pin_project_lite::pin_project;
use std::error::Error as StdError;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready as ready_or_pending};

/// Bytes of an answer that are passed to the server at once. The server copies them, so this bounds the memory that a client that does
/// not read takes in addition to the answer itself.
const PIECE: usize = 32 * 1024;

/// Bytes of the memory for answers that must be free before a call with a possibly large answer is executed.
const LEAST: usize = 256 * 1024;

/// The memory for answers that clients have not read yet; application data.
#[derive(Debug, Clone)]
pub struct Answers(pub Budget);

impl Answers {
    /// Returns the memory for answers of the application that serves a request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Option<&Budget> {
        request.app_data().map(|Self(budget)| budget)
    }

    /// Returns room for an answer while it is written. It takes no memory yet.
    #[must_use]
    pub fn room(request: &HttpRequest) -> Option<Room> {
        Self::of(request).map(Budget::room)
    }

    /// Checks that memory is left for a large answer, before a call that changes nothing is executed.
    ///
    /// # Errors
    /// 503 if too little memory is free.
    pub fn check(request: &HttpRequest) -> Result<(), Problem> {
        match Self::of(request) {
            Some(budget) if budget.left() < LEAST => Err(budget.spent().into()),
            _ => Ok(()),
        }
    }

    /// Takes room for an answer of at most `bytes`, for a call that must not be refused once it is executed. A small answer takes none.
    ///
    /// # Errors
    /// 503 if that much memory is not free.
    pub fn reserve(request: &HttpRequest, bytes: usize) -> Result<Option<Room>, Problem> {
        match Self::of(request) {
            Some(budget) if bytes > PIECE => Ok(Some(budget.share(bytes, bytes)?)),
            _ => Ok(None),
        }
    }

    /// Attaches reserved room to its answer. Unused room is released.
    #[must_use]
    pub fn counted(mut answer: HttpResponse, room: Option<Room>) -> HttpResponse {
        if let (Some(room), BodySize::Sized(size)) = (room, answer.body().size())
            && size > PIECE as u64
        {
            answer.extensions_mut().insert(room);
        }
        answer
    }
}

/// The largest size of an answer that is a list, bytes; application data.
#[derive(Debug, Clone, Copy)]
pub struct AnswerLimit(pub usize);

impl Default for AnswerLimit {
    fn default() -> Self {
        Self(4 * 1024 * 1024)
    }
}

impl AnswerLimit {
    /// Returns the limit of the application that serves a request, bytes.
    #[must_use]
    pub fn of(request: &HttpRequest) -> usize {
        let Self(bytes) = request.app_data().copied().unwrap_or_default();
        bytes
    }
}

/// Middleware directly inside `Edge`: bounds the memory of all answers that clients have not read yet, sends large ones in pieces, and
/// refuses requests on surplus connections.
#[derive(Debug, Clone)]
pub struct BoundAnswers(pub Answers);

impl<S, B> Transform<S, ServiceRequest> for BoundAnswers
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Transform = Bounded<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let answers = Rc::new(self.0.clone());
        ready(Ok(Bounded { service, answers }))
    }
}

/// The service that [`BoundAnswers`] wraps around another.
#[derive(Debug)]
pub struct Bounded<S> {
    service: S,
    answers: Rc<Answers>,
}

impl<S, B> Service<ServiceRequest> for Bounded<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = Answering<S::Future>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let connection = request.conn_data::<Rc<Connection>>().cloned();
        if let Some(connection) = &connection {
            if connection.is_surplus() {
                let refused = Some(refusal(request));
                return Answering::Refused { refused };
            }
            connection.set_busy(true);
        }
        Answering::Called {
            connection,
            // The answer to any other call may be the only record of its effect.
            may_refuse: matches!(*request.method(), Method::GET | Method::HEAD),
            answering: self.service.call(request),
            answers: Rc::clone(&self.answers),
        }
    }
}

/// Refuses a request and closes its connection, because more connections are open than the service serves.
fn refusal(request: ServiceRequest) -> ServiceResponse {
    let problem = Problem::unavailable(
        "the maximum number of connections is open; use another instance, or try again",
        1,
    );
    let mut response = request.into_response(problem.error_response());
    let head = response.response_mut().head_mut();
    head.set_connection_type(ConnectionType::Close);
    response
}

pin_project! {
    /// An answer in progress.
    #[project = AnsweringProjection]
    pub enum Answering<F> {
        /// The request was refused.
        Refused { refused: Option<ServiceResponse> },
        /// The inner service is answering.
        Called { #[pin] answering: F, answers: Rc<Answers>, may_refuse: bool, connection: Option<Rc<Connection>> },
    }
}

impl<F, B> Future for Answering<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody + 'static,
{
    type Output = Result<ServiceResponse, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            AnsweringProjection::Refused { refused } => {
                refused.take().map_or(Poll::Pending, |refused| Poll::Ready(Ok(refused)))
            }
            AnsweringProjection::Called {
                answering,
                answers,
                may_refuse,
                connection,
            } => {
                let response = ready_or_pending!(answering.poll(cx));
                if let Some(connection) = connection {
                    connection.set_busy(false);
                }
                Poll::Ready(response.map(|response| answers.bound(response, *may_refuse)))
            }
        }
    }
}

/// Returns whether a path is always answered: health and metrics show operators that no memory is left.
fn is_for_operators(path: &str) -> bool {
    path == "/metrics" || path.starts_with("/health")
}

impl Answers {
    fn bound<B: MessageBody + 'static>(&self, mut response: ServiceResponse<B>, may_refuse: bool) -> ServiceResponse {
        let size = match response.response().body().size() {
            BodySize::Sized(size) if size > PIECE as u64 => usize::try_from(size).unwrap_or(usize::MAX),
            BodySize::Stream => 0,
            BodySize::None | BodySize::Sized(_) => return response.map_into_boxed_body(),
        };
        let taken = response.response_mut().extensions_mut().remove::<Room>();
        let mut room = taken.unwrap_or_else(|| self.0.room());
        if !may_refuse || is_for_operators(response.request().path()) {
            room.resize(size);
        } else if let Err(no_room) = room.try_resize(size) {
            let (request, _dropped) = response.into_parts();
            return ServiceResponse::new(request, Problem::from(no_room).error_response());
        }
        response.map_body(|_, body| {
            let body = body.boxed();
            BoxBody::new(Pieces {
                size: body.size(),
                body,
                rest: Bytes::new(),
                _room: room,
            })
        })
    }
}

/// A body that is sent in pieces.
struct Pieces {
    size: BodySize,
    body: BoxBody,
    rest: Bytes,
    /// Held to the end, because a piece of a buffer keeps the whole buffer. Empty for a stream, whose chunks hold their own room.
    _room: Room,
}

impl MessageBody for Pieces {
    type Error = Box<dyn StdError>;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        while self.rest.is_empty() {
            match ready_or_pending!(Pin::new(&mut self.body).poll_next(cx)) {
                Some(Ok(bytes)) => self.rest = bytes,
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(self.rest.split_to(length))))
    }
}
