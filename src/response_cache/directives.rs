//! The directives of `Cache-Control` in requests and responses (RFC 9111, sections 5.2.1 and 5.2.2; RFC 5861).
//!
//! They are parsed strictly. If a directive is repeated, the stricter value applies. A time that is not a number is zero if zero is
//! the stricter value, and is ignored otherwise. A time that is too large is [`MAX_DELTA_SECONDS`].

use actix_web::http::header::{AsHeaderName, CACHE_CONTROL, HeaderMap, PRAGMA};

/// The value of a time that is too large (RFC 9111, section 1.2.2).
pub const MAX_DELTA_SECONDS: u32 = 1 << 31;

/// The directives of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestDirectives {
    /// `no-cache`: no response that was not validated for this request.
    pub no_cache: bool,
    /// `no-store`: the response must not be stored.
    pub no_store: bool,
    /// `only-if-cached`: a stored response, or none.
    pub only_if_cached: bool,
    /// `max-age`: the maximum age of the response, in seconds.
    pub max_age: Option<u32>,
    /// `min-fresh`: for how many more seconds the response has to be fresh.
    pub min_fresh: Option<u32>,
    /// `max-stale`: for how many seconds the response may have been stale.
    pub max_stale: Option<u32>,
    /// `stale-if-error`: for how many seconds a response may have been stale that replaces an error.
    pub stale_if_error: Option<u32>,
}

/// The directives of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseDirectives {
    /// `no-store`, `private` or `no-cache`: not stored. Field names are ignored, which is the stricter reading.
    pub uncacheable: bool,
    /// `must-revalidate`, `proxy-revalidate`, or `s-maxage`, which implies the latter: not served stale.
    pub must_revalidate: bool,
    /// `public`, `must-revalidate` or `s-maxage`: may be shared although the request had `Authorization` (RFC 9111, section 3.5).
    pub allows_authorized: bool,
    /// `s-maxage`, else `max-age`: the freshness lifetime in a shared cache, in seconds.
    pub freshness_lifetime: Option<u32>,
    /// For how many seconds after that it may be served stale while a new one is fetched.
    pub stale_while_revalidate: Option<u32>,
    /// For how many seconds after that it may be served stale instead of an error.
    pub stale_if_error: Option<u32>,
}

impl RequestDirectives {
    /// Reads the directives from a request's headers. `Pragma: no-cache` applies if there is no `Cache-Control` (section 5.4).
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut all = Self::default();
        if !headers.contains_key(CACHE_CONTROL) {
            for_each(headers, PRAGMA, |name, _| {
                all.no_cache |= name.eq_ignore_ascii_case(b"no-cache");
            });
            return all;
        }
        for_each(headers, CACHE_CONTROL, |name, value| {
            match name.to_ascii_lowercase().as_slice() {
                b"no-cache" => all.no_cache = true,
                b"no-store" => all.no_store = true,
                b"only-if-cached" => all.only_if_cached = true,
                b"max-age" => merge(&mut all.max_age, Some(seconds(value).unwrap_or(0)), Ord::min),
                b"min-fresh" => merge(&mut all.min_fresh, seconds(value), Ord::max),
                // Without a value any staleness is accepted.
                b"max-stale" if value.is_none() => merge(&mut all.max_stale, Some(MAX_DELTA_SECONDS), Ord::min),
                b"max-stale" => merge(&mut all.max_stale, Some(seconds(value).unwrap_or(0)), Ord::min),
                b"stale-if-error" => merge(&mut all.stale_if_error, seconds(value), Ord::min),
                _ => {}
            }
        });
        all
    }
}

impl ResponseDirectives {
    /// Reads the directives from a response's headers.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut all = Self::default();
        let (mut shared, mut any) = (None, None);
        for_each(headers, CACHE_CONTROL, |name, value| {
            match name.to_ascii_lowercase().as_slice() {
                b"no-store" | b"private" | b"no-cache" => all.uncacheable = true,
                b"public" => all.allows_authorized = true,
                b"must-revalidate" => (all.must_revalidate, all.allows_authorized) = (true, true),
                b"proxy-revalidate" => all.must_revalidate = true,
                b"s-maxage" => {
                    (all.must_revalidate, all.allows_authorized) = (true, true);
                    merge(&mut shared, Some(seconds(value).unwrap_or(0)), Ord::min);
                }
                b"max-age" => merge(&mut any, Some(seconds(value).unwrap_or(0)), Ord::min),
                b"stale-while-revalidate" => merge(&mut all.stale_while_revalidate, seconds(value), Ord::min),
                b"stale-if-error" => merge(&mut all.stale_if_error, seconds(value), Ord::min),
                _ => {}
            }
        });
        all.freshness_lifetime = shared.or(any);
        all
    }
}

/// Sets a value, or the stricter of two.
fn merge(place: &mut Option<u32>, value: Option<u32>, stricter: fn(u32, u32) -> u32) {
    if let Some(value) = value {
        *place = Some(place.map_or(value, |known| stricter(known, value)));
    }
}

/// Parses a number of seconds: only digits, and at most [`MAX_DELTA_SECONDS`].
pub(super) fn seconds(value: Option<&[u8]>) -> Option<u32> {
    let digits = value.filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0_u32, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        Some(sum.saturating_mul(10).saturating_add(digit).min(MAX_DELTA_SECONDS))
    })
}

