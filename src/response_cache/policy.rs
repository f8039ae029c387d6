//! Which responses may be stored and for how long, and when a stored response may be served (RFC 9111, sections 3, 4.2 and 5.2; RFC
//! 5861).
//!
//! Pure functions of headers and ages, without I/O and without a clock.

use super::directives::{RequestDirectives, ResponseDirectives};
use super::status::{Forward, Freshness};
use super::validators::date;
use actix_web::http::StatusCode;
use actix_web::http::header::{AGE, DATE, EXPIRES, HeaderMap, HeaderName, SET_COOKIE, VARY};
use std::time::{Duration, SystemTime};

/// A response that varies on more headers than this is not stored.
pub const MAX_VARY: usize = 8;

/// The rule of a route: what applies if a response does not say otherwise.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long a response is fresh; `None` stores only responses with a lifetime of their own.
    pub ttl: Option<Duration>,
    /// How long after that it is served stale while a new one is fetched.
    pub stale_while_revalidate: Duration,
    /// How long after that it is served stale instead of an error.
    pub stale_if_error: Duration,
    /// The statuses that are stored.
    pub statuses: Vec<StatusCode>,
    /// Whether responses to requests with `Authorization` are shared.
    pub share_authorized: bool,
    /// Whether responses with `Set-Cookie` are shared.
    pub share_cookies: bool,
    /// The age up to which a response is fresh enough for any client.
    pub floor: Duration,
}

/// The policy of one stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePolicy {
    /// Its freshness lifetime (RFC 9111, section 4.2.1).
    pub freshness_lifetime: Duration,
    /// How long after that it is served stale while a new one is fetched.
    pub stale_while_revalidate: Duration,
    /// How long after that it is served stale instead of an error.
    pub stale_if_error: Duration,
    /// Its age when the handler returned it, if there is a cache behind the handler.
    pub initial_age: Duration,
    /// Whether it must not be served stale; then the two windows are zero.
    pub must_revalidate: bool,
    /// Whether it may be served to requests with `Authorization` (RFC 9111, section 3.5).
    pub allows_authorized: bool,
}

/// Whether a response is stored and shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is stored, under this policy.
    Store(CachePolicy),
    /// It is an error: shared with the followers, so that they do not call a handler that fails already, and not stored.
    ShareOnly,
    /// It is for this client only, for this reason.
    NotShared(&'static str),
}

impl Rules {
    /// Returns whether a response is stored and shared. `authorized`: its request had `Authorization`.
    #[must_use]
    pub fn evaluate(&self, status: StatusCode, headers: &HeaderMap, authorized: bool, now: SystemTime) -> Verdict {
        let directives = ResponseDirectives::of(headers);
        if directives.uncacheable {
            return Verdict::NotShared("uncacheable");
        }
        if headers.contains_key(SET_COOKIE) && !self.share_cookies {
            return Verdict::NotShared("sets-cookie");
        }
        let allows_authorized = directives.allows_authorized || self.share_authorized;
        if authorized && !allows_authorized {
            return Verdict::NotShared("authorized");
        }
        if varies_on(headers).is_none() {
            return Verdict::NotShared("varies-too-much");
        }
        if is_failure(status) && !self.statuses.contains(&status) {
            return Verdict::ShareOnly;
        }
        // A partial response, or a 304 for another cache's response, cannot be stored.
        let partial = matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
        if partial || !self.statuses.contains(&status) {
            return Verdict::NotShared("status");
        }
        let explicit = directives.freshness_lifetime.map(seconds);
        let Some(freshness_lifetime) = explicit.or_else(|| expires(headers, now)).or(self.ttl) else {
            return Verdict::NotShared("no-lifetime");
        };
        let initial_age = headers
            .get(AGE)
            .and_then(|age| super::directives::seconds(Some(age.as_bytes().trim_ascii())))
            .map_or(Duration::ZERO, seconds);
        if freshness_lifetime <= initial_age {
            return Verdict::NotShared("no-lifetime");
        }
        let must_revalidate = directives.must_revalidate;
        let window = |directive: Option<u32>, default: Duration| match directive {
            _ if must_revalidate => Duration::ZERO,
            Some(window) => seconds(window),
            None => default,
        };
        Verdict::Store(CachePolicy {
            freshness_lifetime,
            stale_while_revalidate: window(directives.stale_while_revalidate, self.stale_while_revalidate),
            stale_if_error: window(directives.stale_if_error, self.stale_if_error),
            initial_age,
            must_revalidate,
            allows_authorized,
        })
    }
}

