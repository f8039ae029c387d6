//! Decodes compressed bodies. They are decoded while they arrive, in bounded pieces. Neither the body nor the data between two codings
//! grows beyond the limit.

use super::Problem;
use super::body_bounds::{Claim, broken_off, too_large};
use super::coding::Coding;
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_ENCODING;
use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use futures_util::StreamExt;
use std::io::{self, ErrorKind, Write};
use tokio::task::yield_now;

/// The most codings of one body.
const MAX_CODINGS: usize = 2;
/// Bytes that are decoded at once. A deflate stream grows by up to 1,032 times, so a piece becomes at most half a megabyte.
const PIECE: usize = 512;
/// After this many bytes, read and decoded, the decoder yields to other requests of the worker.
const TURN: usize = 64 * 1024;

/// The codings of a body in the order in which they were applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codings {
    first: Coding,
    second: Option<Coding>,
}

impl Codings {
    /// Parses `Content-Encoding`; `None` for a plain body.
    ///
    /// # Errors
    /// 415 for a coding that is not decoded here, or too many of them.
    pub(super) fn of(request: &HttpRequest) -> Result<Option<Self>, Problem> {
        let mut lines = request.headers().get_all(CONTENT_ENCODING).peekable();
        // Most bodies are plain.
        if lines.peek().is_none() {
            return Ok(None);
        }
        let mut found = [None; MAX_CODINGS];
        let mut count = 0;
        for line in lines {
            let line = line.to_str().map_err(|_not_ascii| unsupported())?;
            for name in line.split(',').map(str::trim) {
                if name.is_empty() || name.eq_ignore_ascii_case("identity") {
                    continue;
                }
                let coding = Coding::parse(name).ok_or_else(unsupported)?;
                *found.get_mut(count).ok_or_else(unsupported)? = Some(coding);
                count += 1;
            }
        }
        let [first, second] = found;
        Ok(first.map(|first| Self { first, second }))
    }
}

fn unsupported() -> Problem {
    Problem::unsupported_coding("send the body plain, or with Content-Encoding gzip or deflate (at most two codings)")
}

/// Reads a body of at most `limit` bytes once it is decoded. A body without any bytes is empty whatever its codings.
///
/// # Errors
/// 413 beyond the limit, 400 if the body ends early or does not match its codings, 503 if other bodies take all memory.
pub(super) async fn collect(
    payload: &mut Payload,
    codings: Codings,
    limit: usize,
    room: &mut Claim<'_>,
) -> Result<Bytes, Problem> {
    let mut chain = Chain::new(codings, limit);
    let (mut encoded, mut turn) = (0, 0);
    while let Some(chunk) = payload.next().await.transpose().map_err(broken_off)? {
        encoded += chunk.len();
        if encoded > limit {
            return Err(too_large(limit));
        }
        for piece in chunk.chunks(PIECE) {
            let before = chain.decoded();
            chain.write_all(piece).map_err(|error| refused(&error, limit))?;
            turn += piece.len() + (chain.decoded() - before);
            room.take(chain.decoded())?;
            if turn >= TURN {
                turn = 0;
                yield_now().await;
            }
        }
    }
    if encoded == 0 {
        return Ok(Bytes::new());
    }
    chain.finish().map_err(|error| refused(&error, limit))
}

fn refused(error: &io::Error, limit: usize) -> Problem {
    if error.kind() == ErrorKind::FileTooLarge {
        too_large(limit)
    } else {
        Problem::malformed(
            "the body does not match its Content-Encoding: it is damaged, truncated, or not compressed; send it again, or without compression",
        )
    }
}

/// A decoder for each coding. The coding that was applied last is undone first.
enum Chain {
    One(Box<Decoder<Bounded<BytesMut>>>),
    Two(Box<Decoder<Bounded<Decoder<Bounded<BytesMut>>>>>),
}

impl Chain {
    fn new(codings: Codings, limit: usize) -> Self {
        let inner = Decoder::new(codings.first, Bounded::new(BytesMut::new(), limit));
        match codings.second {
            None => Self::One(Box::new(inner)),
            Some(second) => Self::Two(Box::new(Decoder::new(second, Bounded::new(inner, limit)))),
        }
    }

