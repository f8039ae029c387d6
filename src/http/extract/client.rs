use super::super::gone::client_gone;
use super::super::{Problem, deliver};
use super::Argument;
use crate::runtime::Undelivered;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};

/// The client of a request; for handlers that wait for long, or deliver something that must not be lost.
#[derive(Debug, Clone)]
pub struct Client(HttpRequest);

impl Client {
    /// Resolves when the client has closed its side of the connection, even if its next request has already arrived on it. It is for
    /// handlers that wait for long. The server itself does not stop the handler, because a client may close only its sending side. If a
    /// client has sent more than the server buffers, some hundred kilobytes, the end of the stream after that is not detected, and the
    /// handler waits for its full time.
    pub async fn gone(&self) {
        client_gone(&self.0).await;
    }

    /// Delivers something, unless the client has disconnected: see [`deliver`].
    ///
    /// # Errors
    /// [`Problem`] for the log, if the client has disconnected.
    pub async fn deliver<T>(&self, given: Undelivered<T>) -> Result<T, Problem> {
        deliver(&self.0, given).await
    }
}

impl FromRequest for Client {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.clone())))
    }
}

impl Argument for Client {}
