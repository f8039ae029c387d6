use super::Problem;
use super::connection::{Connection, Presence};
use crate::runtime::Undelivered;
use actix_web::HttpRequest;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

/// How long to wait for what is known of a connection whose next request was sent already.
const LOOK: Duration = Duration::from_millis(2);

/// Resolves when the client of a request has closed its side of the connection, also where the next request lies on it
/// already; for handlers that wait long. The server itself goes on with the handler, because a client may close its own side only, and
/// read on. If a client has sent more than the server buffers, some hundred kilobytes, the end of the stream behind that is not detected,
/// and the handler waits for its full time.
pub async fn client_gone(request: &HttpRequest) {
    match request.conn_data::<Rc<Connection>>() {
        Some(connection) => connection.closed().await,
        None => pending().await,
    }
}

/// Hands something out, unless its client has closed its side of the connection by now: then it is given back. To be the last thing
/// that a handler does. A client that resets its connection needs no look: the server drops the handler, and with it what was not
/// delivered.
///
/// # Errors
/// [`Problem`] for the log: nobody reads it.
pub async fn deliver<T>(request: &HttpRequest, given: Undelivered<T>) -> Result<T, Problem> {
    if has_gone(request).await {
        return Err(gone());
    }
    Ok(given.deliver())
}

/// The answer to a client that has gone.
#[must_use]
pub fn gone() -> Problem {
    Problem::timed_out("the client has gone")
}

async fn has_gone(request: &HttpRequest) -> bool {
    let Some(connection) = request.conn_data::<Rc<Connection>>() else {
        return false;
    };
    match connection.presence() {
        Presence::Here => false,
        Presence::Gone => true,
        // The server reads it while this waits.
        Presence::Unread => timeout(LOOK, connection.closed()).await.is_ok(),
    }
}
