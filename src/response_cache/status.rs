//! The header `Cache-Status` (RFC 9211): how the cache handled a request.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use std::fmt::Write;
use std::time::Duration;

/// The header's name.
pub static CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request was forwarded to the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// The cache does not apply to the request.
    Bypass,
    /// The cache does not apply to the method.
    Method,
    /// Nothing is stored under its key.
    UriMiss,
    /// A response is stored, for other values of the headers that it varies on.
    VaryMiss,
    /// Unknown whether a response is stored: Redis did not answer.
    Miss,
    /// A fresh response is stored, and the client requires validation.
    Request,
    /// A stale response is stored.
    Stale,
}

impl Forward {
    /// Returns the token of RFC 9211, section 2.2.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

/// How the cache handled a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Refused: nothing is stored, and the client sent `only-if-cached`.
    NotCached,
    /// Answered from the cache.
    Hit {
        /// Whether the response is fresh.
        freshness: Freshness,
    },
    /// Answered by the handler.
    Forwarded {
        /// Why it was called.
        reason: Forward,
        /// The handler's status, if the client gets another one.
        handler_status: Option<StatusCode>,
        /// Whether the response is stored.
        stored: bool,
        /// Whether it was called for another request.
        collapsed: bool,
        /// A detail for troubleshooting.
        detail: Option<&'static str>,
    },
}

/// How long a response stays fresh, or has been stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It stays fresh for this long.
    Fresh(Duration),
    /// It has been stale for this long.
    Stale(Duration),
}

impl Status {
    /// Appends the header, after those of other caches.
    pub fn append_to(self, headers: &mut HeaderMap) {
        headers.append(CACHE_STATUS.clone(), self.header());
    }

    fn header(self) -> HeaderValue {
        let mut text = String::from("fleetpulse");
        // Writing to a String cannot fail.
        let _ = match self {
            Self::NotCached => write!(text, "; detail=not-cached"),
            Self::Hit {
                freshness: Freshness::Fresh(left),
            } => write!(text, "; hit; ttl={}", left.as_secs()),
            Self::Hit {
                freshness: Freshness::Stale(since),
            } => write!(text, "; hit; ttl=-{}", since.as_millis().div_ceil(1_000)),
            Self::Forwarded { reason, .. } => write!(text, "; fwd={}", reason.as_str()),
        };
        if let Self::Forwarded {
            handler_status,
            stored,
            collapsed,
            detail,
            ..
        } = self
        {
            if let Some(status) = handler_status {
                let _ = write!(text, "; fwd-status={}", status.as_u16());
            }
            text.push_str(if stored { "; stored" } else { "" });
            text.push_str(if collapsed { "; collapsed" } else { "" });
            if let Some(detail) = detail {
                let _ = write!(text, "; detail={detail}");
            }
        }
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("fleetpulse"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_form_of_the_rfc() {
        let hit = |freshness| Status::Hit { freshness }.header();
        assert_eq!(
            hit(Freshness::Fresh(Duration::from_millis(30_900))),
            "fleetpulse; hit; ttl=30"
        );
        assert_eq!(hit(Freshness::Stale(Duration::from_secs(5))), "fleetpulse; hit; ttl=-5");
        let bypass = Status::Forwarded {
            reason: Forward::Bypass,
            handler_status: None,
            stored: false,
            collapsed: false,
            detail: None,
        };
        assert_eq!(bypass.header(), "fleetpulse; fwd=bypass");
        assert_eq!(Status::NotCached.header(), "fleetpulse; detail=not-cached");
        let all = Status::Forwarded {
            reason: Forward::Stale,
            handler_status: Some(StatusCode::NOT_MODIFIED),
            stored: true,
            collapsed: true,
            detail: Some("redis-unavailable"),
        };
        assert_eq!(
            all.header(),
            "fleetpulse; fwd=stale; fwd-status=304; stored; collapsed; detail=redis-unavailable"
        );
    }
}
