//! Compresses large answers for clients that accept it.
//!
//! They are compressed while they are sent, a piece at a time, and other requests of the worker run in between. This is outside of the
//! routes and their caches, which keep one plain answer for all clients. A strong entity tag becomes weak, because the bytes differ.

use crate::http::coding::{Coding, preferred_coding};
use crate::runtime::Turn;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, VARY,
};
use actix_web::http::{StatusCode, Version};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use futures_util::future::LocalBoxFuture;
use std::error::Error;
use std::io::{self, Write};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::task::yield_now;

/// Compressing a smaller answer costs more than it saves.
const MIN_BYTES: u64 = 16 * 1024;
/// Bytes that are compressed at once, which takes some 0.3 ms.
const PIECE: usize = 32 * 1024;

/// Compresses an answer if it is large and the client accepts that. `Vary` is set on every answer that may be compressed.
pub(super) fn compress(mut response: ServiceResponse) -> ServiceResponse {
    let is_large = match response.response().body().size() {
        BodySize::Sized(size) => size >= MIN_BYTES,
        BodySize::Stream => true,
        BodySize::None => false,
    };
    if !is_large {
        // It confirms an answer whose size is not known here.
        if response.status() == StatusCode::NOT_MODIFIED {
            vary_on(response.headers_mut(), &ACCEPT_ENCODING);
        }
        return response;
    }
    if !is_compressible(response.headers()) {
        return response;
    }
    vary_on(response.headers_mut(), &ACCEPT_ENCODING);
    let request = response.request();
    // The length is not known beforehand, and HTTP/1.0 has no chunks.
    let coding = preferred_coding(request.headers()).filter(|_| request.version() >= Version::HTTP_11);
    let Some(coding) = coding else {
        return response;
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_ENCODING, coding.header());
    headers.remove(CONTENT_LENGTH);
    weaken_tag(headers);
    response.map_body(|_, body| BoxBody::new(Compressing::new(coding, body)))
}

/// Adds a name to `Vary`, unless it has it.
fn vary_on(headers: &mut HeaderMap, name: &HeaderName) {
    let is_named = headers.get_all(VARY).any(|line| {
        let mut names = line.to_str().unwrap_or_default().split(',').map(str::trim);
        names.any(|named| named == "*" || named.eq_ignore_ascii_case(name.as_str()))
    });
    if !is_named {
        headers.append(VARY, HeaderValue::from(name.clone()));
    }
}

/// Returns whether an answer is complete text that is not compressed. Streams of events are excluded, because events must not be delayed.
fn is_compressible(headers: &HeaderMap) -> bool {
    if headers.contains_key(CONTENT_ENCODING) || headers.contains_key(CONTENT_RANGE) {
        return false;
    }
    let says = |name, word: &str| {
        let mut values = headers
            .get_all(name)
            .filter_map(|value: &HeaderValue| value.to_str().ok());
        values.any(|value| value.contains(word))
    };
    if says(CACHE_CONTROL, "no-transform") {
        return false;
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    match media_type.split_once('/') {
        Some(("text", kind)) => kind != "event-stream",
        Some((_, kind)) => ["json", "javascript", "xml", "ndjson"]
            .iter()
            .any(|text| kind.ends_with(text)),
        None => false,
    }
}

/// Weakens the entity tag: a strong tag identifies the exact bytes (RFC 9110, section 8.8.3).
fn weaken_tag(headers: &mut HeaderMap) {
    let strong = headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""));
    if let Some(weak) = strong.and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok()) {
        headers.insert(ETAG, weak);
    }
}

/// A body that is compressed while it is sent.
struct Compressing {
    body: BoxBody,
    /// The rest of the latest chunk of the body.
    chunk: Bytes,
    state: State,
    coding: Coding,
    /// Set while the next piece waits for the turn of this answer, and for other tasks of the thread.
    turn: Option<LocalBoxFuture<'static, Option<Turn>>>,
}

enum State {
    /// Nothing is compressed yet; an answer to HEAD stays so.
    Before,
    Under(Encoder),
    Over,
}

impl Compressing {
    const fn new(coding: Coding, body: BoxBody) -> Self {
        Self {
            body,
            chunk: Bytes::new(),
            state: State::Before,
            coding,
            turn: None,
        }
    }

    fn encoder(&mut self) -> Option<&mut Encoder> {
        if matches!(self.state, State::Before) {
            self.state = State::Under(Encoder::new(self.coding));
        }
        match &mut self.state {
            State::Under(encoder) => Some(encoder),
            State::Before | State::Over => None,
        }
    }
}

impl MessageBody for Compressing {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        loop {
            if matches!(this.state, State::Over) {
                return Poll::Ready(None);
            }
            if this.chunk.is_empty() {
                match ready!(Pin::new(&mut this.body).poll_next(context)) {
                    Some(Ok(chunk)) => this.chunk = chunk,
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {
                        this.encoder();
                        return Poll::Ready(match mem::replace(&mut this.state, State::Over) {
                            State::Under(encoder) => Some(encoder.finish().map_err(Into::into)),
                            State::Before | State::Over => None,
                        });
                    }
                }
                continue;
            }
            let turn = this.turn.get_or_insert_with(|| Box::pin(next_turn()));
            let _turn = ready!(turn.as_mut().poll(context));
            this.turn = None;
            let piece = this.chunk.split_to(this.chunk.len().min(PIECE));
            let compressed = match this.encoder() {
                Some(encoder) => encoder.compress(&piece),
                None => return Poll::Ready(None),
            };
            match compressed {
                Ok(compressed) if compressed.is_empty() => {}
                compressed => return Poll::Ready(Some(compressed.map_err(Into::into))),
            }
        }
    }
}

/// Waits for a turn for one piece. If too many calls wait, it continues without a turn, because the answer has already begun.
async fn next_turn() -> Option<Turn> {
    let turn = Turn::wait().await.ok();
    yield_now().await;
    turn
}

/// An encoder of flate2, which keeps its output until it is taken.
enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
}

impl Encoder {
    fn new(coding: Coding) -> Self {
        match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
            Coding::Deflate => Self::Deflate(ZlibEncoder::new(Vec::new(), Compression::fast())),
        }
    }

    fn compress(&mut self, piece: &[u8]) -> io::Result<Bytes> {
        let written = match self {
            Self::Gzip(encoder) => {
                encoder.write_all(piece)?;
                encoder.get_mut()
            }
            Self::Deflate(encoder) => {
                encoder.write_all(piece)?;
                encoder.get_mut()
            }
        };
        Ok(mem::take(written).into())
    }

    fn finish(self) -> io::Result<Bytes> {
        let written = match self {
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Deflate(encoder) => encoder.finish()?,
        };
        Ok(written.into())
    }
}
