//! The keys of responses (RFC 9111, sections 2 and 4.1): a key has everything that the response depends on, and nothing that a client
//! can change without changing the response.

use super::validators::hex;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// How many characters of the path a key starts with, so that listed keys can be recognised.
const READABLE_CHARS: usize = 96;

/// The query parameters that a response depends on.
#[derive(Debug, Clone, Default)]
pub enum QueryKey {
    /// All, in any order of their names.
    #[default]
    Sorted,
    /// The query string as it was sent.
    AsSent,
    /// Only these, in any order.
    Only(Vec<String>),
    /// None.
    Ignored,
}

type Custom = Arc<dyn Fn(&ServiceRequest) -> String + Send + Sync>;

/// How keys are built.
#[derive(Clone, Default)]
pub struct KeyRule {
    /// Whether each scheme and host has responses of its own.
    pub per_host: bool,
    /// The query parameters.
    pub query: QueryKey,
    /// The request headers that responses vary on.
    pub vary: Vec<HeaderName>,
    /// Replaces path and query.
    pub custom: Option<Custom>,
}

impl std::fmt::Debug for KeyRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRule")
            .field("per_host", &self.per_host)
            .field("query", &self.query)
            .field("vary", &self.vary)
            .finish_non_exhaustive()
    }
}

impl KeyRule {
    /// Returns the key of a request, without the headers that only the response names in `Vary`.
    #[must_use]
    pub fn primary(&self, request: &ServiceRequest) -> String {
        let mut digest = Parts(Sha256::new());
        if self.per_host {
            // As handlers see them: `Forwarded` and `X-Forwarded-*` come before `Host`.
            let connection = request.connection_info();
            digest.add(connection.scheme().as_bytes());
            digest.add(connection.host().as_bytes());
        }
        let custom = self.custom.as_ref().map(|custom| custom(request));
        // The decoded path of the router: `%64rivers` is `drivers`.
        let path = custom.as_deref().unwrap_or(request.match_info().as_str());
        digest.add(path.as_bytes());
        if custom.is_none() {
            add_query(&mut digest, &self.query, request.query_string());
        }
        add_headers(&mut digest, &self.vary, request.headers());
        digest.key(path)
    }

    /// Returns the key of a response that varies on more headers than the rule names.
    #[must_use]
    pub fn variant(primary: &str, names: &[HeaderName], headers: &HeaderMap) -> String {
        let mut digest = Parts(Sha256::new());
        digest.add(primary.as_bytes());
        // In any order of the names.
        let mut names = names.to_vec();
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        add_headers(&mut digest, &names, headers);
        digest.key(primary.split('#').next().unwrap_or_default())
    }

    /// Returns the tag of all responses of a path, which a write to the path invalidates.
    #[must_use]
    pub fn path_tag(namespace: &str, request: &ServiceRequest) -> String {
        let mut digest = Parts(Sha256::new());
        digest.add(namespace.as_bytes());
        digest.add(request.match_info().as_str().as_bytes());
        format!("path:{}", hex(&digest.0.finalize()[..16]))
    }
}

/// A digest of parts, each with its length, so that different lists of parts have different digests.
struct Parts(Sha256);

impl Parts {
    fn add(&mut self, part: &[u8]) {
        self.0.update(part.len().to_be_bytes());
        self.0.update(part);
    }

    fn key(self, path: &str) -> String {
        let mut readable: String = path
            .chars()
            .take(READABLE_CHARS)
            .filter(char::is_ascii_graphic)
            .collect();
        readable.retain(|letter| letter != '#');
        format!("{readable}#{}", hex(&self.0.finalize()[..16]))
    }
}

fn add_query(digest: &mut Parts, rule: &QueryKey, query: &str) {
    let mut pairs: Vec<&str> = match rule {
        QueryKey::Ignored => return,
        QueryKey::AsSent => return digest.add(query.as_bytes()),
        QueryKey::Sorted => query.split('&').filter(|pair| !pair.is_empty()).collect(),
        QueryKey::Only(names) => {
            // By decoded names: `l%61t` is `lat`.
            let is_meant = |pair: &&str| !pair.is_empty() && names.contains(&name(pair));
            query.split('&').filter(is_meant).collect()
        }
    };
    // A stable sort: the order of a repeated parameter may matter.
    pairs.sort_by_cached_key(|pair| name(pair));
    for pair in pairs {
        digest.add(pair.as_bytes());
    }
    // Separates the parameters from the headers.
    digest.add(b"");
}

/// Returns the decoded name of a parameter: `%78` is `x`.
fn name(pair: &str) -> String {
    let read = form_urlencoded::parse(pair.as_bytes()).next();
    read.map(|(name, _)| name.into_owned()).unwrap_or_default()
}

