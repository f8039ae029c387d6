//! A client's connection: one descriptor for the server's reads and writes, and for handlers that ask whether the client is still there.
//!
//! These bounds hold here, below HTTP. A client that does not read is cut off after a time. While its answers wait, no further request
//! of it is read, so pipelined requests do not pile up answers. One turn reads a bounded number of bytes, so a client that pipelines
//! leaves the thread to the others in between. A connection on which no request begins or ends, and nothing is written, for too long is
//! closed, whether the client is idle or does not finish the head of a request.

use crate::runtime::OpenConnection;
use prometheus::IntCounter;
use socket2::SockRef;
use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep};

/// Bytes that are read in one turn.
const TURN: usize = 16 * 1024;

/// How long the requests of a connection may take in one turn before the next has to wait for another.
const MOST_SPENT: Duration = Duration::from_millis(1);

/// The state of a connection that handlers can read.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    /// Whether the server has read the end of the client's stream.
    is_closed: Cell<bool>,
    closing: Notify,
    /// Whether the connection exceeds the number that the service serves, so that it is only refused.
    is_surplus: bool,
    /// The time that requests took which were answered in this turn.
    spent: Cell<Duration>,
    /// Whether a request is being handled.
    is_busy: Cell<bool>,
    /// Whether a request began or was answered, or something was written, since the last check.
    is_active: Cell<bool>,
    _open: OpenConnection,
}

/// Whether a client has closed its side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is open.
    Here,
    /// It is closed.
    Gone,
    /// Unknown: the client has sent data that the server has not read yet, and the end may follow.
    Unread,
}

impl Connection {
    /// Wraps an accepted socket.
    #[must_use]
    pub fn new(socket: TcpStream, open: OpenConnection, is_surplus: bool) -> Rc<Self> {
        Rc::new(Self {
            socket,
            is_closed: Cell::new(false),
            closing: Notify::new(),
            is_surplus,
            spent: Cell::new(Duration::ZERO),
            is_busy: Cell::new(false),
            is_active: Cell::new(false),
            _open: open,
        })
    }

    /// Returns whether the connection exceeds the number that the service serves.
    #[must_use]
    pub const fn is_surplus(&self) -> bool {
        self.is_surplus
    }

    /// Records that a request is being handled, or was answered.
    pub(super) fn set_busy(&self, is_busy: bool) {
        self.is_busy.set(is_busy);
        self.is_active.set(true);
    }

    /// Yields to the thread's other tasks if this connection has used its time in this turn. Otherwise all pipelined requests of one
    /// client would be answered before those of any other client.
    pub(super) async fn turn(&self) {
        if self.spent.get() >= MOST_SPENT {
            yield_now().await;
        }
    }

    /// Records how long a request took.
    pub(super) fn spend(&self, time: Duration) {
        self.spent.set(self.spent.get().saturating_add(time));
    }

    /// Resolves when the server has read the end of the client's stream.
    pub(super) async fn closed(&self) {
        let closing = self.closing.notified();
        if !self.is_closed.get() {
            closing.await;
        }
    }

    /// Peeks at the socket without reading from it.
    pub(super) fn presence(&self) -> Presence {
        if self.is_closed.get() {
            return Presence::Gone;
        }
        match SockRef::from(&self.socket).peek(&mut [MaybeUninit::uninit()]) {
            Ok(0) => Presence::Gone,
            Ok(_) => Presence::Unread,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Presence::Here,
            Err(_broken) => Presence::Gone,
        }
    }

    fn note_end(&self) {
        self.is_closed.set(true);
        self.closing.notify_waiters();
    }
}

/// How long the server waits for clients.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// The time within which a client has to read one buffer of the server.
    pub write: Duration,
    /// The time within which a request has to begin or end, or a piece of an answer to be written. The connection is closed after one to
    /// two times this.
    pub idle: Duration,
    /// Counts the clients that did not read.
    pub unread: IntCounter,
}

