use super::Problem;
use super::body_bounds::{Claim, SMALL, broken_off, too_large};
use super::decode::{self, Codings};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt};
use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// The time within which a body has to arrive after its head; application data.
#[derive(Debug, Clone, Copy)]
pub struct BodyTimeout(pub Duration);

impl Default for BodyTimeout {
    fn default() -> Self {
        Self(Duration::from_secs(10))
    }
}

/// The media type of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`, any `…+json`, or no `Content-Type`.
    Json,
    /// `application/x-ndjson` and its other names.
    Ndjson,
}

/// A complete body.
#[derive(Debug)]
pub struct RawBody {
    /// Its bytes.
    pub bytes: Bytes,
    /// Their media type by `Content-Type`.
    pub media_type: MediaType,
}

impl RawBody {
    /// Reads a body of at most `limit` bytes, both as sent and as decoded.
    ///
    /// # Errors
    /// 415 for another media type or coding, 413 beyond the limit, 408 if it does not arrive in time, 400 if it ends early or cannot be
    /// decoded, 503 if other bodies take all memory.
    pub async fn read(request: &HttpRequest, payload: &mut Payload, limit: usize) -> Result<Self, Problem> {
        let Head {
            media_type,
            codings,
            length,
        } = Head::read(request, limit)?;
        // Boxed, so that the future of the handler stays small.
        let mut reading = Box::pin(collect(payload, codings, limit, length, Claim::of(request.app_data())));
        let bytes = arrive(request, reading.as_mut()).await?;
        Ok(Self { bytes, media_type })
    }

    /// Reads a body that has to be JSON.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_json(request: &HttpRequest, payload: &mut Payload, limit: usize) -> Result<Bytes, Problem> {
        Self::read(request, payload, limit).await?.json()
    }

    /// Reads a body as [`Self::read`] does, in a large future; for a caller that boxes it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) async fn read_here(request: &HttpRequest, payload: &mut Payload, limit: usize) -> Result<Self, Problem> {
        let Head {
            media_type,
            codings,
            length,
        } = Head::read(request, limit)?;
        let reading = pin!(collect(payload, codings, limit, length, Claim::of(request.app_data())));
        let bytes = arrive(request, reading).await?;
        Ok(Self { bytes, media_type })
    }

    /// Returns the bytes of a body that has to be JSON.
    ///
    /// # Errors
    /// 415 if the request declares another media type.
    pub fn json(self) -> Result<Bytes, Problem> {
        match self.media_type {
            MediaType::Json => Ok(self.bytes),
            MediaType::Ndjson => Err(Problem::unsupported_media_type("send application/json")),
        }
    }
}

/// The headers of a request that describe its body.
struct Head {
    media_type: MediaType,
    codings: Option<Codings>,
    length: Option<usize>,
}

impl Head {
    fn read(request: &HttpRequest, limit: usize) -> Result<Self, Problem> {
        let headers = request.headers();
        let media_type = headers.get(CONTENT_TYPE).map_or(Ok(MediaType::Json), media_type)?;
        let codings = Codings::of(request)?;
        let length = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > limit) {
            return Err(too_large(limit));
        }
        Ok(Self {
            media_type,
            codings,
            length,
        })
    }
}

/// Waits for a body up to the timeout.
async fn arrive(
    request: &HttpRequest,
    mut reading: Pin<&mut impl Future<Output = Result<Bytes, Problem>>>,
) -> Result<Bytes, Problem> {
    if let Some(read) = reading.as_mut().now_or_never() {
        return read;
    }
    // The server polls a request before it hands over the bytes that arrived with the head, and again right after that. So the first time
    // nothing waits for these bytes: otherwise they would wake the connection's task once more for nothing.
    let mut is_handed_over = false;
    let reading = poll_fn(|cx| {
        if mem::replace(&mut is_handed_over, true) {
            reading.as_mut().poll(cx)
        } else {
            Poll::Pending
        }
    });
    let BodyTimeout(timeout) = request.app_data().copied().unwrap_or_default();
    tokio::time::timeout(timeout, reading)
        .await
        .map_err(|_elapsed| Problem::request_timeout("the body did not arrive in time; send it at once"))?
}

/// Reads a body. A large body takes memory for bodies as it arrives, and releases it when the last handle to it is dropped.
async fn collect(
    payload: &mut Payload,
    codings: Option<Codings>,
    limit: usize,
    announced: Option<usize>,
    mut room: Claim<'_>,
) -> Result<Bytes, Problem> {
    if let Some(codings) = codings {
        // Boxed, so that the future of a plain body stays small.
        let bytes = Box::pin(decode::collect(payload, codings, limit, &mut room)).await?;
        return Ok(room.keep(bytes));
    }
    let Some(first) = payload.next().await.transpose().map_err(broken_off)? else {
        return Ok(Bytes::new());
    };
    let mut rest: Option<BytesMut> = None;
    while let Some(chunk) = payload.next().await.transpose().map_err(broken_off)? {
        let whole = rest.get_or_insert_with(|| BytesMut::from(&first[..]));
        if whole.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        let now = whole.len() + chunk.len();
        room.take(now)?;
        // Once a part of a large body has arrived, the memory for the rest is allocated in one piece.
        if whole.capacity() < now && now > SMALL {
            whole.reserve(announced.unwrap_or(now).max(now) - whole.len());
        }
        whole.extend_from_slice(&chunk);
    }
    let bytes = rest.map_or(first, BytesMut::freeze);
    if bytes.len() > limit {
        Err(too_large(limit))
    } else {
        Ok(room.keep(bytes))
    }
}

/// Parses a `Content-Type`.
///
/// # Errors
/// 415 for a type that no call accepts.
pub(super) fn media_type(value: &HeaderValue) -> Result<MediaType, Problem> {
    if value == "application/json" {
        return Ok(MediaType::Json);
    }
    let name = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match name.as_str() {
        "application/json" => Ok(MediaType::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(MediaType::Ndjson),
        name if name.starts_with("application/") && name.ends_with("+json") => Ok(MediaType::Json),
        _ => Err(Problem::unsupported_media_type(
            "send the body as Content-Type: application/json; a batch of positions may also be application/x-ndjson",
        )),
    }
}