/// Calls `visit` with every directive of every line of a header: its name, and its value without quotes.
fn for_each(headers: &HeaderMap, header: impl AsHeaderName, mut visit: impl FnMut(&[u8], Option<&[u8]>)) {
    for line in headers.get_all(header) {
        for part in split_list(line.as_bytes()) {
            let (name, value) = match part.iter().position(|byte| *byte == b'=') {
                Some(at) => (&part[..at], Some(unquote(part[at + 1..].trim_ascii()))),
                None => (part, None),
            };
            visit(name.trim_ascii(), value);
        }
    }
}

/// Returns the members of a comma-separated list, trimmed, without empty ones. A comma in quotes does not separate members, unless the
/// quotes are not closed.
pub fn split_list(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let list = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = list.iter().position(|byte| {
            let was_escaped = escaped;
            escaped = quoted && !was_escaped && *byte == b'\\';
            if *byte == b'"' && !was_escaped {
                quoted = !quoted;
            }
            *byte == b',' && !quoted
        });
        let end = end.or_else(|| quoted.then(|| list.iter().position(|byte| *byte == b','))?);
        rest = end.map(|end| &list[end + 1..]);
        Some(list[..end.unwrap_or(list.len())].trim_ascii())
    })
    .filter(|part| !part.is_empty())
}

/// Removes quotes. Escapes stay, because no value that is read here has one.
fn unquote(value: &[u8]) -> &[u8] {
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn request(lines: &[&str]) -> RequestDirectives {
        RequestDirectives::of(&headers(lines))
    }

    fn response(lines: &[&str]) -> ResponseDirectives {
        ResponseDirectives::of(&headers(lines))
    }

    #[test]
    fn directives_may_be_in_any_case_and_on_several_lines() {
        let all = request(&[
            "No-Cache , ONLY-IF-CACHED",
            "max-age=5,min-fresh = 7",
            "max-stale, no-store",
        ]);
        assert!(all.no_cache && all.only_if_cached && all.no_store);
        assert_eq!(
            (all.max_age, all.min_fresh, all.max_stale),
            (Some(5), Some(7), Some(MAX_DELTA_SECONDS))
        );
        assert_eq!(request(&[]), RequestDirectives::default());
    }

    #[test]
    fn pragma_applies_without_cache_control() {
        let mut headers = HeaderMap::new();
        headers.insert(PRAGMA, HeaderValue::from_static("x, No-Cache"));
        assert!(RequestDirectives::of(&headers).no_cache);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=10"));
        assert!(!RequestDirectives::of(&headers).no_cache);
    }

    #[test]
    fn the_stricter_of_two_values_applies() {
        let all = request(&[
            "max-age=5, max-age=3, min-fresh=5, min-fresh=9",
            "max-stale=4, max-stale",
        ]);
        assert_eq!((all.max_age, all.min_fresh, all.max_stale), (Some(3), Some(9), Some(4)));
        assert_eq!(response(&["max-age=5", "max-age=x"]).freshness_lifetime, Some(0));
    }

    #[test]
    fn numbers_may_be_quoted_or_huge_and_invalid_ones_allow_nothing() {
        assert_eq!(request(&["max-age=\"17\""]).max_age, Some(17));
        assert_eq!(
            request(&["max-age=99999999999999999999999"]).max_age,
            Some(MAX_DELTA_SECONDS)
        );
        for nonsense in ["", "x", "-1", "1.5", "+3", "\"", "\"\"", "1 2"] {
            let lines = ["max-age", "max-stale", "min-fresh"].map(|name| format!("{name}={nonsense}"));
            let all = request(&lines.each_ref().map(String::as_str));
            assert_eq!(
                (all.max_age, all.max_stale, all.min_fresh),
                (Some(0), Some(0), None),
                "{nonsense}"
            );
            let lines = ["s-maxage", "stale-if-error"].map(|name| format!("{name}={nonsense}"));
            let all = response(&lines.each_ref().map(String::as_str));
            assert_eq!(
                (all.freshness_lifetime, all.stale_if_error),
                (Some(0), None),
                "{nonsense}"
            );
        }
    }

    #[test]
    fn quoted_text_is_not_a_directive() {
        let all = response(&[r#"x="a, no-store, \", private", max-age=3"#]);
        assert!(!all.uncacheable);
        assert_eq!(all.freshness_lifetime, Some(3));
        // An unclosed quote does not hide the directives after it.
        assert!(response(&["x=\"a, private"]).uncacheable);
        // Field names are ignored.
        assert!(response(&["private=\"set-cookie\""]).uncacheable);
        assert!(response(&["no-cache=\"a, b\""]).uncacheable);
    }

    #[test]
    fn s_maxage_applies_in_a_shared_cache() {
        let all = response(&["max-age=10, s-maxage=20, stale-while-revalidate=3, stale-if-error=4"]);
        assert_eq!(all.freshness_lifetime, Some(20));
        assert!(all.must_revalidate && all.allows_authorized);
        assert_eq!((all.stale_while_revalidate, all.stale_if_error), (Some(3), Some(4)));
        assert!(!response(&["proxy-revalidate"]).allows_authorized);
        assert!(response(&["public"]).allows_authorized && !response(&["public"]).must_revalidate);
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(line in "[ -~\\t]{0,200}") {
            let _ = request(&[&line]);
            let _ = response(&[&line]);
        }

        #[test]
        fn a_list_of_plain_words_is_split_at_its_commas(words in prop::collection::vec("[a-z=0-9]{1,8}", 0..8)) {
            let list = words.join(" ,, ");
            let split: Vec<&[u8]> = split_list(list.as_bytes()).collect();
            prop_assert_eq!(split, words.iter().map(String::as_bytes).collect::<Vec<_>>());
        }
    }
}
