//! Preconditions of requests.

use super::super::InventoryError;
use super::super::check::MOST_VERSIONS;
use super::super::commands::Expected;
use super::super::model::MAX_QUANTITY;
use crate::http::{Argument, FieldError, Problem};
use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};

/// The precondition that the headers of a request state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// There is no precondition.
    None,
    /// The item exists.
    Present,
    /// The item does not exist.
    Absent,
    /// The item has one of these versions; the list is not empty.
    OneOf(Vec<u64>),
}

impl FromRequest for Condition {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Self::read(request.headers()))
    }
}

impl Argument for Condition {}

impl Condition {
    /// Reads `If-Match` and `If-None-Match` (RFC 9110, section 13.1). A weak tag never matches, and neither does a tag that is not a
    /// version.
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        // Several lines form one list.
        let lines = |name| {
            let lines = headers
                .get_all(name)
                .map(|line| line.to_str().unwrap_or_default().trim());
            lines.map(str::to_owned).reduce(|list, line| format!("{list}, {line}"))
        };
        match (lines(IF_MATCH), lines(IF_NONE_MATCH)) {
            (None, None) => Ok(Self::None),
            (None, Some(none)) if none == "*" => Ok(Self::Absent),
            (Some(tags), None) if tags == "*" => Ok(Self::Present),
            (Some(tags), None) => {
                let tags = strong_tags(&tags)
                    .ok_or_else(|| Problem::malformed("If-Match takes * or a list of versions in quotes"))?;
                let versions = tags.into_iter().filter_map(|tag| tag.parse().ok());
                let versions: Vec<u64> = versions
                    .filter(|version| (1..=MAX_QUANTITY).contains(version))
                    .collect();
                if versions.len() > MOST_VERSIONS {
                    let detail = format!("If-Match takes up to {MOST_VERSIONS} versions");
                    return Err(Problem::malformed(detail));
                }
                if versions.is_empty() {
                    return Err(Problem::precondition_failed("no item has such an ETag"));
                }
                Ok(Self::OneOf(versions))
            }
            _ => Err(Problem::malformed(
                "If-Match or If-None-Match: *, not both nor anything else",
            )),
        }
    }

    /// Combines the precondition of the headers with the version in the body.
    ///
    /// # Errors
    /// 422 if they contradict each other.
    pub(super) fn expected(&self, version: Option<i64>) -> Result<Expected, Problem> {
        let body = version.map(i64::unsigned_abs);
        match (self, body) {
            (Self::None, None) => Ok(Expected::Any),
            (Self::None, Some(body)) => Ok(Expected::Version(body)),
            (Self::Present, None) => Ok(Expected::Present),
            (Self::Absent, None | Some(0)) => Ok(Expected::Version(0)),
            (Self::OneOf(versions), Some(body)) if versions.contains(&body) => Ok(Expected::Version(body)),
            (Self::OneOf(versions), None) => Ok(Expected::OneOf(versions.clone())),
            (_, Some(_)) => Err(Problem::validation_failed(vec![FieldError::new(
                "version",
                "differs from If-Match",
            )])),
        }
    }

    /// Converts the error of a call: a version mismatch is a 412 if a header stated the precondition.
    pub(super) fn problem(&self, error: InventoryError) -> Problem {
        match (self, error) {
            (Self::None, error) => error.into(),
            (_, InventoryError::Version { current }) => {
                Problem::precondition_failed("the item has another version, or does not exist").with("version", current)
            }
            (_, InventoryError::NoItem(_)) => Problem::precondition_failed("there is no such item"),
            (_, error) => error.into(),
        }
    }
}

/// Returns the strong tags of a list; `None` if it is empty or not a list of tags.
fn strong_tags(list: &str) -> Option<Vec<&str>> {
    let (mut tags, mut strong, mut rest) = (0, Vec::new(), list);
    loop {
        // A list may have empty elements (RFC 9110, section 5.6.1).
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return (tags > 0).then_some(strong);
        }
        let is_weak = rest.starts_with("W/");
        let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (tag, behind) = quoted.split_once('"')?;
        tags += 1;
        if !is_weak {
            strong.push(tag);
        }
        rest = behind.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn read(name: &'static str, value: &'static str) -> Result<Condition, Problem> {
        let mut headers = HeaderMap::new();
        let name = if name == "if-match" { IF_MATCH } else { IF_NONE_MATCH };
        headers.insert(name, HeaderValue::from_static(value));
        Condition::read(&headers)
    }

    #[test]
    fn a_condition_is_a_list_of_versions_in_quotes_or_a_star() {
        let one_of = |versions: &[u64]| Ok(Condition::OneOf(versions.to_vec()));
        assert_eq!(read("if-match", "\"12\""), one_of(&[12]));
        assert_eq!(read("if-match", "*"), Ok(Condition::Present));
        assert_eq!(read("if-none-match", "*"), Ok(Condition::Absent));
        for (list, versions) in [
            ("\"5\", \"7\"", &[5, 7][..]),
            ("\"5\",,\t\"7\" ,", &[5, 7]),
            ("W/\"5\", \"7\"", &[7]),
            ("\"a,b\", \"7\"", &[7]),
        ] {
            assert_eq!(read("if-match", list), one_of(versions), "{list}");
        }
        for unmatched in ["\"x\"", "\"0\"", "\"-1\"", "\"9007199254740992\"", "W/\"12\"", "\"\""] {
            let refused = read("if-match", unmatched).unwrap_err().to_string();
            assert!(refused.starts_with("412"), "{unmatched}: {refused}");
        }
        for malformed in ["12", "\"", "\"5\" \"7\"", "\"5\"7", "*, \"5\"", "", ",", "w/\"5\""] {
            let refused = read("if-match", malformed).unwrap_err().to_string();
            assert!(refused.starts_with("400"), "{malformed}: {refused}");
        }
        let refused = read("if-none-match", "\"1\"").unwrap_err().to_string();
        assert!(refused.starts_with("400"), "{refused}");
    }

    #[test]
    fn several_lines_are_a_list() {
        let read = |name: &HeaderName, lines: [&'static str; 2]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(name.clone(), HeaderValue::from_static(line));
            }
            Condition::read(&headers)
        };
        assert_eq!(read(&IF_MATCH, ["\"5\"", "\"7\""]), Ok(Condition::OneOf(vec![5, 7])));
        for (name, lines) in [(IF_MATCH, ["*", "\"7\""]), (IF_NONE_MATCH, ["*", "\"7\""])] {
            let refused = read(&name, lines).unwrap_err();
            assert!(refused.to_string().starts_with("400"), "{name}: {refused}");
        }
    }
}