/// Whether a stored response may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Serve it.
    Serve(Freshness),
    /// Serve it, and fetch a new one in the background.
    ServeAndRevalidate(Freshness),
    /// Call the handler.
    Forward(Forward),
}

impl CachePolicy {
    /// The policy of a response that is not stored.
    pub const NONE: Self = Self {
        freshness_lifetime: Duration::ZERO,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        initial_age: Duration::ZERO,
        must_revalidate: false,
        allows_authorized: false,
    };

    /// Returns how long it is fresh after the handler returned it.
    #[must_use]
    pub fn fresh_for(&self) -> Duration {
        self.freshness_lifetime.saturating_sub(self.initial_age)
    }

    /// Returns whether it may be served at this age to a client that sent these directives.
    ///
    /// A fresh response that is younger than `floor` counts as validated, so that clients that always require a new response cannot make
    /// the handler work each time. To a request with `no-store` any fresh response is served.
    #[must_use]
    pub fn decide(&self, age: Duration, request: &RequestDirectives, floor: Duration) -> Decision {
        let freshness = self.freshness(age);
        let full_age = age + self.initial_age;
        let too_old = request.max_age.is_some_and(|max| full_age > seconds(max));
        match freshness {
            Freshness::Fresh(left) => {
                let too_short = request.min_fresh.is_some_and(|min| left < seconds(min));
                // The response to a request with `no-store` is not stored, so the floor would not limit these requests.
                let wants_newer = (request.no_cache || too_old || too_short) && !request.no_store;
                if wants_newer && age >= floor {
                    Decision::Forward(Forward::Request)
                } else {
                    Decision::Serve(freshness)
                }
            }
            Freshness::Stale(since) => {
                let takes_stale = !request.no_cache && !too_old && request.min_fresh.is_none();
                if self.must_revalidate || !takes_stale {
                    Decision::Forward(Forward::Stale)
                } else if since <= self.stale_while_revalidate && request.max_age.is_none() {
                    Decision::ServeAndRevalidate(freshness)
                } else if request.max_stale.is_some_and(|max| since <= seconds(max)) {
                    Decision::Serve(freshness)
                } else {
                    Decision::Forward(Forward::Stale)
                }
            }
        }
    }

    /// Returns whether it may be served instead of an error of the handler.
    #[must_use]
    pub fn allows_stale_if_error(&self, age: Duration, request: &RequestDirectives) -> bool {
        match self.freshness(age) {
            Freshness::Fresh(_) => true,
            Freshness::Stale(_) if self.must_revalidate => false,
            Freshness::Stale(since) => {
                since <= self.stale_if_error || request.stale_if_error.is_some_and(|max| since <= seconds(max))
            }
        }
    }

    /// Returns how fresh or stale it is at this age.
    #[must_use]
    pub fn freshness(&self, age: Duration) -> Freshness {
        match self.fresh_for().checked_sub(age) {
            Some(left) if !left.is_zero() => Freshness::Fresh(left),
            _ => Freshness::Stale(age.saturating_sub(self.fresh_for())),
        }
    }
}

