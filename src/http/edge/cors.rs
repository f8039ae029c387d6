//! Cross-origin resource sharing (Fetch standard): allows pages of other origins to call the service.
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
/// Headers of answers that a page may read, in addition to the safelisted ones.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Accept-Encoding, Age, Allow, Cache-Status, ETag, Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, \
     Retry-After, WWW-Authenticate",
);
/// How long a browser may cache the answer to a preflight, seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origins whose pages may call the service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origins {
    /// Only the origin of the service.
    #[default]
    Own,
    /// All origins.
    Any,
    /// The origin of the service and these, in the form that browsers send.
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
    /// Returns whether pages of an origin may call the service.
    #[must_use]
    pub fn allow(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Own => false,
            Self::Any => true,
            Self::Listed(origins) => origins.contains(origin),
        }
    }
}

/// The CORS headers of the answer to a request.
#[derive(Debug, Clone)]
pub(super) enum Cors {
    /// None.
    Silent,
    /// `Vary`: the answer to another origin may differ.
    Varies,
    /// This origin may read the answer.
    Allows(HeaderValue),
}

impl Cors {
    /// Returns the CORS headers of the answer to a request with these headers.
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

    /// Returns whether a request is a preflight.
    pub(super) fn is_preflight(&self, request: &RequestHead) -> bool {
        matches!(self, Self::Allows(_))
            && request.method == Method::OPTIONS
            && request.headers().contains_key(ORIGIN)
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Adds the headers.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
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

/// Returns the answer to a preflight of an allowed page. All requested headers are allowed, because routes ignore those that they do not
/// use.
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
    fn origins_are_parsed_as_browsers_write_them() {
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
