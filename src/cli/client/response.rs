//! Finds the end of an answer in the bytes received so far.

use super::error::ClientError;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::str;

/// The service sends about a dozen; proxies add some.
const MAX_HEADERS: usize = 48;

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) keep_alive: bool,
    /// The range of the body in the buffer.
    pub(super) body: Range<usize>,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    /// By the end of the connection.
    End,
}

/// The state of parsing an answer; starts empty.
#[derive(Debug, Default)]
pub(super) struct Progress {
    head: Option<(Head, Framing)>,
    /// For a chunked body, the position of the next undecoded byte; decoded bytes are moved to the range of the body.
    undecoded: usize,
}

impl Progress {
    /// Handles the end of the connection after `filled` bytes. Returns the answer if it had to end like that.
    pub(super) fn finish_at_end(self, filled: usize) -> Option<Head> {
        match self.head {
            Some((mut head, Framing::End)) => {
                head.body.end = filled;
                head.keep_alive = false;
                Some(head)
            }
            _ => None,
        }
    }
}

/// Parses all bytes so far; returns the answer once it is complete.
pub(super) fn parse(bytes: &mut [u8], progress: &mut Progress, max: usize) -> Result<Option<Head>, ClientError> {
    if progress.head.is_none() {
        progress.head = parse_head(bytes)?;
    }
    let Some((head, framing)) = &mut progress.head else {
        return Ok(None);
    };
    let complete = match framing {
        Framing::Length(length) => {
            let end = head.body.start.checked_add(*length).filter(|end| *end <= max);
            head.body.end = end.ok_or(ClientError::TooLarge(max))?;
            // Bytes beyond the response cannot be distinguished from the next response, so such a connection is not reused.
            head.keep_alive &= bytes.len() <= head.body.end;
            bytes.len() >= head.body.end
        }
        Framing::Chunked => {
            progress.undecoded = progress.undecoded.max(head.body.start);
            decode_chunks(bytes, &mut progress.undecoded, head)?
        }
        Framing::End => false,
    };
    Ok(if complete {
        progress.head.take().map(|(head, _)| head)
    } else {
        None
    })
}

fn parse_head(bytes: &[u8]) -> Result<Option<(Head, Framing)>, ClientError> {
    let mut start = 0;
    loop {
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let status = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut response, &bytes[start..], &mut headers)
            .map_err(|_error| ClientError::Malformed("bad head"))?;
        let httparse::Status::Complete(length) = status else {
            return Ok(None);
        };
        start += length;
        let code = response.code.unwrap_or(0);
        // Responses with a 1xx status precede the final one.
        if (100..200).contains(&code) && code != 101 {
            continue;
        }
        return describe(&response, code, start).map(Some);
    }
}

fn describe(response: &httparse::Response, status: u16, body: usize) -> Result<(Head, Framing), ClientError> {
    let mut head = Head {
        status,
        keep_alive: response.version == Some(1),
        body: body..body,
    };
    let mut framing = Framing::End;
    for header in &*response.headers {
        // The length excludes most headers before a comparison that ignores case.
        match header.name.len() {
            14 if header.name.eq_ignore_ascii_case("content-length") && framing == Framing::End => {
                let length = number(header.value).ok_or(ClientError::Malformed("bad Content-Length"))?;
                framing = Framing::Length(length);
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                if !header.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(ClientError::Malformed("unknown Transfer-Encoding"));
                }
                framing = Framing::Chunked;
            }
            10 if header.name.eq_ignore_ascii_case("connection") => {
                head.keep_alive = if header.value.eq_ignore_ascii_case(b"close") {
                    false
                } else {
                    head.keep_alive || header.value.eq_ignore_ascii_case(b"keep-alive")
                };
            }
            _ => {}
        }
    }
    if matches!(status, 204 | 304) {
        framing = Framing::Length(0);
    }
    Ok((head, framing))
}

fn number(value: &[u8]) -> Option<usize> {
    str::from_utf8(value).ok()?.trim().parse().ok()
}

/// Moves the content of the received chunks to the end of the body; returns whether the last one was received.
fn decode_chunks(bytes: &mut [u8], undecoded: &mut usize, head: &mut Head) -> Result<bool, ClientError> {
    const BAD: ClientError = ClientError::Malformed("bad chunk");
    loop {
        let rest = &bytes[*undecoded..];
        let (line, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(false),
            Err(_) => return Err(BAD),
        };
        if size == 0 {
            return Ok(skip_trailers(&rest[line..], head));
        }
        let size = usize::try_from(size).map_err(|_error| BAD)?;
        let from = *undecoded + line;
        let end = from.checked_add(size).ok_or(BAD)?;
        match bytes.get(end..).and_then(|after| after.get(..2)) {
            // A chunk is taken when it is complete, with the line end after it.
            None => return Ok(false),
            Some(b"\r\n") => {}
            Some(_) => return Err(BAD),
        }
        bytes.copy_within(from..end, head.body.end);
        head.body.end += size;
        *undecoded = end + 2;
    }
}

/// Returns whether all trailer lines after the last chunk were received, up to the empty one.
fn skip_trailers(mut rest: &[u8], head: &mut Head) -> bool {
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        rest = &rest[end + 2..];
        if end == 0 {
            head.keep_alive &= rest.is_empty();
            return true;
        }
    }
    false
}
