//! What `Cache-Control` says, of a request and of a response (RFC 9111, sections 5.2.1 and 5.2.2; RFC 5861).
//!
//! Read on the safe side. A directive that is given twice counts in its stricter form; a time that is no number is zero
//! where that means "ask again" and nothing where it would allow something; one too large to count is the largest.

use actix_web::http::header::{AsHeaderName, CACHE_CONTROL, HeaderMap, PRAGMA};

/// Seconds that are as good as for ever (RFC 9111, section 1.2.2).
pub const FOREVER_S: u32 = 1 << 31;

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestDirectives {
    /// Nothing that was not validated for it.
    pub no_cache: bool,
    /// Nothing of this is to be kept.
    pub no_store: bool,
    /// What is kept, or nothing.
    pub only_if_cached: bool,
    /// The greatest age that it takes, in seconds.
    pub max_age: Option<u32>,
    /// For how many seconds more it has to be fresh.
    pub min_fresh: Option<u32>,
    /// By how many seconds it may be stale.
    pub max_stale: Option<u32>,
    /// By how many seconds it may be stale where the alternative is an error.
    pub stale_if_error: Option<u32>,
}

/// What whoever made a response allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseDirectives {
    /// Not to be kept for others: `no-store`, `private`, or `no-cache`, which is to be asked about each time. With field names
    /// as well as without, because the simpler reading is the safer.
    pub closed: bool,
    /// Not to be used when stale: `must-revalidate`, `proxy-revalidate`, and `s-maxage`, which includes the latter.
    pub must_revalidate: bool,
    /// `public`, `must-revalidate` or `s-maxage`: may be shared though the request was authorized (RFC 9111, section 3.5).
    pub open: bool,
    /// For how many seconds it is fresh in a shared cache: `s-maxage`, else `max-age`.
    pub fresh: Option<u32>,
    /// For how many seconds after that it may be served while a new one is fetched.
    pub stale_while_revalidate: Option<u32>,
    /// For how many seconds after that it may be served where the alternative is an error.
    pub stale_if_error: Option<u32>,
}

impl RequestDirectives {
    /// Reads them from a request's headers; `Pragma: no-cache` counts where there is no `Cache-Control` (section 5.4).
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut all = Self::default();
        if !headers.contains_key(CACHE_CONTROL) {
            each(headers, PRAGMA, |name, _| {
                all.no_cache |= name.eq_ignore_ascii_case(b"no-cache");
            });
            return all;
        }
        each(headers, CACHE_CONTROL, |name, value| {
            match name.to_ascii_lowercase().as_slice() {
                b"no-cache" => all.no_cache = true,
                b"no-store" => all.no_store = true,
                b"only-if-cached" => all.only_if_cached = true,
                b"max-age" => keep(&mut all.max_age, Some(seconds(value).unwrap_or(0)), Ord::min),
                b"min-fresh" => keep(&mut all.min_fresh, seconds(value), Ord::max),
                // Without a value any staleness will do.
                b"max-stale" if value.is_none() => keep(&mut all.max_stale, Some(FOREVER_S), Ord::min),
                b"max-stale" => keep(&mut all.max_stale, Some(seconds(value).unwrap_or(0)), Ord::min),
                b"stale-if-error" => keep(&mut all.stale_if_error, seconds(value), Ord::min),
                _ => {}
            }
        });
        all
    }
}

impl ResponseDirectives {
    /// Reads them from a response's headers.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut all = Self::default();
        let (mut shared, mut any) = (None, None);
        each(headers, CACHE_CONTROL, |name, value| {
            match name.to_ascii_lowercase().as_slice() {
                b"no-store" | b"private" | b"no-cache" => all.closed = true,
                b"public" => all.open = true,
                b"must-revalidate" => (all.must_revalidate, all.open) = (true, true),
                b"proxy-revalidate" => all.must_revalidate = true,
                b"s-maxage" => {
                    (all.must_revalidate, all.open) = (true, true);
                    keep(&mut shared, Some(seconds(value).unwrap_or(0)), Ord::min);
                }
                b"max-age" => keep(&mut any, Some(seconds(value).unwrap_or(0)), Ord::min),
                b"stale-while-revalidate" => keep(&mut all.stale_while_revalidate, seconds(value), Ord::min),
                b"stale-if-error" => keep(&mut all.stale_if_error, seconds(value), Ord::min),
                _ => {}
            }
        });
        all.fresh = shared.or(any);
        all
    }
}