/// The stream of a connection that the server reads and writes.
#[derive(Debug)]
pub struct Stream {
    connection: Rc<Connection>,
    timeouts: Timeouts,
    /// When the next check for an idle connection is due.
    idle: Pin<Box<Sleep>>,
    /// Whether the timer `idle` has been polled, and so wakes the server.
    is_idle_awaited: bool,
    /// Set while bytes wait for the client to read: the time at which the connection is closed.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Whether a read was postponed for that reason.
    is_held_back: bool,
    /// Bytes read in this turn.
    read: usize,
}

impl Stream {
    /// The server's side of a connection.
    #[must_use]
    pub fn new(connection: Rc<Connection>, timeouts: Timeouts) -> Self {
        Self {
            connection,
            idle: Box::pin(sleep(timeouts.idle)),
            timeouts,
            is_idle_awaited: false,
            stalled: None,
            is_held_back: false,
            read: 0,
        }
    }

    /// Returns the state that handlers can read.
    #[must_use]
    pub const fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// Waits for the client to read on, for a time.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let timeout = self.timeouts.write;
        let deadline = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(deadline.as_mut().poll(cx));
        self.timeouts.unread.inc();
        // What the kernel holds for this client is discarded with the connection.
        let _ = self.connection.socket.set_zero_linger();
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client does not read"))
    }

    /// Waits for something to read, unless no request has begun or ended for too long.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        // Usually one atomic read: the timer is polled once per period, because it always wakes the same task.
        while self.idle.is_elapsed() || !self.is_idle_awaited {
            if self.idle.as_mut().poll(cx).is_pending() {
                self.is_idle_awaited = true;
                return Poll::Pending;
            }
            if !self.connection.is_active.take() && !self.connection.is_busy.get() {
                return Poll::Ready(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client is idle, or does not end its request",
                ));
            }
            let next = Instant::now() + self.timeouts.idle;
            self.idle.as_mut().reset(next);
            self.is_idle_awaited = false;
        }
        Poll::Pending
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // The server begins each of its turns with this.
        self.connection.spent.set(Duration::ZERO);
        if self.stalled.is_some() {
            self.is_held_back = true;
            return Poll::Pending;
        }
        if self.read >= TURN {
            self.read = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let connection = Rc::clone(&self.connection);
        let socket = &connection.socket;
        loop {
            if socket.poll_read_ready(cx)?.is_pending() {
                self.read = 0;
                return self.poll_idle(cx).map(Err);
            }
            let room = buffer.remaining();
            match socket.try_read_buf(buffer) {
                Ok(0) if room > 0 => connection.note_end(),
                Ok(count) => {
                    self.read += count;
                    if count < room {
                        // The socket is empty. Noting it saves the read that would find that out; nothing is lost, because whatever
                        // arrives from now on is reported to this same thread later.
                        let _: io::Result<()> =
                            socket.try_io(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => {
                    // The server continues with a request that came before a reset.
                    connection.note_end();
                    return Poll::Ready(Err(error));
                }
            }
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            if self.connection.socket.poll_write_ready(cx)?.is_pending() {
                return self.poll_stalled(cx).map(Err);
            }
            match self.connection.socket.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.connection.is_active.set(true);
                    return Poll::Ready(written);
                }
            }
        }
    }

    /// Called when the server's buffer is empty.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stalled.take().is_some() && self.is_held_back {
            self.is_held_back = false;
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&self.connection.socket).shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Connections;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    /// Both sides of a connection.
    async fn pair(write: Duration, idle: Duration) -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let connection = Connection::new(socket, Connections::default().open(), false);
        let unread = IntCounter::new("unread", "unread").unwrap();
        (Stream::new(connection, Timeouts { write, idle, unread }), client)
    }

    const LONG: Duration = Duration::from_mins(1);
    const SHORT: Duration = Duration::from_millis(50);

    #[actix_web::test]
    async fn data_is_read_and_handlers_see_the_end_of_the_stream() {
        let (mut stream, mut client) = pair(LONG, LONG).await;
        let connection = Rc::clone(stream.connection());
        assert_eq!(connection.presence(), Presence::Here);
        client.write_all(b"one").await.unwrap();
        let mut buffer = [0; 8];
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 3);
        client.write_all(b"two").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 3);
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
        timeout(LONG, connection.closed()).await.unwrap();
        assert_eq!(connection.presence(), Presence::Gone);
    }

    #[actix_web::test]
    async fn a_client_that_does_not_read_is_not_read_from_and_then_disconnected() {
        let (mut stream, mut client) = pair(SHORT, LONG).await;
        client.write_all(b"more").await.unwrap();
        let much = vec![0; 64 * 1024 * 1024];
        let error = stream.write_all(&much).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(stream.timeouts.unread.get(), 1);
        let held_back = timeout(SHORT, stream.read(&mut [0; 8])).await;
        assert!(held_back.is_err());
    }

    #[actix_web::test]
    async fn reading_continues_once_the_client_has_read() {
        let (mut stream, client) = pair(LONG, LONG).await;
        let (mut from_server, mut to_server) = client.into_split();
        to_server.write_all(b"more").await.unwrap();
        let much = vec![0; 16 * 1024 * 1024];
        let length = much.len();
        let reading = async {
            let mut rest = vec![0; length];
            from_server.read_exact(&mut rest).await.unwrap();
        };
        let serving = async {
            stream.write_all(&much).await.unwrap();
            stream.flush().await.unwrap();
            let mut buffer = [0; 8];
            assert_eq!(stream.read(&mut buffer).await.unwrap(), 4);
        };
        timeout(LONG, async { tokio::join!(reading, serving) }).await.unwrap();
    }

    #[actix_web::test]
    async fn a_connection_on_which_no_request_ends_is_closed() {
        let (mut stream, mut client) = pair(LONG, SHORT).await;
        client.write_all(b"GET / HT").await.unwrap();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 8);
        // Single bytes do not count as progress.
        let trickling = async {
            while client.write_all(b"T").await.is_ok() {
                sleep(SHORT / 10).await;
            }
        };
        let reading = async {
            loop {
                if let Err(error) = stream.read(&mut [0; 64]).await {
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    break;
                }
            }
            drop(stream);
        };
        timeout(LONG, async { tokio::join!(trickling, reading) }).await.unwrap();
    }

    #[actix_web::test]
    async fn a_slow_request_keeps_its_connection() {
        let (mut stream, mut client) = pair(LONG, SHORT).await;
        stream.connection().set_busy(true);
        let read = timeout(SHORT * 6, stream.read(&mut [0; 8])).await;
        assert!(read.is_err(), "it waits");
        stream.connection().set_busy(false);
        client.write_all(b"next").await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 4);
        // But not forever.
        assert!(timeout(LONG, stream.read(&mut [0; 8])).await.unwrap().is_err());
    }

    #[actix_web::test]
    async fn one_turn_reads_a_bounded_number_of_bytes() {
        let (mut stream, mut client) = pair(LONG, LONG).await;
        client.write_all(&vec![0; 4 * TURN]).await.unwrap();
        let mut read = 0;
        while read < 4 * TURN {
            let mut in_turn = 0;
            // Like the server: reads until there is no more data.
            poll_fn(|cx| {
                loop {
                    let mut bytes = [0; 4_096];
                    let mut buffer = ReadBuf::new(&mut bytes);
                    match Pin::new(&mut stream).poll_read(cx, &mut buffer) {
                        Poll::Ready(read) => read.unwrap(),
                        Poll::Pending if in_turn > 0 => return Poll::Ready(()),
                        Poll::Pending => return Poll::Pending,
                    }
                    in_turn += buffer.filled().len();
                }
            })
            .await;
            assert!(in_turn < TURN + 4_096, "{in_turn}");
            read += in_turn;
        }
    }
}
