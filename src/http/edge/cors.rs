//! Pages of other origins that may call the service: cross-origin resource sharing, as the Fetch standard has it.
//!
//! `actix-cors` is not used: it serves pages that are not allowed like any other caller, allocates for each request, and its answers have
//! the headers of `edge` only if it is inside of `edge`.

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use std::str::FromStr;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// Headers of answers that a page may read besides those that any may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Accept-Encoding, Age, Allow, Cache-Status, ETag, Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, \
     Retry-After, WWW-Authenticate",
);
/// For how long a browser may remember the answer to a preflight, seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origins whose pages may call the service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origins {
    /// Its own alone.
    #[default]
    Own,
    /// All.
    Any,
    /// Its own and these, as browsers write them.
    Listed(Vec<HeaderValue>),
}

/// Not a list of origins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not an origin; write https://console.example.com or http://localhost:3000, separated by commas, or * alone"
)]
pub struct OriginError(String);

impl FromStr for Origins {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            [] => Ok(Self::Own),
            ["*"] => Ok(Self::Any),
            parts => parts
                .iter()
                .map(|part| origin(part))
                .collect::<Result<_, _>>()
                .map(Self::Listed),
        }
    }
}

/// An origin as browsers write it: in lower case and without the usual port of its scheme.
fn origin(text: &str) -> Result<HeaderValue, OriginError> {
    let refused = || OriginError(text.to_owned());
    let lower = text.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://").ok_or_else(refused)?;
    let usual_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(refused()),
    };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if authority.is_empty() || !authority.bytes().all(is_allowed) {
        return Err(refused());
    }
    let authority = authority.strip_suffix(usual_port).unwrap_or(authority);
    HeaderValue::try_from(format!("{scheme}://{authority}")).map_err(|_no_header| refused())
}

impl Origins {
    /// Returns whether pages of an origin may call.
    #[must_use]
    pub fn allow(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Own => false,
            Self::Any => true,
            Self::Listed(origins) => origins.contains(origin),
        }
    }
}

/// What the answer to one request says of origins.
#[derive(Debug, Clone)]
pub(super) enum Cors {
    /// Nothing.
    Silent,
    /// That another origin may be answered otherwise.
    Varies,
    /// That this one may read it.
    Allows(HeaderValue),
}

impl Cors {
    /// Returns what is said to a request with these headers.
    pub(super) fn of(origins: &Origins, headers: &HeaderMap) -> Self {
        match origins {
            Origins::Own => Self::Silent,
            Origins::Any => Self::Allows(HeaderValue::from_static("*")),
            Origins::Listed(_) => match headers.get(ORIGIN).filter(|origin| origins.allow(origin)) {
                Some(origin) => Self::Allows(origin.clone()),
                None => Self::Varies,
            },
        }
    }

    /// Returns whether a request is a browser's question whether it may send another.
    pub(super) fn is_preflight(&self, request: &RequestHead) -> bool {
        matches!(self, Self::Allows(_))
            && request.method == Method::OPTIONS
            && request.headers().contains_key(ORIGIN)
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Adds the headers.
    pub(super) fn say(&self, headers: &mut HeaderMap) {
        match self {
            Self::Silent => return,
            Self::Varies => {}
            Self::Allows(origin) => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
                if origin == "*" {
                    return;
                }
            }
        }
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
}

/// The answer to a preflight of a page that may call. It may send the headers that it asks for: routes say which they read.
pub(super) fn preflight(headers: &HeaderMap) -> HttpResponse {
    let mut answer = HttpResponse::NoContent();
    answer
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE));
    if let Some(names) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert_header((ACCESS_CONTROL_ALLOW_HEADERS, names.clone()));
    }
    answer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        assert_eq!("".parse(), Ok(Origins::Own));
        assert_eq!(" * ".parse(), Ok(Origins::Any));
        let listed: Origins = "https://Console.Example.com:443, http://localhost:3000,"
            .parse()
            .unwrap();
        for (origin, is_allowed) in [
            ("https://console.example.com", true),
            ("http://localhost:3000", true),
            ("http://console.example.com", false),
            ("https://console.example.com.evil.example", false),
            ("http://localhost", false),
            ("null", false),
        ] {
            assert_eq!(listed.allow(&HeaderValue::from_static(origin)), is_allowed, "{origin}");
        }
        for wrong in [
            "console.example.com",
            "https://",
            "null",
            "https://a.example/path",
            "https://*.example.com",
            "*, https://a.example",
            "ftp://a.example",
            "https://user@a.example",
        ] {
            assert!(wrong.parse::<Origins>().is_err(), "{wrong}");
        }
    }
}
