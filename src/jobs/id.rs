//! The ids of jobs, and the tokens of their leases.

use crate::ids::Id;
use compact_str::CompactString;
use rand::RngExt;
use serde::{Serialize, Serializer};
use std::fmt;

/// The separator of the name of the queue and the short id.
const SEPARATOR: char = '.';
/// The length of a short id, 78 bits: the probability of a collision among a billion jobs of a queue is one in half a million.
pub(super) const SHORT: usize = 13;
/// Maximum length of the name of a queue, so that the ids of its jobs are valid ids.
pub const MAX_QUEUE_LEN: usize = Id::MAX_LEN - SHORT - 1;
/// The length of a token, 96 bits.
const TOKEN: usize = 16;
/// The characters of short ids and tokens: 64 characters of an [`Id`], without the separator.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

fn draw<const N: usize>() -> [u8; N] {
    let mut bytes: [u8; N] = rand::rng().random();
    for byte in &mut bytes {
        *byte = ALPHABET[usize::from(*byte & 63)];
    }
    bytes
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

/// The id of a job: `QUEUE.SHORT`, so that it names the queue of the job.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JobId {
    whole: CompactString,
    /// The length of the queue's name; below [`Id::MAX_LEN`].
    queue: u8,
}

impl JobId {
    /// Draws a random id, which stays unique even if Redis has lost the last jobs.
    pub(super) fn draw(queue: &Id) -> Self {
        Self::of(queue, text(&draw::<SHORT>()))
    }

    /// Creates the id of a job from its queue and its short id.
    pub(super) fn of(queue: &str, short: &str) -> Self {
        let mut whole = CompactString::with_capacity(queue.len() + 1 + short.len());
        whole.push_str(queue);
        whole.push(SEPARATOR);
        whole.push_str(short);
        Self {
            whole,
            queue: u8::try_from(queue.len()).unwrap_or(u8::MAX),
        }
    }

    /// Parses an id; `None` if no job can have it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (queue, short) = text.rsplit_once(SEPARATOR)?;
        let fits = short.len() == SHORT && queue.len() <= MAX_QUEUE_LEN;
        (fits && Id::parse(queue).is_ok() && short.bytes().all(|byte| ALPHABET.contains(&byte)))
            .then(|| Self::of(queue, short))
    }

    /// Returns the name of the queue.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.whole[..usize::from(self.queue)]
    }

    /// Returns the short id, which identifies the job in its queue.
    pub(super) fn short(&self) -> &str {
        &self.whole[usize::from(self.queue) + 1..]
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.whole
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({})", self.whole)
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.whole)
    }
}

/// The token that ends or extends a lease. All jobs that are leased by one call have the same token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LeaseToken([u8; TOKEN]);

impl LeaseToken {
    /// Draws a random token from a cryptographic generator.
    pub(super) fn draw() -> Self {
        Self(draw())
    }

    /// Parses a token; `None` if no lease can have it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; TOKEN] = text.as_bytes().try_into().ok()?;
        // In the scripts, hyphens stand for no token.
        let is_one = bytes.iter().all(|byte| ALPHABET.contains(byte)) && bytes != [b'-'; TOKEN];
        is_one.then_some(Self(bytes))
    }

    /// Returns the token as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        text(&self.0)
    }
}

impl fmt::Debug for LeaseToken {
    /// Omits the token, because it is a secret and the output goes to logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeaseToken(…)")
    }
}

impl Serialize for LeaseToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_queue_of_its_job() {
        let queue = Id::parse("eu.emails").unwrap();
        let id = JobId::draw(&queue);
        assert_eq!(id.queue(), "eu.emails");
        assert_eq!(JobId::parse(id.as_str()), Some(id.clone()));
        assert!(Id::parse(id.as_str()).is_ok());
        assert_ne!(JobId::draw(&queue), id);
        for wrong in [
            "",
            "emails",
            "emails.",
            ".AAAAAAAAAAAAA",
            "a.AAAAAAAAAAAA",
            "a.AAAAAAAAAAAA:",
            "é.AAAAAAAAAAAAA",
        ] {
            assert_eq!(JobId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_is_read_as_written_and_does_not_show() {
        let token = LeaseToken::draw();
        assert_eq!(LeaseToken::parse(token.as_str()), Some(token));
        assert_eq!(format!("{token:?}"), "LeaseToken(…)");
        for wrong in ["", "----------------", "AAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAA."] {
            assert_eq!(LeaseToken::parse(wrong), None, "{wrong}");
        }
    }
}
