//! A small keep-alive HTTP/1.1 client for `http://` and `https://` URLs: one connection, one request at a time.
//!
//! It is our own because the load generator shares the cores of a machine with the server that it measures: every microsecond spent here
//! distorts the measurement, and a general client does more than is needed here. A request is one `write`, its answer
//! typically one `read`, and neither allocates once the buffers have grown to their working size.

mod deadline;
mod endpoint;
mod error;
mod response;
mod stream;

pub use endpoint::Endpoint;
pub use error::ClientError;

use deadline::Deadline;
use response::{Head, Progress, parse};
use std::io;
use std::time::Duration;
use stream::Stream;

/// Room for an answer before the buffer grows; most answers of the service fit.
const INITIAL_BUFFER: usize = 16 * 1024;

/// The limits of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest wait for a connection, and for an answer from the moment its request is sent.
    pub timeout: Duration,
    /// The largest answer, head and body, in bytes.
    pub max_response: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            max_response: 16 * 1024 * 1024,
        }
    }
}

/// An answer; its body is in the buffer of the client until the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// The status code.
    pub status: u16,
    /// The body without its transfer coding.
    pub body: &'a [u8],
}

impl Response<'_> {
    /// Returns whether the status is a 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// One connection to a server, opened when it is needed first, and again after it was closed.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    limits: Limits,
    stream: Option<Stream>,
    buffer: Vec<u8>,
    deadline: Deadline,
}

impl Client {
    /// Creates a client that has no connection yet.
    #[must_use]
    pub fn new(endpoint: Endpoint, limits: Limits) -> Self {
        Self {
            endpoint,
            limits,
            stream: None,
            buffer: Vec::new(),
            deadline: Deadline::default(),
        }
    }

    /// Returns the server.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Opens the connection unless it is open.
    ///
    /// # Errors
    /// [`ClientError::Connect`] or [`ClientError::Timeout`].
    pub async fn connect(&mut self) -> Result<(), ClientError> {
        if self.stream.is_none() {
            self.deadline.start(self.limits.timeout);
            let stream = self
                .deadline
                .guard(Stream::open(&self.endpoint))
                .await
                .ok_or(ClientError::Timeout)??;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Sends a request, already encoded with all its headers, and reads the answer.
    ///
    /// A connection that was closed before a byte of the answer arrived is opened again, and the request is sent a second
    /// time: a server may close an idle connection at any time. All requests of this crate can be sent twice (the
    /// service keeps the newest fix, however often each arrives).
    ///
    /// # Errors
    /// [`ClientError`]; after any of them the next request opens a connection of its own.
    pub async fn send(&mut self, request: &[u8]) -> Result<Response<'_>, ClientError> {
        let reused = self.stream.is_some();
        let head = match self.exchange(request).await {
            Err(ClientError::Closed) if reused => self.exchange(request).await?,
            other => other?,
        };
        Ok(Response {
            status: head.status,
            body: &self.buffer[head.body],
        })
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Head, ClientError> {
        self.connect().await?;
        // Taken out, and put back only if the answer is complete and the connection may stay open. In every other case,
        // also if the caller drops this future, it is closed, so that no answer is read as that of another request.
        let Some(mut stream) = self.stream.take() else {
            return Err(ClientError::Closed);
        };
        self.deadline.start(self.limits.timeout);
        let (buffer, max) = (&mut self.buffer, self.limits.max_response);
        let head = self
            .deadline
            .guard(async {
                stream.write_all(request).await.map_err(ClientError::from_io)?;
                read_answer(&mut stream, buffer, max).await
            })
            .await
            .ok_or(ClientError::Timeout)??;
        if head.keep_alive {
            self.stream = Some(stream);
        }
        Ok(head)
    }
}

async fn read_answer(stream: &mut Stream, buffer: &mut Vec<u8>, max: usize) -> Result<Head, ClientError> {
    let (mut filled, mut progress) = (0, Progress::default());
    loop {
        if filled == buffer.len() {
            if filled >= max {
                return Err(ClientError::TooLarge(max));
            }
            buffer.resize((filled * 2).clamp(INITIAL_BUFFER.min(max), max), 0);
        }
        let got = match stream.read(&mut buffer[filled..]).await {
            Ok(got) => got,
            Err(error) if filled == 0 => return Err(ClientError::from_io(error)),
            Err(error) => return Err(ClientError::Io(error)),
        };
        if got == 0 {
            return match progress.finish_at_end(filled) {
                Some(head) => Ok(head),
                None if filled == 0 => Err(ClientError::Closed),
                None => Err(ClientError::Io(io::ErrorKind::UnexpectedEof.into())),
            };
        }
        filled += got;
        if let Some(head) = parse(&mut buffer[..filled], &mut progress, max)? {
            return Ok(head);
        }
    }
}

#[cfg(test)]
mod tests;
