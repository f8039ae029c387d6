//! Server-sent events (HTML standard, section 9.2.6).

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderValue, VARY};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::convert::Infallible;
use std::fmt::Write;

/// The media type of a stream of events.
pub const EVENT_STREAM: &str = "text/event-stream";

/// Events of a stream, encoded to be sent together.
#[derive(Debug, Default)]
pub struct ServerEvents(String);

impl ServerEvents {
    /// Adds an event. No part may contain a line break; JSON has none.
    pub fn push(&mut self, id: Option<&str>, kind: &str, data: &str) {
        // Writing to a string does not fail.
        if let Some(id) = id {
            let _ = writeln!(self.0, "id: {id}");
        }
        let _ = write!(self.0, "event: {kind}\ndata: {data}\n\n");
    }

    /// Adds an empty comment: proxies close a connection on which nothing is sent.
    pub fn push_comment(&mut self) {
        self.0.push_str(":\n\n");
    }

    /// Returns the number of bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is nothing to send.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Answers with a stream of encoded events.
    pub fn answer(chunks: impl Stream<Item = Bytes> + 'static) -> HttpResponse {
        HttpResponse::Ok()
            .content_type(EVENT_STREAM)
            .insert_header((VARY, HeaderValue::from_static("accept")))
            .streaming(chunks.map(Ok::<_, Infallible>))
    }
}

impl AsRef<[u8]> for ServerEvents {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
