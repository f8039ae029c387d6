//! The encoding of a stored response: its policy, status, headers and body in one string.
//!
//! ```text
//! version 1 · flags 1 · status 2 · freshness lifetime, stale-while-revalidate, stale-if-error, initial age: 8 each, ms
//! number of headers 2 · for each: length of the name 2, of the value 4, name, value · length of the body 4 · body
//! ```
//!
//! Integers are big-endian, sizes in bytes. Any other string is not a response.

use super::policy::CachePolicy;
use crate::clock::whole_ms;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    AGE, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_LOCATION, DATE, ETAG, EXPIRES, HeaderMap, HeaderName,
    HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY,
};
use bytes::{Buf, BufMut, Bytes};
use std::time::Duration;

const VERSION: u8 = 1;
const ALLOWS_AUTHORIZED: u8 = 1;
const MUST_REVALIDATE: u8 = 2;
const GENERATED_ETAG: u8 = 4;
const GENERATED_CACHE_CONTROL: u8 = 8;
const VARIES: u8 = 16;

/// What is stored under a key.
#[derive(Debug, Clone)]
pub enum Stored {
    /// A response.
    Response(Box<Response>),
    /// The headers that responses vary on. The response is stored under a second key, with the values of these headers.
    Varies(Vec<HeaderName>),
}

/// A stored response.
#[derive(Debug, Clone)]
pub struct Response {
    /// How long and to whom it may be served.
    pub policy: CachePolicy,
    /// Its status.
    pub status: StatusCode,
    /// Its headers, without those of a connection.
    pub headers: HeaderMap,
    /// Whether the cache added its entity tag, so that the handler cannot validate it.
    pub generated_etag: bool,
    /// Whether the cache added its `Cache-Control`, which therefore does not apply to the cache itself.
    pub generated_cache_control: bool,
    /// Its body.
    pub body: Bytes,
}

impl Stored {
    /// Returns the encoded string.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        match self {
            Self::Response(response) => response.write(&mut out),
            Self::Varies(names) => {
                out.put_slice(&[VERSION, VARIES]);
                out.put_bytes(0, 2 + 4 * 8);
                put_headers(&mut out, names.iter().map(|name| (name, &b""[..])));
                out.put_u32(0);
            }
        }
        out.into()
    }

    /// Decodes a string; `None` if it is not a complete result of [`Self::encode`].
    #[must_use]
    pub fn decode(mut from: Bytes) -> Option<Self> {
        if from.try_get_u8().ok()? != VERSION {
            return None;
        }
        let flags = from.try_get_u8().ok()?;
        let status = from.try_get_u16().ok()?;
        let mut ms = || from.try_get_u64().ok().map(Duration::from_millis);
        let policy = CachePolicy {
            freshness_lifetime: ms()?,
            stale_while_revalidate: ms()?,
            stale_if_error: ms()?,
            initial_age: ms()?,
            must_revalidate: flags & MUST_REVALIDATE != 0,
            allows_authorized: flags & ALLOWS_AUTHORIZED != 0,
        };
        let headers = get_headers(&mut from)?;
        let length = usize::try_from(from.try_get_u32().ok()?).ok()?;
        if from.len() != length {
            return None;
        }
        if flags & VARIES != 0 {
            return Some(Self::Varies(headers.keys().cloned().collect()));
        }
        Some(Self::Response(Box::new(Response {
            policy,
            status: StatusCode::from_u16(status).ok()?,
            headers,
            generated_etag: flags & GENERATED_ETAG != 0,
            generated_cache_control: flags & GENERATED_CACHE_CONTROL != 0,
            body: from,
        })))
    }
}

impl Response {
    fn write(&self, out: &mut Vec<u8>) {
        let policy = &self.policy;
        let flag = |is: bool, flag| if is { flag } else { 0 };
        let flags = flag(policy.allows_authorized, ALLOWS_AUTHORIZED)
            | flag(policy.must_revalidate, MUST_REVALIDATE)
            | flag(self.generated_etag, GENERATED_ETAG)
            | flag(self.generated_cache_control, GENERATED_CACHE_CONTROL);
        out.reserve(512 + self.body.len());
        out.put_slice(&[VERSION, flags]);
        out.put_u16(self.status.as_u16());
        for time in [
            policy.freshness_lifetime,
            policy.stale_while_revalidate,
            policy.stale_if_error,
            policy.initial_age,
        ] {
            out.put_u64(whole_ms(time));
        }
        put_headers(out, self.headers.iter().map(|(name, value)| (name, value.as_bytes())));
        out.put_u32(u32::try_from(self.body.len()).unwrap_or(u32::MAX));
        out.put_slice(&self.body);
    }

