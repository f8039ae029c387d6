//! Ids, names of other systems, cursors and tokens: what is printed is read back as the same, and what is read is printed as it was.

use crate::campaign::{bounded, mutated_text, run};
use fleetpulse::ids::{ExternalId, Id, percent_decoded};
use fleetpulse::inventory::{self, OwnedCursor};
use fleetpulse::jobs::{self, JobId, LeaseToken};
use fleetpulse::locks;
use fleetpulse::sessions::{SessionId, Token};
use std::fmt::Write;

const CORPUS: &[&str] = &[
    "driver:7@fleet.a_b-C",
    ".",
    "..",
    "...",
    "nearby",
    "auth0|5f7c",
    "a+b@x.com",
    "é ü",
    "%2F",
    "a%2Fb%20c+d%25%2541",
    "%C3%BC",
    "%EF%BF%BD",
    "eu.emails.AAAAAAAAAAAAA",
    "1790000000000123.AAAAAAAAAAAAA",
    "0.sku-1",
    "15.a.b",
    "+015.a.b",
    "00.1790000000000.a",
    "0.+1.a",
    "0.1790000000000.auth0|5f7c",
    "3.0.",
    "AAAAAAAAAAAAAAA-",
    "----------------",
    "0123456789abcdef0123456789abcdef",
    "fps_0a0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
];
const TOKENS: &[&str] = &[
    "", ".", "..", "/", "%", "%2", "%2e", "%00", "%FF", "%C3", "+", "-", "0", "00", "1", "{", "}", "\0", "\u{85}", "é",
    "A", ":", " ",
];

/// What is read is printed as it was written.
fn as_written<T>(text: &str, read: Option<T>, print: impl FnOnce(&T) -> String) {
    if let Some(value) = read {
        assert_eq!(print(&value), text);
    }
}

fn check(text: &str) {
    bounded(text.len(), || {
        as_written(text, Id::parse(text).ok(), Id::to_string);
        as_written(text, ExternalId::parse(text).ok(), ExternalId::to_string);
        as_written(text, JobId::parse(text), JobId::to_string);
        as_written(text, LeaseToken::parse(text), |token| token.as_str().to_owned());
        as_written(text, jobs::Cursor::parse(text), jobs::Cursor::to_string);
        as_written(text, inventory::Cursor::parse(text), inventory::Cursor::text);
        as_written(text, OwnedCursor::parse(text), OwnedCursor::text);
        as_written(text, SessionId::parse(text), SessionId::to_string);
        as_written(text, Token::parse(text), |token| token.reveal().to_owned());
        as_written(text, locks::Token::parse(text).ok(), |token| token.as_str().to_owned());
    });
    refused_with_a_reason(text);
    encoded(text);
    parts(text);
}

fn refused_with_a_reason(text: &str) {
    let reasons = [
        Id::parse(text).err().map(|error| error.to_string()),
        ExternalId::parse(text).err().map(|error| error.to_string()),
        locks::Token::parse(text).err().map(|error| error.to_string()),
    ];
    assert!(reasons.iter().flatten().all(|reason| !reason.is_empty()));
}

/// A text is the same after it was percent-encoded and decoded, however much of it was encoded.
fn encoded(text: &str) {
    let all = text.bytes().fold(String::new(), |mut all, byte| {
        write!(all, "%{byte:02x}").unwrap();
        all
    });
    assert_eq!(percent_decoded(&all).as_deref(), Some(text));
    if let Ok(name) = ExternalId::parse(text) {
        let encoded = name.encoded();
        assert_eq!(ExternalId::decode(&encoded), Some(name));
    }
    // The decoder of forms differs only in `+`, in malformed codes and in what is not UTF-8.
    if let Some(decoded) = percent_decoded(text)
        && !text.contains(['+', '&', '='])
    {
        let form = form_urlencoded::parse(text.as_bytes()).next();
        assert_eq!(form.map_or_else(String::new, |(name, _)| name.into_owned()), decoded);
    }
}

/// The parts of a name are names themselves.
fn parts(text: &str) {
    if let Some(job) = JobId::parse(text) {
        assert!(Id::parse(job.queue()).is_ok() && Id::parse(job.as_str()).is_ok());
        assert!(text.starts_with(job.queue()));
    }
    if let Some(token) = Token::parse(text) {
        assert!(SessionId::parse(token.id()).is_some());
        assert_eq!(text[4..6], format!("{:02x}", token.partition().0));
    }
}

#[test]
fn names() {
    run("names", &mutated_text(CORPUS, TOKENS), |text| check(&text));
}

#[test]
fn regressions() {
    for text in CORPUS {
        check(text);
    }
}