    /// Bytes that were decoded, by all stages together.
    fn decoded(&self) -> usize {
        match self {
            Self::One(decoder) => decoder.sink().written,
            Self::Two(decoder) => decoder.sink().written + decoder.sink().sink.sink().written,
        }
    }

    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::One(decoder) => decoder.write_all(piece),
            Self::Two(decoder) => decoder.write_all(piece),
        }
    }

    fn finish(self) -> io::Result<Bytes> {
        let inner = match self {
            Self::One(decoder) => *decoder,
            Self::Two(decoder) => decoder.finish()?.sink,
        };
        Ok(inner.finish()?.sink.freeze())
    }
}

/// The output of a decoder.
trait Sink {
    fn take(&mut self, bytes: &[u8], limit: usize) -> io::Result<()>;
}

impl Sink for BytesMut {
    fn take(&mut self, bytes: &[u8], limit: usize) -> io::Result<()> {
        let needed = self.len() + bytes.len();
        if needed > self.capacity() {
            // Doubled as usual, but not beyond the limit.
            let capacity = (self.capacity() * 2).max(needed).min(limit);
            let mut grown = Self::with_capacity(capacity);
            grown.extend_from_slice(self);
            *self = grown;
        }
        self.extend_from_slice(bytes);
        Ok(())
    }
}

impl<W: Write> Sink for Decoder<W> {
    fn take(&mut self, bytes: &[u8], _limit: usize) -> io::Result<()> {
        self.write_all(bytes)
    }
}

/// Passes on at most `limit` bytes.
struct Bounded<S> {
    sink: S,
    written: usize,
    limit: usize,
}

impl<S> Bounded<S> {
    const fn new(sink: S, limit: usize) -> Self {
        Self {
            sink,
            written: 0,
            limit,
        }
    }
}

impl<S: Sink> Write for Bounded<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.limit - self.written {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.sink.take(bytes, self.limit)?;
        self.written += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Undoes one coding.
enum Decoder<W: Write> {
    Gzip(MultiGzDecoder<W>),
    Deflate(Inflate<W>),
}

impl<W: Write> Decoder<W> {
    fn new(coding: Coding, sink: W) -> Self {
        match coding {
            Coding::Gzip => Self::Gzip(MultiGzDecoder::new(sink)),
            Coding::Deflate => Self::Deflate(Inflate::new(sink)),
        }
    }

    fn sink(&self) -> &W {
        match self {
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Deflate(decoder) => &decoder.sink,
        }
    }

    /// Passes on the rest, and checks that the stream is complete.
    fn finish(self) -> io::Result<W> {
        match self {
            Self::Gzip(decoder) => decoder.finish(),
            Self::Deflate(decoder) => decoder.finish(),
        }
    }
}

impl<W: Write> Write for Decoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.write(bytes),
            Self::Deflate(decoder) => decoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Undoes `deflate`. The writer of flate2 accepts a truncated stream as complete.
struct Inflate<W> {
    sink: W,
    /// The first byte, until the second shows which format this is.
    first: Option<u8>,
    state: Option<Decompress>,
    has_ended: bool,
}

impl<W: Write> Inflate<W> {
    const fn new(sink: W) -> Self {
        Self {
            sink,
            first: None,
            state: None,
            has_ended: false,
        }
    }

