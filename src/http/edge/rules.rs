//! Which requests are refused. A browser sends requests with the rights of its user for any page that is open in it. Its headers about that
//! page (`Origin`, Fetch Metadata) decide here. Other clients do not send these headers, and are not affected.

use super::cors::Origins;
use crate::http::{Problem, body};
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, TRANSFER_ENCODING,
};
use std::net::IpAddr;
use std::str::FromStr;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
static SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Names by which the service is reached, without ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostNames(Vec<String>);

/// Not a list of names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the name of a host; write api.example.com or 192.0.2.1, without a scheme or port")]
pub struct HostNameError(String);

impl FromStr for HostNames {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        let name = |name: &str| {
            let is_name = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
            let is_address = name.parse::<IpAddr>().is_ok();
            if is_name || is_address {
                Ok(name.trim_end_matches('.').to_ascii_lowercase())
            } else {
                Err(HostNameError(name.to_owned()))
            }
        };
        let names = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        names.map(name).collect::<Result<_, _>>().map(Self)
    }
}

impl HostNames {
    fn contain(&self, name: &str) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The rules by which requests are refused.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    origins: Origins,
    hosts: HostNames,
    /// Whether the service is reachable from this machine only. Then `Host` has to name this machine, because otherwise a page could let
    /// its own name resolve to it (DNS rebinding) and be of the same origin.
    is_local: bool,
}

/// Why a request is not served.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Its `Host` is not this service.
    ForeignHost,
    /// It was sent by a page of another origin or site.
    ForeignPage,
    /// Its body has a type that no route accepts.
    MediaType(Problem),
}

impl Refusal {
    /// Returns the name in metrics.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::ForeignHost => "foreign_host",
            Self::ForeignPage => "foreign_page",
            Self::MediaType(_) => "media_type",
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ForeignHost => Self::misdirected(
                "the Host header names another host than this; use localhost or 127.0.0.1, or add the name to HTTP_HOSTS",
            ),
            Refusal::ForeignPage => Self::forbidden(
                "a page of another origin may not call this service; add its origin to CORS_ORIGINS, or this service's own name to \
                 HTTP_HOSTS if a proxy in front of it changes Host",
            ),
            Refusal::MediaType(problem) => problem,
        }
    }
}

impl Rules {
    /// Returns the rules of a service that listens on an address.
    #[must_use]
    pub const fn new(origins: Origins, hosts: HostNames, address: IpAddr) -> Self {
        Self {
            origins,
            hosts,
            is_local: address.is_loopback(),
        }
    }

    pub(super) const fn origins(&self) -> &Origins {
        &self.origins
    }

    pub(super) fn check(&self, request: &RequestHead) -> Result<(), Refusal> {
        let headers = request.headers();
        if self.is_local && !headers.get_all(HOST).all(|host| self.is_own_host(host)) {
            return Err(Refusal::ForeignHost);
        }
        if self.is_of_foreign_page(request) {
            return Err(Refusal::ForeignPage);
        }
        if let Some(media_type) = headers.get(CONTENT_TYPE)
            && let Err(problem) = body::media_type(media_type)
            && has_body(headers)
        {
            return Err(Refusal::MediaType(problem));
        }
        Ok(())
    }

    fn is_own_host(&self, host: &HeaderValue) -> bool {
        if is_this_machine(host.as_bytes()) {
            return true;
        }
        let name = without_port(host.to_str().unwrap_or_default());
        is_loopback(name) || self.hosts.contain(name.trim_end_matches('.'))
    }

    fn is_of_foreign_page(&self, request: &RequestHead) -> bool {
        let headers = request.headers();
        let (origin, site) = (headers.get(ORIGIN), headers.get(&SEC_FETCH_SITE));
        // Not a browser, or a page that the user opened.
        if origin.is_none() && site.is_none() || self.origins == Origins::Any {
            return false;
        }
        if origin.is_some_and(|origin| self.origins.allow(origin)) || is_navigation(request) {
            return false;
        }
        let is_foreign = |origin: &HeaderValue| !self.is_own_origin(origin, headers.get(HOST));
        origin.is_some_and(is_foreign) || site.is_some_and(|site| site == "cross-site" || site == "same-site")
    }