    /// Returns it as an answer. `age` is the time since the handler returned it; `None` if it was called for this request.
    #[must_use]
    pub fn answer(&self, age: Option<Duration>) -> HttpResponse {
        let mut answer = HttpResponse::with_body(self.status, self.body.clone()).map_into_boxed_body();
        for (name, value) in &self.headers {
            answer.headers_mut().append(name.clone(), value.clone());
        }
        self.add_age(&mut answer, age);
        answer
    }

    /// Returns it as a 304, for a client that already has it (RFC 9110, section 15.4.5).
    #[must_use]
    pub fn not_modified(&self, age: Option<Duration>) -> HttpResponse {
        let mut answer = HttpResponse::new(StatusCode::NOT_MODIFIED);
        for name in [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY] {
            for value in self.headers.get_all(&name) {
                answer.headers_mut().append(name.clone(), value.clone());
            }
        }
        self.add_age(&mut answer, age);
        answer
    }

    fn add_age(&self, answer: &mut HttpResponse, age: Option<Duration>) {
        let initial_age = Some(self.policy.initial_age).filter(|age| !age.is_zero());
        // A stored response always has `Age`, even of zero (RFC 9111, section 4). One that was fetched for this request has it only if
        // the handler sent it.
        if age.is_some() || initial_age.is_some() {
            let age = age.unwrap_or_default().saturating_add(initial_age.unwrap_or_default());
            answer.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
        }
    }
}

/// Returns the headers of a response that are stored: without those of the connection (RFC 9110, section 7.6.1) and those that are
/// computed for each answer.
#[must_use]
pub fn storable_headers(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<&[u8]> = headers
        .get_all(CONNECTION)
        .flat_map(|line| super::directives::split_list(line.as_bytes()))
        .collect();
    let mut storable = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let of_connection = named
            .iter()
            .any(|named| named.eq_ignore_ascii_case(name.as_str().as_bytes()));
        if !of_connection && !is_not_stored(name) {
            storable.append(name.clone(), value.clone());
        }
    }
    storable
}

/// Returns the size of encoded headers, in bytes.
#[must_use]
pub fn headers_size(headers: &HeaderMap) -> usize {
    let size = |(name, value): (&HeaderName, &HeaderValue)| 6 + name.as_str().len() + value.len();
    headers.iter().map(size).sum()
}

fn is_not_stored(name: &HeaderName) -> bool {
    let of_connection = [
        CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    let computed = [CONTENT_LENGTH, AGE];
    of_connection.contains(name) || computed.contains(name) || matches!(name.as_str(), "keep-alive" | "cache-status")
}

fn put_headers<'a>(out: &mut Vec<u8>, headers: impl Iterator<Item = (&'a HeaderName, &'a [u8])>) {
    let at = out.len();
    out.put_u16(0);
    let mut count = 0_u16;
    for (name, value) in headers {
        let (Ok(name_len), Ok(value_len)) = (u16::try_from(name.as_str().len()), u32::try_from(value.len())) else {
            continue;
        };
        out.put_u16(name_len);
        out.put_u32(value_len);
        out.put_slice(name.as_str().as_bytes());
        out.put_slice(value);
        count += 1;
    }
    out[at..at + 2].copy_from_slice(&count.to_be_bytes());
}