fn add_headers(digest: &mut Parts, names: &[HeaderName], headers: &HeaderMap) {
    for name in names {
        digest.add(name.as_str().as_bytes());
        let mut lines = 0_usize;
        for line in headers.get_all(name) {
            digest.add(line.as_bytes().trim_ascii());
            lines += 1;
        }
        digest.add(&lines.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{ACCEPT, ACCEPT_LANGUAGE, HOST};
    use actix_web::test::TestRequest;

    fn request(uri: &str, headers: &[(HeaderName, &str)]) -> ServiceRequest {
        let mut request = TestRequest::with_uri(uri);
        for (name, value) in headers {
            request = request.append_header((name.clone(), *value));
        }
        request.to_srv_request()
    }

    fn same(rule: &KeyRule, one: &str, other: &str) -> bool {
        rule.primary(&request(one, &[])) == rule.primary(&request(other, &[]))
    }

    #[test]
    fn the_order_of_parameters_matters_only_if_one_is_repeated() {
        let rule = KeyRule::default();
        assert!(same(&rule, "/a?x=1&y=2", "/a?y=2&x=1"));
        assert!(same(&rule, "/a?x=1&&", "/a?x=1"));
        assert!(!same(&rule, "/a?x=1&x=2", "/a?x=2&x=1"));
        assert!(!same(&rule, "/a?x=1&%78=2", "/a?%78=2&x=1"));
        for (one, other) in [
            ("/a", "/b"),
            ("/a?x=1", "/a?x=2"),
            ("/a?x=1", "/a"),
            ("/a?x=1y=2", "/a?x=1&y=2"),
        ] {
            assert!(!same(&rule, one, other), "{one} {other}");
        }
    }

    #[test]
    fn the_key_may_have_some_parameters_or_none() {
        let some = KeyRule {
            query: QueryKey::Only(vec!["x".to_owned()]),
            ..KeyRule::default()
        };
        assert!(same(&some, "/a?x=1&utm=7", "/a?utm=8&x=1"));
        assert!(!same(&some, "/a?x=1", "/a?x=2"));
        assert!(!same(&some, "/a?%78=1", "/a"));
        let none = KeyRule {
            query: QueryKey::Ignored,
            ..KeyRule::default()
        };
        assert!(same(&none, "/a?x=1", "/a"));
        let sent = KeyRule {
            query: QueryKey::AsSent,
            ..KeyRule::default()
        };
        assert!(!same(&sent, "/a?x=1&y=2", "/a?y=2&x=1"));
    }

    #[test]
    fn the_headers_that_a_response_varies_on_are_in_the_key() {
        let rule = KeyRule {
            vary: vec![ACCEPT, ACCEPT_LANGUAGE],
            ..KeyRule::default()
        };
        let key = |headers: &[(HeaderName, &str)]| rule.primary(&request("/a", headers));
        assert_eq!(key(&[(ACCEPT, " x ")]), key(&[(ACCEPT, "x")]));
        let all = [
            key(&[]),
            key(&[(ACCEPT, "")]),
            key(&[(ACCEPT, "x")]),
            key(&[(ACCEPT_LANGUAGE, "x")]),
            key(&[(ACCEPT, "x"), (ACCEPT, "x")]),
            key(&[(ACCEPT, "x,x")]),
            key(&[(ACCEPT, "x"), (ACCEPT_LANGUAGE, "x")]),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|other| other != one), "{i}");
        }
        let plain = KeyRule::default();
        let (de, en) = (
            request("/a", &[(ACCEPT_LANGUAGE, "de")]),
            request("/a", &[(ACCEPT_LANGUAGE, "en")]),
        );
        let primary = plain.primary(&de);
        assert_eq!(primary, plain.primary(&en));
        let variant = |of: &ServiceRequest| KeyRule::variant(&primary, &[ACCEPT_LANGUAGE], of.headers());
        assert_ne!(variant(&de), variant(&en));
    }

    #[test]
    fn hosts_may_have_responses_of_their_own() {
        let rule = KeyRule {
            per_host: true,
            ..KeyRule::default()
        };
        let key = |host| rule.primary(&request("/a", &[(HOST, host)]));
        assert_ne!(key("a.example"), key("b.example"));
        for forwarded in [
            (HeaderName::from_static("x-forwarded-host"), "b.example"),
            (HeaderName::from_static("x-forwarded-proto"), "https"),
            (HeaderName::from_static("forwarded"), "host=b.example"),
        ] {
            let key = rule.primary(&request("/a", &[(HOST, "a.example"), forwarded.clone()]));
            assert_ne!(
                key,
                rule.primary(&request("/a", &[(HOST, "a.example")])),
                "{forwarded:?}"
            );
        }
        let over_h2 = |uri| rule.primary(&request(uri, &[]));
        assert_ne!(over_h2("https://a.example/a"), over_h2("https://b.example/a"));
    }

    #[test]
    fn a_key_is_short_and_printable_for_any_path() {
        let long = format!("/{}?{}", "x".repeat(3_000), "y".repeat(3_000));
        let key = KeyRule::default().primary(&request(&long, &[]));
        assert_eq!(key.len(), 96 + 33);
        let odd = KeyRule::default().primary(&request("/%7Bx%7D%23%20%C3%A9%0A", &[]));
        assert!(odd.is_ascii() && !odd.contains(['\n', ' ']), "{odd}");
        assert_eq!(odd.matches('#').count(), 1);
    }

    #[test]
    fn a_function_may_replace_path_and_query() {
        let rule = KeyRule {
            custom: Some(Arc::new(|_| "one".to_owned())),
            ..KeyRule::default()
        };
        assert!(same(&rule, "/a?x=1", "/b?x=2"));
    }

    #[test]
    fn all_queries_of_a_path_have_the_same_tag() {
        let tag = |namespace, uri| KeyRule::path_tag(namespace, &request(uri, &[]));
        assert_eq!(tag("n", "/a?x=1"), tag("n", "/a"));
        assert_ne!(tag("n", "/a"), tag("n", "/b"));
        assert_ne!(tag("n", "/a"), tag("m", "/a"));
    }
}