    /// Returns whether an origin is that of this service. The scheme is not compared, because a proxy may terminate TLS.
    fn is_own_origin(&self, origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
        let Some((scheme, authority)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else {
            return false;
        };
        let usual_port = if scheme == "https" { ":443" } else { ":80" };
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let is_host = host
            .strip_suffix(usual_port)
            .unwrap_or(host)
            .eq_ignore_ascii_case(authority);
        is_host || self.hosts.contain(without_port(authority))
    }
}

/// Returns whether a request is a navigation, such as a followed link: its answer is shown to the user, and no page reads it.
fn is_navigation(request: &RequestHead) -> bool {
    let is = |name: &HeaderName, value: &str| request.headers().get(name).is_some_and(|given| given == value);
    matches!(request.method, Method::GET | Method::HEAD)
        && is(&SEC_FETCH_MODE, "navigate")
        && (is(&SEC_FETCH_DEST, "document") || !request.headers().contains_key(&SEC_FETCH_DEST))
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") || headers.contains_key(TRANSFER_ENCODING)
}

/// The name or address of `name`, `name:80`, `192.0.2.1:80`, `[2001:db8::1]:80`, without brackets.
fn without_port(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        return address;
    }
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Returns whether a `Host` is one of the most frequent names of this machine. It saves the parsing of nearly all of them.
fn is_this_machine(host: &[u8]) -> bool {
    let port = host
        .strip_prefix(b"127.0.0.1")
        .or_else(|| host.strip_prefix(b"localhost"));
    match port {
        Some([]) => true,
        Some([b':', digits @ ..]) => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Returns whether a name is `localhost`, a name below it (RFC 6761, section 6.3), or a loopback address.
fn is_loopback(name: &str) -> bool {
    if let Ok(address) = name.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let labels = name.trim_end_matches('.').rsplit_once('.');
    let last = labels.map_or(name.trim_end_matches('.'), |(_, last)| last);
    last.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn verdict(rules: &Rules, method: Method, headers: &[(&'static str, &'static str)]) -> &'static str {
        let mut request = TestRequest::default().method(method);
        for header in headers {
            request = request.append_header(*header);
        }
        let request = request.to_srv_request();
        rules
            .check(request.head())
            .map_or_else(|refusal| refusal.reason(), |()| "")
    }

    fn rules(origins: &str, hosts: &str, address: &str) -> Rules {
        Rules::new(
            origins.parse().unwrap(),
            hosts.parse().unwrap(),
            address.parse().unwrap(),
        )
    }

    #[test]
    fn a_foreign_host_is_refused_only_on_loopback() {
        let (local, open) = (rules("", "api.example", "127.0.0.1"), rules("", "", "0.0.0.0"));
        for (host, expected) in [
            ("localhost", ""),
            ("LOCALHOST:8080", ""),
            ("localhost.", ""),
            ("a.localhost:1", ""),
            ("127.0.0.1:8080", ""),
            ("127.9.9.9", ""),
            ("[::1]:8080", ""),
            ("[::ffff:127.0.0.1]", ""),
            ("Api.Example:443", ""),
            ("evil.example:8080", "foreign_host"),
            ("localhost.evil.example", "foreign_host"),
            ("evillocalhost", "foreign_host"),
            ("127.0.0.1.evil.example", "foreign_host"),
            ("10.0.0.5:8080", "foreign_host"),
            ("[2001:db8::1]:80", "foreign_host"),
            ("", "foreign_host"),
        ] {
            assert_eq!(verdict(&local, Method::GET, &[("host", host)]), expected, "{host}");
            assert_eq!(verdict(&open, Method::GET, &[("host", host)]), "", "{host}");
        }
        assert_eq!(verdict(&local, Method::GET, &[]), "");
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(verdict(&local, Method::GET, &two), "foreign_host");
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let own = rules("", "public.example", "0.0.0.0");
        let host = ("host", "api.example:8080");
        for (headers, expected) in [
            (&[][..], ""),
            (&[("origin", "http://api.example:8080")], ""),
            (&[("origin", "https://public.example")], ""),
            (&[("origin", "http://api.example")], "foreign_page"),
            (&[("origin", "https://evil.example")], "foreign_page"),
            (&[("origin", "null")], "foreign_page"),
            (&[("origin", "")], "foreign_page"),
            (&[("sec-fetch-site", "same-origin")], ""),
            (&[("sec-fetch-site", "none")], ""),
            (&[("sec-fetch-site", "cross-site")], "foreign_page"),
            (&[("sec-fetch-site", "same-site")], "foreign_page"),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
                "foreign_page",
            ),
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
                let headers = [&[host], headers].concat();
                assert_eq!(verdict(&own, method, &headers), expected, "{headers:?}");
            }
        }
        let usual_port = [("host", "api.example:443"), ("origin", "https://api.example")];
        assert_eq!(verdict(&own, Method::POST, &usual_port), "");
    }

