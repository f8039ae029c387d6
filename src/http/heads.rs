//! Requests whose head cannot be read. actix-http refuses them before it makes a request of them, with a status and no body, and has no
//! setting for that. Everything that it writes passes through [`Heads`], which replaces such a refusal by a problem, and counts and
//! logs it.

use super::Problem;
use actix_web::ResponseError;
use actix_web::http::StatusCode;
use bytes::{Buf, Bytes};
use prometheus::IntCounterVec;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// `HTTP/1.1`, or another version.
const VERSION_LEN: usize = 8;
/// The line between, if there is one: it depends on the request before on the connection.
const CONNECTION: [&[u8]; 3] = [
    b"connection: close\r\n",
    b"connection: keep-alive\r\n",
    b"connection: upgrade\r\n",
];
const DATE: &[u8] = b"date: ";
/// A line such as `date: Mon, 30 Nov 2026 06:35:16 GMT`, and the end of the head.
const DATE_LEN: usize = 39;

/// A refusal of the server itself.
struct Refusal {
    /// The constant part of its head after the version.
    head: &'static [u8],
    status: StatusCode,
    reason: &'static str,
    detail: &'static str,
}

const REFUSALS: [Refusal; 3] = [
    Refusal {
        head: b" 400 Bad Request\r\ncontent-length: 0\r\n",
        status: StatusCode::BAD_REQUEST,
        reason: "malformed_head",
        detail: "the request line or a header is not valid HTTP/1.1; send plain HTTP as RFC 9112 specifies",
    },
    Refusal {
        head: b" 408 Request Timeout\r\ncontent-length: 0\r\n",
        status: StatusCode::REQUEST_TIMEOUT,
        reason: "slow_head",
        detail: "the request line and the headers did not arrive in time; send them at once",
    },
    Refusal {
        head: b" 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n",
        status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        reason: "large_head",
        detail: "the request line and the headers are too large; send fewer or shorter ones",
    },
];

impl Refusal {
    /// Returns a refusal in the bytes that the server writes, and where it begins. A refusal is always at their end, and every answer of
    /// the service itself has further headers. It is compared from its end, because that tells most answers apart at once.
    fn find(bytes: &[u8]) -> Option<(&'static Self, usize)> {
        let (head, date) = bytes.split_at_checked(bytes.len().checked_sub(DATE_LEN)?)?;
        if !date.starts_with(DATE) || !date.ends_with(b"\r\n\r\n") {
            return None;
        }
        let head = CONNECTION
            .iter()
            .find_map(|line| head.strip_suffix(*line))
            .unwrap_or(head);
        REFUSALS.iter().find_map(|refusal| {
            let version = head.strip_suffix(refusal.head)?;
            let at = version.len().checked_sub(VERSION_LEN)?;
            version[at..].starts_with(b"HTTP/1.").then_some((refusal, at))
        })
    }

    /// Returns the answer that replaces it; `date` is the line of the server.
    fn answer(&self, date: &[u8]) -> Bytes {
        let problem = match self.status {
            StatusCode::REQUEST_TIMEOUT => Problem::request_timeout(self.detail),
            status => Problem::malformed_head(status, self.detail),
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let status = problem.status_code();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
             connection: close\r\n",
            body.len()
        );
        [head.as_bytes(), date, &body].concat().into()
    }
}

/// A connection's stream, as the server reads and writes it.
#[derive(Debug)]
pub struct Heads<S> {
    stream: S,
    peer: Option<SocketAddr>,
    refused: IntCounterVec,
    /// The rest of an answer that replaces one of the server.
    answer: Option<Bytes>,
}

impl<S> Heads<S> {
    /// Wraps the stream of a connection from `peer`; counts refusals by reason.
    #[must_use]
    pub const fn new(stream: S, peer: Option<SocketAddr>, refused: IntCounterVec) -> Self {
        Self {
            stream,
            peer,
            refused,
            answer: None,
        }
    }

    /// Returns the stream itself.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    fn replace(&mut self, refusal: &Refusal, written: &[u8]) -> Bytes {
        self.refused.with_label_values(&[refusal.reason]).inc();
        let peer = self.peer.map(|peer| peer.to_string()).unwrap_or_default();
        tracing::debug!(peer, reason = refusal.reason, "a request head was refused");
        let date = &written[written.len() - DATE_LEN..];
        refusal.answer(date)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heads<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heads<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.answer.is_none() {
            match Refusal::find(bytes) {
                None => return Pin::new(&mut self.stream).poll_write(context, bytes),
                // Earlier answers first.
                Some((_, at)) if at > 0 => return Pin::new(&mut self.stream).poll_write(context, &bytes[..at]),
                Some((refusal, _)) => {
                    let answer = self.replace(refusal, bytes);
                    self.answer = Some(answer);
                }
            }
        }
        let Self { stream, answer, .. } = &mut *self;
        if let Some(rest) = answer {
            while !rest.is_empty() {
                let written = ready!(Pin::new(&mut *stream).poll_write(context, rest))?;
                if written == 0 {
                    return Poll::Ready(Ok(0));
                }
                rest.advance(written);
            }
        }
        *answer = None;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    const BARE: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: Mon, 30 Nov 2026 06:35:16 GMT\r\n\r\n";

    /// A socket that accepts a few bytes at a time, and sometimes none.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        calls: usize,
    }

    impl AsyncWrite for Slow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.calls += 1;
            if self.calls.is_multiple_of(3) {
                return Poll::Pending;
            }
            let taken = bytes.len().min(7);
            self.taken.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Returns what the client receives if the server writes like actix-http: it continues after the bytes that were accepted.
    fn written(buffer: &str) -> String {
        let refused = IntCounterVec::new(prometheus::opts!("refused", "refused"), &["reason"]).unwrap();
        let mut heads = Heads::new(Slow::default(), None, refused);
        let (mut rest, mut context) = (buffer.as_bytes(), Context::from_waker(Waker::noop()));
        while !rest.is_empty() {
            if let Poll::Ready(taken) = Pin::new(&mut heads).poll_write(&mut context, rest) {
                rest = &rest[taken.unwrap()..];
            }
        }
        String::from_utf8(heads.stream.taken).unwrap()
    }

    #[test]
    fn a_bare_refusal_gets_a_body_after_any_earlier_answers() {
        let [closed, kept, upgraded] = ["close", "keep-alive", "upgrade"]
            .map(|connection| BARE.replace("date", &format!("connection: {connection}\r\ndate")));
        let earlier = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: Mon, 30 Nov 2026 06:35:16 GMT\r\n\r\n{}";
        for (before, bare) in [
            ("", BARE),
            ("", &closed),
            ("", &kept),
            (earlier, &upgraded),
            (earlier, BARE),
        ] {
            let written = written(&format!("{before}{bare}"));
            let (head, body) = written.strip_prefix(before).unwrap().split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
            assert!(head.ends_with("date: Mon, 30 Nov 2026 06:35:16 GMT"), "{head}");
            assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
            assert!(body.contains("urn:fleetpulse:problem:malformed"), "{body}");
        }
    }

    #[test]
    fn every_other_answer_is_written_unchanged() {
        for other in [
            "HTTP/1.1 204 No Content\r\ndate: Mon, 30 Nov 2026 06:35:16 GMT\r\n\r\n".to_owned(),
            BARE.replace("date", "cache-control: no-store\r\ndate"),
            BARE.replace("content-length: 0", "content-length: 168"),
            format!("{BARE}x"),
            "\r\n\r\n".to_owned(),
        ] {
            assert_eq!(written(&other), other);
        }
    }
}
