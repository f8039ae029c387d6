//! Headers that handlers read: `Accept`, `Authorization`, `Idempotency-Key`, `Forwarded` and its like. Also the settings that list hosts,
//! origins and networks, and times.

use crate::campaign::{bounded, mutated, run};
use actix_web::ResponseError;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, FORWARDED, HeaderMap, HeaderName, HeaderValue};
use actix_web::test::TestRequest;
use fleetpulse::http::timestamp::parse_rfc3339;
use fleetpulse::http::{
    Callers, HostNames, Networks, Origins, ProxyHeader, Stamp, asks_for, bearer, idempotency_key, no_idempotency_key,
};
use fleetpulse::ids::ExternalId;
use std::net::IpAddr;

const GEO: &str = "application/geo+json";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

const CORPUS: &[&str] = &[
    "application/geo+json",
    "Application/Geo+JSON; charset=utf-8, application/json;q=0.9",
    "application/geo+json;q=0.5, application/*;q=0.1, */*;q=0.001, text/html",
    "gzip;q=0.5, deflate, identity;q=0, *;q=0.000",
    "Bearer fps_0a0123456789abcdef",
    "bearer  x",
    "Basic dXNlcjpwYXNz",
    "\"a b\"",
    "\"a\\\"b\\\\\"",
    "auth0|5f7c",
    "198.51.100.1, 10.0.0.1",
    "[2001:db8::1]:4711, ::ffff:10.1.2.3, unknown, _hidden",
    "for=192.0.2.60;proto=http;by=203.0.113.43, for=\"[2001:db8:cafe::17]:4711\";host=\"a,b\\\"\"",
    "64:ff9b::c000:201",
    "10.0.0.0/8, 2001:db8::/32, ::ffff:10.0.0.0/104",
    "https://console.example.com:443, http://localhost:3000",
    "api.example.com, 192.0.2.1, localhost",
    "2026-09-21T14:13:20.123+02:00",
    "2026-12-31T23:59:60Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999-23:59",
];
const TOKENS: &[&str] = &[
    "",
    ",",
    ";",
    "=",
    "q=",
    "q=0",
    "q=1.000",
    "q=0.5",
    "q=1.001",
    "Q=",
    "*",
    "*/*",
    "/",
    "\"",
    "\\",
    " ",
    "\t",
    "Bearer ",
    "for=",
    "[",
    "]",
    ":",
    ".",
    "..",
    "/0",
    "/33",
    "/129",
    "::",
    "unknown",
    "\u{feff}",
    "é",
    "T",
    "Z",
    "+24:00",
    ".999999999999",
    "-",
];

fn check(value: &[u8]) {
    let len = value.len();
    if let Ok(text) = str::from_utf8(value) {
        settings(text);
        time(text);
        key(text);
    }
    let Ok(header) = HeaderValue::from_bytes(value) else {
        return;
    };
    let request = TestRequest::default()
        .insert_header((ACCEPT, header.clone()))
        .insert_header((AUTHORIZATION, header.clone()))
        .insert_header((IDEMPOTENCY_KEY, header.clone()))
        .to_http_request();
    accept(&header, bounded(len, || asks_for(&request, GEO)));
    if let Some(token) = bounded(len, || bearer(&request)) {
        assert!(value.len() >= 7 && value[..7].eq_ignore_ascii_case(b"bearer ") && token == token.trim());
    }
    if let Err(problem) = bounded(len, || idempotency_key(&request)) {
        assert_eq!(problem.status_code().as_u16(), 422, "{problem}");
    }
    assert!(no_idempotency_key(&request).is_err());
    caller(&header);
}

/// The order of the elements of a list does not matter. Only a list that names the type asks for it.
fn accept(header: &HeaderValue, is_asked_for: bool) {
    let Ok(text) = header.to_str() else {
        return assert!(!is_asked_for);
    };
    assert!(!is_asked_for || text.to_ascii_lowercase().contains(GEO));
    let reversed = text.split(',').rev().collect::<Vec<_>>().join(",");
    let request = TestRequest::default()
        .insert_header((ACCEPT, reversed))
        .to_http_request();
    assert_eq!(asks_for(&request, GEO), is_asked_for);
}

/// An idempotency key that is quoted is read as it was; so is a bare one without a quote or blanks around it.
fn key(text: &str) {
    let Ok(key) = ExternalId::parse(text) else { return };
    let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let read = |value: &str| {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        idempotency_key(
            &TestRequest::default()
                .insert_header((IDEMPOTENCY_KEY, value))
                .to_http_request(),
        )
    };
    assert_eq!(read(&quoted), Ok(Some(key.clone())));
    if !text.starts_with('"') && text.trim() == text {
        assert_eq!(read(text), Ok(Some(key)));
    }
}

/// A caller is the peer unless the peer is trusted. What is left of a trusted proxy's element does not change the caller.
fn caller(header: &HeaderValue) {
    let (stranger, proxy): (IpAddr, IpAddr) = ("203.0.113.9".parse().unwrap(), "10.1.2.3".parse().unwrap());
    for (name, kind) in [
        (X_FORWARDED_FOR, ProxyHeader::XForwardedFor),
        (FORWARDED, ProxyHeader::Forwarded),
    ] {
        let callers = Callers {
            trusted: "10.0.0.0/8".parse().unwrap(),
            header: kind,
            key_header: None,
        };
        let mut headers = HeaderMap::new();
        headers.append(name.clone(), header.clone());
        assert_eq!(callers.identify(stranger, &headers).to_string(), "203.0.113.9");
        bounded(header.len(), || callers.identify(proxy, &headers));
        let nearest = match kind {
            ProxyHeader::XForwardedFor => "198.51.100.1",
            ProxyHeader::Forwarded => "for=198.51.100.1",
        };
        let behind = [header.as_bytes(), b", ", nearest.as_bytes()].concat();
        headers.insert(name.clone(), HeaderValue::from_bytes(&behind).unwrap());
        assert_eq!(callers.identify(proxy, &headers).to_string(), "198.51.100.1");
    }
}

/// A list of settings is read, or refused with the part at fault.
fn settings(text: &str) {
    let refusals = bounded(text.len(), || {
        [
            text.parse::<HostNames>().err().map(|error| error.to_string()),
            text.parse::<Origins>().err().map(|error| error.to_string()),
            text.parse::<Networks>().err().map(|error| error.to_string()),
        ]
    });
    assert!(refusals.iter().flatten().all(|refusal| refusal.starts_with('"')));
}

/// A time is the same after it was printed and read again.
fn time(text: &str) {
    if let Some(unix_ms) = bounded(text.len(), || parse_rfc3339(text))
        && (-62_167_219_200_000..=253_402_300_799_999).contains(&unix_ms)
    {
        assert_eq!(parse_rfc3339(&Stamp(unix_ms).to_string()), Some(unix_ms));
    }
}

#[test]
fn headers() {
    run("headers", &mutated(CORPUS, TOKENS), |value| check(&value));
}

#[test]
fn regressions() {
    for value in CORPUS {
        check(value.as_bytes());
    }
}
