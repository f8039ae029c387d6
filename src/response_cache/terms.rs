//! What may be kept and for how long, and what that is good for later (RFC 9111, sections 3, 4.2 and 5.2; RFC 5861).
//!
//! Pure: an answer's headers and age come in, a decision goes out.

use super::directives::{RequestDirectives, ResponseDirectives};
use super::status::{Forward, Left};
use super::validators::date;
use actix_web::http::StatusCode;
use actix_web::http::header::{AGE, DATE, EXPIRES, HeaderMap, HeaderName, SET_COOKIE, VARY};
use std::time::{Duration, SystemTime};

/// A response that varies on more headers than this is not kept.
pub const MAX_VARY: usize = 8;

/// What holds where a response does not say otherwise.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long a response is fresh; `None` keeps those alone that say it themselves.
    pub ttl: Option<Duration>,
    /// How long after that it is served while a new one is fetched.
    pub stale_while_revalidate: Duration,
    /// How long after that it is served where the alternative is an error.
    pub stale_if_error: Duration,
    /// Which statuses are kept.
    pub statuses: Vec<StatusCode>,
    /// Whether answers to requests with `Authorization` are anybody's.
    pub share_authorized: bool,
    /// Whether answers with `Set-Cookie` are anybody's.
    pub share_cookies: bool,
    /// For how long after its making a response is fresh enough for any client.
    pub floor: Duration,
}

/// What holds for one kept response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long it is fresh.
    pub fresh: Duration,
    /// How long after that it is served while a new one is fetched.
    pub stale_while_revalidate: Duration,
    /// How long after that it is served where the alternative is an error.
    pub stale_if_error: Duration,
    /// How old it was when it was made here: another cache may stand behind the handler.
    pub born_aged: Duration,
    /// Whether it must not be used when stale; then the two windows are zero.
    pub must_revalidate: bool,
    /// Whether those with `Authorization` may have it.
    pub open: bool,
}

/// What becomes of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is kept.
    Keep(Terms),
    /// A failure: told to all who wait for it now, and not kept. Else each of them would ask a handler that fails already.
    Tell,
    /// It is for this client alone, and why.
    Alone(&'static str),
}

impl Rules {
    /// What becomes of a response to a request that was, or was not, authorized.
    #[must_use]
    pub fn judge(&self, status: StatusCode, headers: &HeaderMap, authorized: bool, now: SystemTime) -> Verdict {
        let said = ResponseDirectives::of(headers);
        if said.closed {
            return Verdict::Alone("response-says-so");
        }
        if headers.contains_key(SET_COOKIE) && !self.share_cookies {
            return Verdict::Alone("sets-cookie");
        }
        let open = said.open || self.share_authorized;
        if authorized && !open {
            return Verdict::Alone("authorized");
        }
        if varies_on(headers).is_none() {
            return Verdict::Alone("varies-too-much");
        }
        if is_failure(status) && !self.statuses.contains(&status) {
            return Verdict::Tell;
        }
        // A part, or a confirmation of what somebody else has, is no answer to keep.
        let partial = matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
        if partial || !self.statuses.contains(&status) {
            return Verdict::Alone("status");
        }
        let Some(fresh) = said.fresh.map(seconds).or_else(|| expires(headers, now)).or(self.ttl) else {
            return Verdict::Alone("no-lifetime");
        };
        let born_aged = headers
            .get(AGE)
            .and_then(|age| super::directives::seconds(Some(age.as_bytes().trim_ascii())))
            .map_or(Duration::ZERO, seconds);
        if fresh <= born_aged {
            return Verdict::Alone("no-lifetime");
        }
        let must_revalidate = said.must_revalidate;
        let window = |said: Option<u32>, else_: Duration| match said {
            _ if must_revalidate => Duration::ZERO,
            Some(said) => seconds(said),
            None => else_,
        };
        Verdict::Keep(Terms {
            fresh,
            stale_while_revalidate: window(said.stale_while_revalidate, self.stale_while_revalidate),
            stale_if_error: window(said.stale_if_error, self.stale_if_error),
            born_aged,
            must_revalidate,
            open,
        })
    }
}

/// What a kept response is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is the answer.
    Serve(Left),
    /// It is the answer, and a new one is to be fetched behind it.
    ServeAndRefresh(Left),
    /// The handler has to be asked.
    Forward(Forward),
}

impl Terms {
    /// Of what is not kept.
    pub const NONE: Self = Self {
        fresh: Duration::ZERO,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        born_aged: Duration::ZERO,
        must_revalidate: false,
        open: false,
    };

