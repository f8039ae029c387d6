//! Validators: entity tags and dates of change, and whether a client already has what it asks for (RFC 9110, sections 8.8
//! and 13).

use super::directives::split_list;
use actix_web::http::header::{
    ETAG, HeaderMap, HeaderValue, HttpDate, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use sha2::{Digest, Sha256};
use std::time::SystemTime;

/// What a client has, as it says: `If-None-Match` and `If-Modified-Since`.
#[derive(Debug, Clone, Default)]
pub struct Has {
    tags: Vec<HeaderValue>,
    since: Option<SystemTime>,
}

impl Has {
    /// Reads it from a request's headers.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let tags: Vec<HeaderValue> = headers.get_all(IF_NONE_MATCH).cloned().collect();
        // With tags the date is not looked at (section 13.1.3).
        let since = if tags.is_empty() {
            date(headers.get(IF_MODIFIED_SINCE))
        } else {
            None
        };
        Self { tags, since }
    }

    /// Whether a response with these headers is what the client has, so that a 304 will do.
    #[must_use]
    pub fn is(&self, response: &HeaderMap) -> bool {
        if self.tags.is_empty() {
            let (Some(since), Some(changed)) = (self.since, date(response.get(LAST_MODIFIED))) else {
                return false;
            };
            return changed <= since;
        }
        let ours = response.get(ETAG).map(|tag| opaque(tag.as_bytes()));
        let mut theirs = self.tags.iter().flat_map(|line| split_list(line.as_bytes()));
        theirs.any(|tag| tag == b"*" || ours.is_some_and(|ours| is_tag(ours) && opaque(tag) == ours))
    }
}

/// A weak tag for a body: its digest. Weak, because whoever is outside of this cache may still compress the body.
#[must_use]
pub fn make_etag(body: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(body);
    let tag = format!("W/\"{}\"", hex(&digest[..16]));
    HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("W/\"\""))
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// A date as any of HTTP's three forms has it.
#[must_use]
pub fn date(value: Option<&HeaderValue>) -> Option<SystemTime> {
    let date: HttpDate = value?.to_str().ok()?.parse().ok()?;
    Some(date.into())
}

/// What the weak comparison looks at (section 8.8.3.2).
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

fn is_tag(opaque: &[u8]) -> bool {
    opaque.len() >= 2 && opaque.starts_with(b"\"") && opaque.ends_with(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;

    const MONDAY: &str = "Mon, 02 Nov 2026 10:00:00 GMT";
    const TUESDAY: &str = "Tue, 03 Nov 2026 10:00:00 GMT";

    fn map(all: &[(HeaderName, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in all {
            map.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn is(request: &[(HeaderName, &str)], response: &[(HeaderName, &str)]) -> bool {
        Has::of(&map(request)).is(&map(response))
    }

    #[test]
    fn tags_are_compared_weakly_and_one_of_a_list_is_enough() {
        for (theirs, ours, same) in [
            ("\"a\"", "\"a\"", true),
            ("W/\"a\"", "\"a\"", true),
            ("\"a\"", "W/\"a\"", true),
            ("\"b\", W/\"a\" ,\"c\"", "W/\"a\"", true),
            ("\"a,b\"", "\"a,b\"", true),
            ("*", "\"a\"", true),
            ("\"b\"", "\"a\"", false),
            ("a", "\"a\"", false),
            ("\"A\"", "\"a\"", false),
            ("w/\"a\"", "\"a\"", false),
            ("\"a", "\"a", false),
            ("", "\"a\"", false),
        ] {
            assert_eq!(is(&[(IF_NONE_MATCH, theirs)], &[(ETAG, ours)]), same, "{theirs} {ours}");
        }
        let two = [(IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, "\"a\"")];
        assert!(is(&two, &[(ETAG, "\"a\"")]));
        assert!(!is(&[(IF_NONE_MATCH, "\"a\"")], &[]));
    }

    #[test]
    fn a_date_counts_where_there_is_no_tag() {
        let since = |date| [(IF_MODIFIED_SINCE, date)];
        let changed = |date| [(LAST_MODIFIED, date)];
        assert!(is(&since(TUESDAY), &changed(MONDAY)));
        assert!(is(&since(MONDAY), &changed(MONDAY)));
        assert!(!is(&since(MONDAY), &changed(TUESDAY)));
        assert!(!is(&since("yesterday"), &changed(MONDAY)));
        assert!(!is(&since(TUESDAY), &[]));
        let both = [(IF_MODIFIED_SINCE, TUESDAY), (IF_NONE_MATCH, "\"b\"")];
        assert!(!is(&both, &[(LAST_MODIFIED, MONDAY), (ETAG, "\"a\"")]));
        assert!(!is(&[], &[(ETAG, "\"a\"")]));
    }

    #[test]
    fn a_made_tag_is_that_of_the_body() {
        assert_eq!(make_etag(b"a"), make_etag(b"a"));
        assert_ne!(make_etag(b"a"), make_etag(b"b"));
        assert_eq!(make_etag(b""), "W/\"e3b0c44298fc1c149afbf4c8996fb924\"");
    }
}
