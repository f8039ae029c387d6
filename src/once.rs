//! Idempotency keys. The script that executes a call also writes the record of its key and answers repeated calls from it, so both
//! happen or neither.

use crate::ids::ExternalId;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::Duration;

/// The record of the first call with a key. It distinguishes a repeated call from another request, which is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The name of the record: 128 bits of the SHA-256 of the call's path and the key.
    pub name: String,
    /// 128 bits of the SHA-256 of the body.
    pub body: String,
}

impl Once {
    /// How long a record is kept.
    pub const KEPT: Duration = Duration::from_hours(24);

    /// Creates the record of a call. `about` is what the call is about, in parts.
    #[must_use]
    pub fn new(about: &[&str], key: &ExternalId, body: &[u8]) -> Self {
        let mut parts = Sha256::new();
        for part in about.iter().copied().chain([key.as_str()]) {
            // The length keeps apart where one part ends and the next begins.
            parts.update(part.len().to_be_bytes());
            parts.update(part);
        }
        Self {
            name: half(&parts.finalize()),
            body: half(&Sha256::digest(body)),
        }
    }
}

fn half(digest: &[u8]) -> String {
    let mut text = String::with_capacity(32);
    for byte in digest.iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_different_calls_have_different_names() {
        let key = |text| ExternalId::parse(text).unwrap();
        let one = Once::new(&["a", "b"], &key("c"), b"{}");
        assert_eq!(one, Once::new(&["a", "b"], &key("c"), b"{}"));
        for other in [
            Once::new(&["ab"], &key("c"), b"{}"),
            Once::new(&["a"], &key("bc"), b"{}"),
        ] {
            assert_ne!(one.name, other.name);
        }
        assert_ne!(one.body, Once::new(&["a", "b"], &key("c"), b"{ }").body);
    }
}
