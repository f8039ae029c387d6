use super::Problem;
use crate::runtime::Undelivered;
use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use std::any::Any;
use std::future::pending;
use std::io;
use std::net::TcpStream as Handle;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long to wait for what is known of a connection whose next request was sent already.
const LOOK: Duration = Duration::from_millis(2);

/// A second handle to the connection that a request came by.
#[derive(Debug)]
struct Connection(Handle);

/// Keeps a handle to a new connection for [`client_gone`] and [`deliver`]; for `HttpServer::on_connect`.
///
/// A handler that waits is not told by the server that its client has closed: that may have closed its own side only, and
/// read on. Made to forbid that, the server would also drop good requests that garbage follows on the same connection.
pub fn remember_connection(io: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = io.downcast_ref::<TcpStream>()
        && let Ok(handle) = stream.as_fd().try_clone_to_owned()
    {
        data.insert(Connection(Handle::from(handle)));
    }
}

/// Resolves when the client of a request has closed its side of the connection, also where the next request lies on it
/// already; for handlers that wait long. Of a client that has sent more than server and kernel have room for, some hundred
/// kilobytes, nobody knows, and the wait goes on to its end.
pub async fn client_gone(request: &HttpRequest) {
    let watched = request
        .conn_data()
        .and_then(|Connection(handle)| TcpStream::from_std(handle.try_clone().ok()?).ok());
    let Some(stream) = watched else {
        return pending().await;
    };
    // That it is closed is told beside that there is something to read, so what lies there is left to the server. An error
    // is an end as well.
    while let Ok(ready) = stream.ready(Interest::READABLE).await {
        if ready.is_read_closed() {
            return;
        }
        // Takes note of what is there, so that the next look waits until something is new.
        let _: io::Result<()> = stream.try_io(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
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
    let Some(Connection(handle)) = request.conn_data() else {
        return false;
    };
    match handle.peek(&mut [0]) {
        Ok(0) => true,
        Ok(_) => timeout(LOOK, client_gone(request)).await.is_ok(),
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}
