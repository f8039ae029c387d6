use super::Problem;
use super::connection::{Connection, Presence};
use crate::runtime::Undelivered;
use actix_web::HttpRequest;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

/// How long to wait for the server to read data that the client has sent after its request; the end of the stream may follow them.
const READ_WAIT: Duration = Duration::from_millis(2);

/// Resolves when the client of a request has closed its side of the connection: see [`Client::gone`](super::Client::gone).
pub(super) async fn client_gone(request: &HttpRequest) {
    match request.conn_data::<Rc<Connection>>() {
        Some(connection) => connection.closed().await,
        None => pending().await,
    }
}

/// Delivers something, unless the client has closed its side of the connection: then it is released. A handler has to do this last. A
/// client that resets its connection needs no check, because the server drops the handler, and with it what was not delivered.
///
/// # Errors
/// [`Problem`] for the log, if the client has disconnected.
pub async fn deliver<T>(request: &HttpRequest, given: Undelivered<T>) -> Result<T, Problem> {
    if has_gone(request).await {
        return Err(gone());
    }
    Ok(given.deliver())
}

/// Returns the problem for a client that has disconnected. Only the log and the metrics show it.
#[must_use]
pub fn gone() -> Problem {
    Problem::request_timeout("the client has disconnected")
}

async fn has_gone(request: &HttpRequest) -> bool {
    let Some(connection) = request.conn_data::<Rc<Connection>>() else {
        return false;
    };
    match connection.presence() {
        Presence::Here => false,
        Presence::Gone => true,
        // The server reads it while this waits.
        Presence::Unread => timeout(READ_WAIT, connection.closed()).await.is_ok(),
    }
}