    #[test]
    fn a_link_may_be_followed_from_any_page() {
        let own = rules("", "", "0.0.0.0");
        let followed = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        let framed = [&followed[..], &[("sec-fetch-dest", "iframe")]].concat();
        let shown = [&followed[..], &[("sec-fetch-dest", "document")]].concat();
        for (method, headers, expected) in [
            (Method::GET, &followed[..], ""),
            (Method::GET, &shown, ""),
            (Method::GET, &framed, "foreign_page"),
            (Method::POST, &followed, "foreign_page"),
        ] {
            assert_eq!(verdict(&own, method.clone(), headers), expected, "{method} {headers:?}");
        }
    }

    #[test]
    fn only_listed_origins_may_call() {
        let listed = rules("https://console.example", "", "0.0.0.0");
        let site = ("sec-fetch-site", "cross-site");
        for (origin, expected) in [
            ("https://console.example", ""),
            ("https://evil.example", "foreign_page"),
        ] {
            let headers = [site, ("origin", origin)];
            assert_eq!(verdict(&listed, Method::POST, &headers), expected, "{origin}");
        }
        // An image or a script sends no origin.
        assert_eq!(verdict(&listed, Method::GET, &[site]), "foreign_page");
        let any = rules("*", "", "127.0.0.1");
        assert_eq!(verdict(&any, Method::POST, &[site, ("origin", "null")]), "");
        assert_eq!(verdict(&any, Method::POST, &[("host", "evil.example")]), "foreign_host");
    }

    #[test]
    fn a_body_of_an_unsupported_type_is_refused() {
        let rules = Rules::default();
        let length = ("content-length", "2");
        for (media_type, expected) in [
            ("application/json", ""),
            ("application/merge-patch+json; charset=utf-8", ""),
            ("application/x-ndjson", ""),
            ("text/plain", "media_type"),
            ("application/x-www-form-urlencoded", "media_type"),
            ("multipart/form-data; boundary=x", "media_type"),
        ] {
            let headers = [("content-type", media_type), length];
            assert_eq!(verdict(&rules, Method::POST, &headers), expected, "{media_type}");
            let empty = [("content-type", media_type), ("content-length", "0")];
            assert_eq!(verdict(&rules, Method::POST, &empty), "", "{media_type}");
        }
        assert_eq!(verdict(&rules, Method::POST, &[length]), "");
        let chunked = [("content-type", "text/plain"), ("transfer-encoding", "chunked")];
        assert_eq!(verdict(&rules, Method::PUT, &chunked), "media_type");
    }

    #[test]
    fn names_of_hosts_are_validated() {
        assert_eq!("".parse(), Ok(HostNames::default()));
        assert!("api.example, 10.0.0.1,2001:db8::1".parse::<HostNames>().is_ok());
        for wrong in ["https://api.example", "api.example:80", "*", "a b"] {
            assert!(wrong.parse::<HostNames>().is_err(), "{wrong}");
        }
    }
}