    /// How long it is fresh from its making on.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.fresh.saturating_sub(self.born_aged)
    }

    /// What it is good for, `age` after its making, for a client that asks so.
    ///
    /// `floor` is what keeps clients that always ask for something new from asking the handler: what was made so lately
    /// counts as validated for them, as long as it is fresh at all. With `no-store` whatever is fresh does.
    #[must_use]
    pub fn good_for(&self, age: Duration, asked: &RequestDirectives, floor: Duration) -> Use {
        let left = self.left(age);
        let full_age = age + self.born_aged;
        let too_old = asked.max_age.is_some_and(|most| full_age > seconds(most));
        match left {
            Left::Fresh(for_another) => {
                let too_short = asked.min_fresh.is_some_and(|least| for_another < seconds(least));
                // What comes of `no-store` is not kept: the floor would never move for who wants that as well.
                let impatient = (asked.no_cache || too_old || too_short) && !asked.no_store;
                if impatient && age >= floor {
                    Use::Forward(Forward::Request)
                } else {
                    Use::Serve(left)
                }
            }
            Left::Stale(since) => {
                let takes_stale = !asked.no_cache && !too_old && asked.min_fresh.is_none();
                if self.must_revalidate || !takes_stale {
                    Use::Forward(Forward::Stale)
                } else if since <= self.stale_while_revalidate && asked.max_age.is_none() {
                    Use::ServeAndRefresh(left)
                } else if asked.max_stale.is_some_and(|most| since <= seconds(most)) {
                    Use::Serve(left)
                } else {
                    Use::Forward(Forward::Stale)
                }
            }
        }
    }

    /// Whether it is better than the error that a handler answered with.
    #[must_use]
    pub fn good_after_error(&self, age: Duration, asked: &RequestDirectives) -> bool {
        match self.left(age) {
            Left::Fresh(_) => true,
            Left::Stale(_) if self.must_revalidate => false,
            Left::Stale(since) => {
                since <= self.stale_if_error || asked.stale_if_error.is_some_and(|most| since <= seconds(most))
            }
        }
    }

    /// How fresh or stale it is.
    #[must_use]
    pub fn left(&self, age: Duration) -> Left {
        match self.lifetime().checked_sub(age) {
            Some(left) if !left.is_zero() => Left::Fresh(left),
            _ => Left::Stale(age.saturating_sub(self.lifetime())),
        }
    }
}

