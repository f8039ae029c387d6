//! Tokens and the ids of sessions, as hexadecimal digits of bits that the system's generator gave.

use crate::store::SessionPartition;
use rand::rand_core::TryRng;
use rand::rngs::{SysError, SysRng};
use sha2::{Digest, Sha256};
use std::fmt;

/// So that a token is known for one where it should not be: in a log, in a repository.
const PREFIX: &str = "fps_";
/// 128 bits. Public, and worth nothing without the secret.
const ID_DIGITS: usize = 32;
/// 256 bits.
const SECRET_DIGITS: usize = 64;
const ID_AT: usize = PREFIX.len() + 2;
const SECRET_AT: usize = ID_AT + ID_DIGITS;
const TOKEN_LEN: usize = SECRET_AT + SECRET_DIGITS;

/// What names a session in public: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

impl SessionId {
    /// A new one.
    ///
    /// # Errors
    /// [`SysError`] if the system's generator fails.
    pub(super) fn draw() -> Result<Self, SysError> {
        let mut text = String::with_capacity(ID_DIGITS);
        push_random::<{ ID_DIGITS / 2 }>(&mut text)?;
        Ok(Self(text))
    }

    /// Reads an id; `None` if it is not one that this slice gives.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == ID_DIGITS && is_hex(text)).then(|| Self(text.to_owned()))
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What opens a session: `fps_`, two digits that name the partition, the session's id, and a secret of 64 digits.
///
/// The id is in it so that one key leads to the session, whose hash tells whether the secret is right. Nobody who sees
/// Redis or the log sees a token: it has no `Display`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one for a session.
    ///
    /// # Errors
    /// [`SysError`] if the system's generator fails.
    pub(super) fn draw(partition: SessionPartition, id: &SessionId) -> Result<Self, SysError> {
        let mut text = String::with_capacity(TOKEN_LEN);
        text.push_str(PREFIX);
        push_hex(&mut text, &[partition.0]);
        text.push_str(id.as_str());
        push_random::<{ SECRET_DIGITS / 2 }>(&mut text)?;
        Ok(Self(text))
    }

    /// Reads a token; `None` if it has not the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        (text.len() == TOKEN_LEN && is_hex(digits)).then(|| Self(text.to_owned()))
    }

    /// The token itself, for its owner alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Where its session lies.
    #[must_use]
    pub fn partition(&self) -> SessionPartition {
        SessionPartition(u8::from_str_radix(&self.0[PREFIX.len()..ID_AT], 16).unwrap_or_default())
    }

    /// The digits of its session's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0[ID_AT..SECRET_AT]
    }

    /// SHA-256 of the whole token: all that Redis knows of it. Unsalted and fast, as is right for 256 random bits and would
    /// not be for a password.
    #[must_use]
    pub fn sha256(&self) -> String {
        let mut text = String::with_capacity(64);
        push_hex(&mut text, &Sha256::digest(&self.0));
        text
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

fn push_random<const BYTES: usize>(text: &mut String) -> Result<(), SysError> {
    let mut bytes = [0; BYTES];
    SysRng.try_fill_bytes(&mut bytes)?;
    push_hex(text, &bytes);
    Ok(())
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Small letters only: there is one way to write a token, as there is one hash of it.
fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_carries_its_partition_and_id_and_is_read_back() {
        let id = SessionId::draw().unwrap();
        let token = Token::draw(SessionPartition(0x0a), &id).unwrap();
        let read = Token::parse(token.reveal()).unwrap();
        assert_eq!((read.partition(), read.id()), (SessionPartition(0x0a), id.as_str()));
        assert_eq!(read, token);
        assert_ne!(token, Token::draw(SessionPartition(0x0a), &id).unwrap());
        assert_eq!(SessionId::parse(id.as_str()), Some(id));
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        let token = Token::draw(SessionPartition(1), &SessionId::draw().unwrap()).unwrap();
        let text = token.reveal();
        for wrong in [
            "",
            "fps_",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}0"),
            &text.to_uppercase(),
            &text.replacen("fps_", "fpx_", 1),
            &format!("{}é", &text[..text.len() - 2]),
        ] {
            assert_eq!(Token::parse(wrong), None, "{wrong}");
        }
        assert_eq!(SessionId::parse("0123"), None);
        assert_eq!(SessionId::parse(&"G".repeat(32)), None);
    }

    #[test]
    fn the_hash_is_sha256_and_nothing_shows_the_token() {
        let text = format!("fps_{}", "0".repeat(98));
        let token = Token::parse(&text).unwrap();
        // As `sha256sum` has it.
        assert_eq!(
            token.sha256(),
            "e05b46bf6a9699c9cd29169a12ec5e096307b760e9ced994ce2aeef68be51be6"
        );
        assert_eq!(format!("{token:?}"), "Token");
    }
}