fn get_headers(from: &mut Bytes) -> Option<HeaderMap> {
    let count = from.try_get_u16().ok()?;
    let mut headers = HeaderMap::with_capacity(usize::from(count.min(64)));
    for _ in 0..count {
        let name = usize::from(from.try_get_u16().ok()?);
        let value = usize::try_from(from.try_get_u32().ok()?).ok()?;
        if from.len() < name.checked_add(value)? {
            return None;
        }
        let name = HeaderName::from_bytes(&from.split_to(name)).ok()?;
        // A slice of the string, not a copy.
        let value = HeaderValue::from_maybe_shared(from.split_to(value)).ok()?;
        headers.append(name, value);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{CONTENT_TYPE, SET_COOKIE};
    use proptest::prelude::*;

    fn response() -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        headers.append(SET_COOKIE, HeaderValue::from_static("a=1"));
        headers.append(SET_COOKIE, HeaderValue::from_static("b=2"));
        headers.insert(ETAG, HeaderValue::from_static("W/\"x\""));
        Response {
            policy: CachePolicy {
                freshness_lifetime: Duration::from_mins(1),
                stale_while_revalidate: Duration::from_millis(1_500),
                stale_if_error: Duration::ZERO,
                initial_age: Duration::from_secs(3),
                must_revalidate: true,
                allows_authorized: false,
            },
            status: StatusCode::NOT_FOUND,
            headers,
            generated_etag: true,
            generated_cache_control: false,
            body: Bytes::from_static(b"hello"),
        }
    }

    fn encoded() -> Bytes {
        Stored::Response(Box::new(response())).encode()
    }

    #[test]
    fn decoding_reverses_encoding() {
        let Some(Stored::Response(decoded)) = Stored::decode(encoded()) else {
            panic!("it is a response");
        };
        let original = response();
        assert_eq!(
            (decoded.policy, decoded.status, decoded.generated_etag),
            (original.policy, original.status, true)
        );
        assert_eq!(decoded.body, original.body);
        let headers = |of: &Response| -> Vec<(String, HeaderValue)> {
            let mut all: Vec<_> = of
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect();
            all.sort();
            all
        };
        assert_eq!(headers(&decoded), headers(&original));
        let names = vec![CONTENT_TYPE, ETAG];
        let Some(Stored::Varies(mut read)) = Stored::decode(Stored::Varies(names.clone()).encode()) else {
            panic!("it is a list of names");
        };
        read.sort_by_key(|name| name.as_str().to_owned());
        assert_eq!(read, names);
    }

    #[test]
    fn a_part_of_a_response_is_not_a_response() {
        let whole = encoded();
        for end in 0..whole.len() {
            assert!(Stored::decode(whole.slice(..end)).is_none(), "{end}");
        }
        let mut longer = whole.to_vec();
        longer.push(0);
        assert!(Stored::decode(longer.into()).is_none());
        assert!(Stored::decode(Bytes::from_static(b"{\"json\":true}")).is_none());
    }

    proptest! {
        #[test]
        fn no_string_makes_the_decoder_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), like in any::<bool>()) {
            if like && !bytes.is_empty() {
                bytes[0] = VERSION;
            }
            let _ = Stored::decode(bytes.into());
        }

        #[test]
        fn no_changed_byte_makes_the_decoder_panic(at in 0..150_usize, to in any::<u8>()) {
            let mut bytes = encoded().to_vec();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Some(Stored::Response(response)) = Stored::decode(bytes.into()) {
                let _ = response.answer(Some(Duration::from_secs(1)));
                let _ = response.not_modified(None);
            }
        }
    }

    #[test]
    fn an_answer_has_its_age_and_a_304_only_the_required_headers() {
        let answer = response().answer(Some(Duration::from_millis(4_999)));
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers().get(AGE).unwrap(), "7");
        assert_eq!(answer.headers().get_all(SET_COOKIE).count(), 2);
        let mut new = response();
        new.policy.initial_age = Duration::ZERO;
        // Stored in this millisecond, and not stored.
        assert_eq!(new.answer(Some(Duration::ZERO)).headers().get(AGE).unwrap(), "0");
        assert!(!new.answer(None).headers().contains_key(AGE));
        let answer = response().not_modified(None);
        assert_eq!(answer.headers().get(ETAG).unwrap(), "W/\"x\"");
        assert!(!answer.headers().contains_key(CONTENT_TYPE));
    }

    #[test]
    fn headers_of_a_connection_are_not_stored() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("keep-alive", "5"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("age", "3"),
            ("cache-status", "x; hit"),
            ("x-other", "1"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let storable = storable_headers(&headers);
        assert_eq!(storable.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-other"]);
    }
}