/// Puts the stricter of two values in its place.
fn keep(place: &mut Option<u32>, value: Option<u32>, stricter: fn(u32, u32) -> u32) {
    if let Some(value) = value {
        *place = Some(place.map_or(value, |known| stricter(known, value)));
    }
}

/// A number of seconds: digits alone, and no more than [`FOREVER_S`].
pub(super) fn seconds(value: Option<&[u8]>) -> Option<u32> {
    let digits = value.filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0_u32, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        Some(sum.saturating_mul(10).saturating_add(digit).min(FOREVER_S))
    })
}

/// Shows every directive of every line of a header: its name, and its value without quotes.
fn each(headers: &HeaderMap, header: impl AsHeaderName, mut show: impl FnMut(&[u8], Option<&[u8]>)) {
    for line in headers.get_all(header) {
        for part in split_list(line.as_bytes()) {
            let (name, value) = match part.iter().position(|byte| *byte == b'=') {
                Some(at) => (&part[..at], Some(unquote(part[at + 1..].trim_ascii()))),
                None => (part, None),
            };
            show(name.trim_ascii(), value);
        }
    }
}

/// The members of a comma-separated list, without blanks around them and without empty ones. A comma between quotes
/// separates nothing, unless they are never closed.
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

/// Escapes are left as they are: no value that means anything here has one.
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
    fn a_request_is_read_in_any_case_and_over_several_lines() {
        let all = request(&[
            "No-Cache , ONLY-IF-CACHED",
            "max-age=5,min-fresh = 7",
            "max-stale, no-store",
        ]);
        assert!(all.no_cache && all.only_if_cached && all.no_store);
        assert_eq!(
            (all.max_age, all.min_fresh, all.max_stale),
            (Some(5), Some(7), Some(FOREVER_S))
        );
        assert_eq!(request(&[]), RequestDirectives::default());
    }

    #[test]
    fn pragma_counts_where_there_is_no_cache_control() {
        let mut headers = HeaderMap::new();
        headers.insert(PRAGMA, HeaderValue::from_static("x, No-Cache"));
        assert!(RequestDirectives::of(&headers).no_cache);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=10"));
        assert!(!RequestDirectives::of(&headers).no_cache);
    }

    #[test]
    fn the_stricter_of_two_counts() {
        let all = request(&[
            "max-age=5, max-age=3, min-fresh=5, min-fresh=9",
            "max-stale=4, max-stale",
        ]);
        assert_eq!((all.max_age, all.min_fresh, all.max_stale), (Some(3), Some(9), Some(4)));
        assert_eq!(response(&["max-age=5", "max-age=x"]).fresh, Some(0));
    }

    #[test]
    fn numbers_may_be_quoted_or_huge_and_nonsense_allows_nothing() {
        assert_eq!(request(&["max-age=\"17\""]).max_age, Some(17));
        assert_eq!(request(&["max-age=99999999999999999999999"]).max_age, Some(FOREVER_S));
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
            assert_eq!((all.fresh, all.stale_if_error), (Some(0), None), "{nonsense}");
        }
    }

    #[test]
    fn what_is_between_quotes_is_no_directive() {
        let all = response(&[r#"x="a, no-store, \", private", max-age=3"#]);
        assert!(!all.closed);
        assert_eq!(all.fresh, Some(3));
        // Never closed: then it opens nothing, so that it hides nothing.
        assert!(response(&["x=\"a, private"]).closed);
        // With field names it counts as without.
        assert!(response(&["private=\"set-cookie\""]).closed);
        assert!(response(&["no-cache=\"a, b\""]).closed);
    }

    #[test]
    fn a_shared_cache_goes_by_s_maxage() {
        let all = response(&["max-age=10, s-maxage=20, stale-while-revalidate=3, stale-if-error=4"]);
        assert_eq!(all.fresh, Some(20));
        assert!(all.must_revalidate && all.open);
        assert_eq!((all.stale_while_revalidate, all.stale_if_error), (Some(3), Some(4)));
        assert!(!response(&["proxy-revalidate"]).open);
        assert!(response(&["public"]).open && !response(&["public"]).must_revalidate);
    }

    proptest! {
        #[test]
        fn nothing_that_a_client_sends_makes_it_panic(line in "[ -~\\t]{0,200}") {
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
