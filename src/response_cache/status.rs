//! The header `Cache-Status` (RFC 9211): what became of a request here.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use std::fmt::Write;
use std::time::Duration;

/// The header's name.
pub static CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request went on to the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// The cache is not for such requests.
    Bypass,
    /// Nor for such methods.
    Method,
    /// There is nothing under its key.
    UriMiss,
    /// There is, but for other values of the headers that it varies on.
    VaryMiss,
    /// Nobody can say what there is: the store did not answer.
    Miss,
    /// There is, and the client wanted it validated.
    Request,
    /// There is, and it is stale.
    Stale,
}

impl Forward {
    /// The word of RFC 9211, section 2.2.
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

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Refused: it is not there, and the client wanted nothing else.
    NotCached,
    /// Answered from the cache.
    Hit {
        /// For how much longer it is fresh.
        left: Left,
    },
    /// Answered by the handler.
    Forwarded {
        /// Why it was asked.
        why: Forward,
        /// What it answered, where that is not what the client is told.
        answered: Option<StatusCode>,
        /// Whether the answer is kept.
        stored: bool,
        /// Whether it was another request that asked it.
        collapsed: bool,
        /// More, for those who look into it.
        detail: Option<&'static str>,
    },
}

/// How long something is fresh still, or has been stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// For so long.
    Fresh(Duration),
    /// Since so long.
    Stale(Duration),
}

impl Status {
    /// Adds it behind those of the caches that were asked before, if there were any.
    pub fn say(self, headers: &mut HeaderMap) {
        headers.append(CACHE_STATUS.clone(), self.header());
    }

    fn header(self) -> HeaderValue {
        let mut text = String::from("fleetpulse");
        // Writing to a String cannot fail.
        let _ = match self {
            Self::NotCached => write!(text, "; detail=not-cached"),
            Self::Hit {
                left: Left::Fresh(left),
            } => write!(text, "; hit; ttl={}", left.as_secs()),
            Self::Hit {
                left: Left::Stale(since),
            } => write!(text, "; hit; ttl=-{}", since.as_millis().div_ceil(1_000)),
            Self::Forwarded { why, .. } => write!(text, "; fwd={}", why.as_str()),
        };
        if let Self::Forwarded {
            answered,
            stored,
            collapsed,
            detail,
            ..
        } = self
        {
            if let Some(answered) = answered {
                let _ = write!(text, "; fwd-status={}", answered.as_u16());
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
    fn it_reads_as_the_rfc_has_it() {
        let hit = |left| Status::Hit { left }.header();
        assert_eq!(
            hit(Left::Fresh(Duration::from_millis(30_900))),
            "fleetpulse; hit; ttl=30"
        );
        assert_eq!(hit(Left::Stale(Duration::from_secs(5))), "fleetpulse; hit; ttl=-5");
        let bypass = Status::Forwarded {
            why: Forward::Bypass,
            answered: None,
            stored: false,
            collapsed: false,
            detail: None,
        };
        assert_eq!(bypass.header(), "fleetpulse; fwd=bypass");
        assert_eq!(Status::NotCached.header(), "fleetpulse; detail=not-cached");
        let all = Status::Forwarded {
            why: Forward::Stale,
            answered: Some(StatusCode::NOT_MODIFIED),
            stored: true,
            collapsed: true,
            detail: Some("redis-away"),
        };
        assert_eq!(
            all.header(),
            "fleetpulse; fwd=stale; fwd-status=304; stored; collapsed; detail=redis-away"
        );
    }
}