/// The statuses in whose place something stale is served (RFC 5861, section 4).
#[must_use]
pub fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// The headers that a response says it varies on; `None` if nobody can tell (`*`) or there are too many.
#[must_use]
pub fn varies_on(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for line in headers.get_all(VARY) {
        for name in super::directives::split_list(line.as_bytes()) {
            // It would be read as a header's name.
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

/// What `Expires` leaves; a date that is none is past (RFC 9111, section 5.3).
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
        rules().judge(StatusCode::OK, &map(all), false, clock::now().into())
    }

    fn fresh_s(verdict: Verdict) -> Option<u64> {
        match verdict {
            Verdict::Keep(terms) => Some(terms.lifetime().as_secs()),
            _ => None,
        }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_response_says_how_long_and_the_rules_where_it_does_not() {
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
        let verdict = without.judge(StatusCode::OK, &map(&[]), false, clock::now().into());
        assert_eq!(verdict, Verdict::Alone("no-lifetime"));
    }

    #[test]
    fn what_is_for_one_client_is_not_kept() {
        for said in [
            "private",
            "no-store",
            "no-cache",
            "private=\"x\", max-age=5",
            "max-age=60, no-store",
        ] {
            assert_eq!(
                judged(&[(CACHE_CONTROL, said)]),
                Verdict::Alone("response-says-so"),
                "{said}"
            );
        }
        assert_eq!(judged(&[(SET_COOKIE, "a=b")]), Verdict::Alone("sets-cookie"));
        for vary in ["*", "accept, *", "a, b, c, d, e, f, g, h, i", "ä"] {
            let headers = {
                let mut headers = HeaderMap::new();
                headers.insert(VARY, HeaderValue::from_bytes(vary.as_bytes()).unwrap());
                headers
            };
            let verdict = rules().judge(StatusCode::OK, &headers, false, clock::now().into());
            assert_eq!(verdict, Verdict::Alone("varies-too-much"), "{vary}");
        }
        for status in [
            StatusCode::BAD_REQUEST,
            StatusCode::PARTIAL_CONTENT,
            StatusCode::CREATED,
        ] {
            let verdict = rules().judge(status, &map(&[]), false, clock::now().into());
            assert_eq!(verdict, Verdict::Alone("status"), "{status}");
        }
    }

    #[test]
    fn an_authorized_answer_is_shared_only_if_somebody_says_so() {
        let of = |rules: &Rules, said: &str| {
            let headers = map(&[(CACHE_CONTROL, said)]);
            rules.judge(StatusCode::OK, &headers, true, clock::now().into())
        };
        assert_eq!(of(&rules(), "max-age=5"), Verdict::Alone("authorized"));
        for said in ["public, max-age=5", "s-maxage=5", "must-revalidate, max-age=5"] {
            assert!(
                matches!(of(&rules(), said), Verdict::Keep(terms) if terms.open),
                "{said}"
            );
        }
        let sharing = Rules {
            share_authorized: true,
            ..rules()
        };
        assert!(matches!(of(&sharing, "max-age=5"), Verdict::Keep(terms) if terms.open));
        assert!(matches!(judged(&[]), Verdict::Keep(terms) if !terms.open));
    }

    #[test]
    fn a_failure_is_told_and_not_kept() {
        let of = |headers: &[(HeaderName, &str)]| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            rules().judge(status, &map(headers), false, clock::now().into())
        };
        assert_eq!(of(&[]), Verdict::Tell);
        assert_eq!(of(&[(CACHE_CONTROL, "private")]), Verdict::Alone("response-says-so"));
        assert_eq!(of(&[(SET_COOKIE, "a=b")]), Verdict::Alone("sets-cookie"));
    }

    fn terms() -> Terms {
        Terms {
            fresh: s(10),
            stale_while_revalidate: s(5),
            stale_if_error: s(20),
            born_aged: Duration::ZERO,
            must_revalidate: false,
            open: false,
        }
    }

    fn used(terms: &Terms, age: u64, asked: &str) -> String {
        let asked = RequestDirectives::of(&map(&[(CACHE_CONTROL, asked)]));
        match terms.good_for(s(age), &asked, s(1)) {
            Use::Serve(Left::Fresh(left)) => format!("fresh {}", left.as_secs()),
            Use::Serve(Left::Stale(since)) => format!("stale {}", since.as_secs()),
            Use::ServeAndRefresh(_) => "refresh".to_owned(),
            Use::Forward(why) => why.as_str().to_owned(),
        }
    }

    #[test]
    fn what_a_kept_response_is_good_for() {
        for (age, asked, good_for) in [
            (0, "", "fresh 10"),
            (9, "", "fresh 1"),
            (10, "", "refresh"),
            (15, "", "refresh"),
            (16, "", "stale"),
            // The client wants something newer: not if it is as new as the floor has it.
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
            // No stale answer for who sets a limit, unless it says that it takes one.
            (11, "no-cache", "stale"),
            (11, "min-fresh=0", "stale"),
            (11, "max-age=60", "stale"),
            (11, "max-age=60, max-stale", "stale 1"),
            (11, "max-age=5, max-stale", "stale"),
            (18, "max-stale=8", "stale 8"),
            (18, "max-stale=7", "stale"),
            (18, "max-stale", "stale 8"),
        ] {
            assert_eq!(used(&terms(), age, asked), good_for, "{age} {asked}");
        }
        let strict = Terms {
            must_revalidate: true,
            ..terms()
        };
        assert_eq!(used(&strict, 11, "max-stale"), "stale");
        let said = [(CACHE_CONTROL, "must-revalidate, max-age=5, stale-if-error=9")];
        assert!(
            matches!(judged(&said), Verdict::Keep(terms) if terms.must_revalidate && terms.stale_if_error.is_zero())
        );
        let aged = Terms {
            born_aged: s(4),
            ..terms()
        };
        assert_eq!(used(&aged, 5, ""), "fresh 1");
        assert_eq!(used(&aged, 2, "max-age=5"), "request");
    }

    #[test]
    fn something_stale_is_better_than_an_error_for_as_long_as_allowed() {
        let good = |terms: &Terms, age: u64, asked: &str| {
            let asked = RequestDirectives::of(&map(&[(CACHE_CONTROL, asked)]));
            terms.good_after_error(s(age), &asked)
        };
        assert!(good(&terms(), 30, "") && !good(&terms(), 31, ""));
        assert!(good(&terms(), 31, "stale-if-error=21"));
        assert!(good(&terms(), 5, "no-cache"));
        let strict = Terms {
            must_revalidate: true,
            ..terms()
        };
        assert!(!good(&strict, 11, "stale-if-error=99"));
    }
}