    fn inflate(&mut self, mut input: &[u8]) -> io::Result<()> {
        let Some(state) = &mut self.state else {
            return Ok(());
        };
        let mut piece = [0; 8 * 1024];
        loop {
            if self.has_ended {
                // Nothing may follow.
                return if input.is_empty() { Ok(()) } else { Err(corrupt()) };
            }
            let (read, written) = (state.total_in(), state.total_out());
            let status = state
                .decompress(input, &mut piece, FlushDecompress::None)
                .map_err(|_damaged| corrupt())?;
            let read = usize::try_from(state.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(state.total_out() - written).unwrap_or(usize::MAX);
            self.sink.write_all(piece.get(..written).unwrap_or_default())?;
            input = input.get(read..).unwrap_or_default();
            self.has_ended = status == Status::StreamEnd;
            if !self.has_ended && input.is_empty() && written < piece.len() {
                return Ok(());
            }
            // It may output buffered data before it accepts more input.
            if !self.has_ended && read == 0 && written == 0 {
                return Err(corrupt());
            }
        }
    }

    fn finish(self) -> io::Result<W> {
        if self.has_ended { Ok(self.sink) } else { Err(corrupt()) }
    }
}

impl<W: Write> Write for Inflate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.state.is_some() || bytes.is_empty() {
            self.inflate(bytes)?;
            return Ok(bytes.len());
        }
        let Some(first) = self.first else {
            self.first = Some(bytes[0]);
            return Ok(1);
        };
        self.state = Some(Decompress::new(is_zlib(first, bytes[0])));
        self.inflate(&[first])?;
        self.inflate(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns whether a stream begins with a header of RFC 1950. Some clients send the bare stream of RFC 1951 as `deflate`.
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

fn corrupt() -> io::Error {
    ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    const LIMIT: usize = 100_000;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(plain: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// Returns the result for a body that arrives in pieces of this size.
    fn decoded(first: Coding, second: Option<Coding>, body: &[u8], size: usize) -> io::Result<Bytes> {
        let mut chain = Chain::new(Codings { first, second }, LIMIT);
        for piece in body.chunks(size) {
            chain.write_all(piece)?;
        }
        chain.finish()
    }

    fn plain() -> Vec<u8> {
        (0..20_000_u32).flat_map(|n| (n * n).to_be_bytes()).collect()
    }

    #[test]
    fn an_encoded_body_is_decoded_in_pieces_of_any_size() {
        let plain = plain();
        for size in [1, 7, PIECE, usize::MAX] {
            for (coding, body) in [
                (Coding::Gzip, gzip(&plain)),
                (Coding::Deflate, zlib(&plain)),
                (Coding::Deflate, deflate(&plain)),
            ] {
                assert_eq!(decoded(coding, None, &body, size).unwrap(), plain, "{coding:?} {size}");
            }
            let twice = gzip(&zlib(&plain));
            let twice = decoded(Coding::Deflate, Some(Coding::Gzip), &twice, size).unwrap();
            assert_eq!(twice, plain, "{size}");
        }
        // Several members are one body (RFC 1952, section 2.2).
        let members = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(decoded(Coding::Gzip, None, &members, 5).unwrap(), &b"one two"[..]);
        assert_eq!(decoded(Coding::Deflate, None, &zlib(b""), 5).unwrap(), &b""[..]);
    }

    #[test]
    fn a_damaged_body_is_refused() {
        let plain = plain();
        for (coding, whole) in [
            (Coding::Gzip, gzip(&plain)),
            (Coding::Deflate, zlib(&plain)),
            (Coding::Deflate, deflate(&plain)),
        ] {
            for cut in [1, 2, 3, 10, whole.len() / 2, whole.len() - 1] {
                let error = decoded(coding, None, &whole[..cut], 64).unwrap_err();
                assert_ne!(error.kind(), ErrorKind::FileTooLarge, "{coding:?} {cut}");
            }
            let longer = [&whole[..], b"x"].concat();
            assert!(decoded(coding, None, &longer, 64).is_err(), "{coding:?}");
        }
        let mut wrong_sum = gzip(&plain);
        let end = wrong_sum.len() - 5;
        wrong_sum[end] ^= 1;
        assert!(decoded(Coding::Gzip, None, &wrong_sum, 64).is_err());
        let mut wrong_sum = zlib(&plain);
        *wrong_sum.last_mut().unwrap() ^= 1;
        assert!(decoded(Coding::Deflate, None, &wrong_sum, 64).is_err());
        for coding in [Coding::Gzip, Coding::Deflate] {
            assert!(decoded(coding, None, b"{\"lat\":1}", 64).is_err(), "{coding:?}");
        }
    }

    #[test]
    fn no_more_is_decoded_than_the_limit() {
        let full = vec![b' '; LIMIT];
        let body = decoded(Coding::Gzip, None, &gzip(&full), PIECE).unwrap();
        assert_eq!(body.len(), LIMIT);
        let bomb = vec![b' '; 2_000_000];
        for (coding, bomb) in [(Coding::Gzip, gzip(&bomb)), (Coding::Deflate, zlib(&bomb))] {
            let error = decoded(coding, None, &bomb, PIECE).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::FileTooLarge, "{coding:?}");
            let error = decoded(coding, Some(Coding::Gzip), &gzip(&bomb), PIECE).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::FileTooLarge, "{coding:?}");
        }
        // Also between two codings, even if the final output is small.
        let empty_members = gzip(&gzip(b"").repeat(10_000));
        let error = decoded(Coding::Gzip, Some(Coding::Gzip), &empty_members, PIECE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    }
}
