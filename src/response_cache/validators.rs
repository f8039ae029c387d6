//! Validators and conditional requests: entity tags, modification dates, and whether a client already has a response (RFC 9110,
//! sections 8.8 and 13).

use super::directives::split_list;
use actix_web::http::header::{
    ETAG, HeaderMap, HeaderValue, HttpDate, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use sha2::{Digest, Sha256};
use std::time::SystemTime;

/// The conditions of a request: `If-None-Match` and `If-Modified-Since`.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    tags: Vec<HeaderValue>,
    since: Option<SystemTime>,
}

impl Conditions {
    /// Reads the conditions from a request's headers.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let tags: Vec<HeaderValue> = headers.get_all(IF_NONE_MATCH).cloned().collect();
        // The date is ignored if there are tags (section 13.1.3).
        let since = if tags.is_empty() {
            date(headers.get(IF_MODIFIED_SINCE))
        } else {
            None
        };
        Self { tags, since }
    }

    /// Returns whether the client has the response with these headers, so that the answer is a 304.
    #[must_use]
    pub fn match_response(&self, response: &HeaderMap) -> bool {
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

/// Returns a weak entity tag for a body: its digest. It is weak because an outer middleware may compress the body.
#[must_use]
pub fn generate_etag(body: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(body);
    let tag = format!("W/\"{}\"", hex(&digest[..16]));
    HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("W/\"\""))
}

/// Returns bytes as lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Parses a date in any of the three forms of HTTP.
#[must_use]
pub fn date(value: Option<&HeaderValue>) -> Option<SystemTime> {
    let date: HttpDate = value?.to_str().ok()?.parse().ok()?;
    Some(date.into())
}

/// Returns the part of a tag that the weak comparison compares (section 8.8.3.2).
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
        Conditions::of(&map(request)).match_response(&map(response))
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
    fn a_generated_tag_depends_on_the_body() {
        assert_eq!(generate_etag(b"a"), generate_etag(b"a"));
        assert_ne!(generate_etag(b"a"), generate_etag(b"b"));
        assert_eq!(generate_etag(b""), "W/\"e3b0c44298fc1c149afbf4c8996fb924\"");
    }
}