/// Returns whether a stale response may be served instead of a response with this status (RFC 5861, section 4).
#[must_use]
pub fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// Returns the headers that a response varies on; `None` if they are unknown (`*`) or too many.
#[must_use]
pub fn varies_on(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for line in headers.get_all(VARY) {
        for name in super::directives::split_list(line.as_bytes()) {
            // `*` is a valid header name.
            if name == b"*" {
                return None;
            }
            let name = HeaderName::from_bytes(name).ok()?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    (names.len() <= MAX_VARY).then_some(names)
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

/// Returns the freshness lifetime by `Expires`; an invalid date is in the past (RFC 9111, section 5.3).
fn expires(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let expires = headers.get(EXPIRES)?;
    let from = date(headers.get(DATE)).unwrap_or(now);
    let left = date(Some(expires)).and_then(|until| until.duration_since(from).ok());
    Some(left.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use actix_web::http::header::{CACHE_CONTROL, HeaderValue};

    fn rules() -> Rules {
        Rules {
            ttl: Some(Duration::from_mins(1)),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            statuses: vec![StatusCode::OK, StatusCode::PARTIAL_CONTENT],
            share_authorized: false,
            share_cookies: false,
            floor: Duration::from_secs(1),
        }
    }

    fn map(all: &[(HeaderName, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in all {
            map.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn judged(all: &[(HeaderName, &str)]) -> Verdict {
        rules().evaluate(StatusCode::OK, &map(all), false, clock::now().into())
    }

    fn fresh_s(verdict: Verdict) -> Option<u64> {
        match verdict {
            Verdict::Store(policy) => Some(policy.fresh_for().as_secs()),
            _ => None,
        }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_lifetime_is_that_of_the_response_or_else_of_the_rule() {
        assert_eq!(fresh_s(judged(&[])), Some(60));
        assert_eq!(fresh_s(judged(&[(CACHE_CONTROL, "max-age=5")])), Some(5));
        assert_eq!(fresh_s(judged(&[(CACHE_CONTROL, "max-age=5, s-maxage=7")])), Some(7));
        assert_eq!(fresh_s(judged(&[(CACHE_CONTROL, "max-age=50"), (AGE, "20")])), Some(30));
        for age in ["50", "4294967296", "99999999999999999999999"] {
            assert_eq!(fresh_s(judged(&[(CACHE_CONTROL, "max-age=50"), (AGE, age)])), None);
        }
        assert_eq!(fresh_s(judged(&[(CACHE_CONTROL, "max-age=0")])), None);
        let (date, later) = ("Mon, 02 Nov 2026 10:00:00 GMT", "Mon, 02 Nov 2026 10:00:09 GMT");
        assert_eq!(fresh_s(judged(&[(DATE, date), (EXPIRES, later)])), Some(9));
        assert_eq!(fresh_s(judged(&[(DATE, later), (EXPIRES, date)])), None);
        assert_eq!(fresh_s(judged(&[(EXPIRES, "0")])), None);
        let without = Rules { ttl: None, ..rules() };
        let verdict = without.evaluate(StatusCode::OK, &map(&[]), false, clock::now().into());
        assert_eq!(verdict, Verdict::NotShared("no-lifetime"));
    }

    #[test]
    fn a_response_for_one_client_is_not_stored() {
        for said in [
            "private",
            "no-store",
            "no-cache",
            "private=\"x\", max-age=5",
            "max-age=60, no-store",
        ] {
            assert_eq!(
                judged(&[(CACHE_CONTROL, said)]),
                Verdict::NotShared("uncacheable"),
                "{said}"
            );
        }
        assert_eq!(judged(&[(SET_COOKIE, "a=b")]), Verdict::NotShared("sets-cookie"));
        for vary in ["*", "accept, *", "a, b, c, d, e, f, g, h, i", "ä"] {
            let headers = {
                let mut headers = HeaderMap::new();
                headers.insert(VARY, HeaderValue::from_bytes(vary.as_bytes()).unwrap());
                headers
            };
            let verdict = rules().evaluate(StatusCode::OK, &headers, false, clock::now().into());
            assert_eq!(verdict, Verdict::NotShared("varies-too-much"), "{vary}");
        }
        for status in [
            StatusCode::BAD_REQUEST,
            StatusCode::PARTIAL_CONTENT,
            StatusCode::CREATED,
        ] {
            let verdict = rules().evaluate(status, &map(&[]), false, clock::now().into());
            assert_eq!(verdict, Verdict::NotShared("status"), "{status}");
        }
    }

    #[test]
    fn a_response_to_an_authorized_request_is_shared_only_if_allowed() {
        let of = |rules: &Rules, said: &str| {
            let headers = map(&[(CACHE_CONTROL, said)]);
            rules.evaluate(StatusCode::OK, &headers, true, clock::now().into())
        };
        assert_eq!(of(&rules(), "max-age=5"), Verdict::NotShared("authorized"));
        for said in ["public, max-age=5", "s-maxage=5", "must-revalidate, max-age=5"] {
            assert!(
                matches!(of(&rules(), said), Verdict::Store(policy) if policy.allows_authorized),
                "{said}"
            );
        }
        let sharing = Rules {
            share_authorized: true,
            ..rules()
        };
        assert!(matches!(of(&sharing, "max-age=5"), Verdict::Store(policy) if policy.allows_authorized));
        assert!(matches!(judged(&[]), Verdict::Store(policy) if !policy.allows_authorized));
    }

    #[test]
    fn an_error_is_shared_and_not_stored() {
        let of = |headers: &[(HeaderName, &str)]| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            rules().evaluate(status, &map(headers), false, clock::now().into())
        };
        assert_eq!(of(&[]), Verdict::ShareOnly);
        assert_eq!(of(&[(CACHE_CONTROL, "private")]), Verdict::NotShared("uncacheable"));
        assert_eq!(of(&[(SET_COOKIE, "a=b")]), Verdict::NotShared("sets-cookie"));
    }

    fn policy() -> CachePolicy {
        CachePolicy {
            freshness_lifetime: s(10),
            stale_while_revalidate: s(5),
            stale_if_error: s(20),
            initial_age: Duration::ZERO,
            must_revalidate: false,
            allows_authorized: false,
        }
    }

    fn used(policy: &CachePolicy, age: u64, asked: &str) -> String {
        let asked = RequestDirectives::of(&map(&[(CACHE_CONTROL, asked)]));
        match policy.decide(s(age), &asked, s(1)) {
            Decision::Serve(Freshness::Fresh(left)) => format!("fresh {}", left.as_secs()),
            Decision::Serve(Freshness::Stale(since)) => format!("stale {}", since.as_secs()),
            Decision::ServeAndRevalidate(_) => "refresh".to_owned(),
            Decision::Forward(reason) => reason.as_str().to_owned(),
        }
    }

    #[test]
    fn when_a_stored_response_is_served() {
        for (age, asked, decide) in [
            (0, "", "fresh 10"),
            (9, "", "fresh 1"),
            (10, "", "refresh"),
            (15, "", "refresh"),
            (16, "", "stale"),
            // The client requires a newer response: not if it is younger than the floor.
            (0, "no-cache", "fresh 10"),
            (1, "no-cache", "request"),
            (9, "no-cache, no-store", "fresh 1"),
            (11, "no-cache, no-store", "stale"),
            (0, "max-age=0", "fresh 10"),
            (3, "max-age=2", "request"),
            (2, "max-age=2", "fresh 8"),
            (5, "min-fresh=5", "fresh 5"),
            (6, "min-fresh=5", "request"),
            (0, "min-fresh=50", "fresh 10"),
            // No stale response for a client that sets a limit, unless it allows one.
            (11, "no-cache", "stale"),
            (11, "min-fresh=0", "stale"),
            (11, "max-age=60", "stale"),
            (11, "max-age=60, max-stale", "stale 1"),
            (11, "max-age=5, max-stale", "stale"),
            (18, "max-stale=8", "stale 8"),
            (18, "max-stale=7", "stale"),
            (18, "max-stale", "stale 8"),
        ] {
            assert_eq!(used(&policy(), age, asked), decide, "{age} {asked}");
        }
        let strict = CachePolicy {
            must_revalidate: true,
            ..policy()
        };
        assert_eq!(used(&strict, 11, "max-stale"), "stale");
        let said = [(CACHE_CONTROL, "must-revalidate, max-age=5, stale-if-error=9")];
        assert!(
            matches!(judged(&said), Verdict::Store(policy) if policy.must_revalidate && policy.stale_if_error.is_zero())
        );
        let aged = CachePolicy {
            initial_age: s(4),
            ..policy()
        };
        assert_eq!(used(&aged, 5, ""), "fresh 1");
        assert_eq!(used(&aged, 2, "max-age=5"), "request");
    }

    #[test]
    fn a_stale_response_replaces_an_error_for_as_long_as_allowed() {
        let good = |policy: &CachePolicy, age: u64, asked: &str| {
            let asked = RequestDirectives::of(&map(&[(CACHE_CONTROL, asked)]));
            policy.allows_stale_if_error(s(age), &asked)
        };
        assert!(good(&policy(), 30, "") && !good(&policy(), 31, ""));
        assert!(good(&policy(), 31, "stale-if-error=21"));
        assert!(good(&policy(), 5, "no-cache"));
        let strict = CachePolicy {
            must_revalidate: true,
            ..policy()
        };
        assert!(!good(&strict, 11, "stale-if-error=99"));
    }
}
