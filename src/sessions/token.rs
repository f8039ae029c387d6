//! Tokens and ids of sessions: random bits of the operating system's generator as hexadecimal digits.

use super::keys::SessionPartition;
use rand::rand_core::TryRng;
use rand::rngs::{SysError, SysRng};
use sha2::{Digest, Sha256};
use std::fmt;

/// The prefix by which scanners recognise a token that was leaked into a log or a repository.
const PREFIX: &str = "fps_";
/// The id, 128 bits: public, and useless without the secret.
const ID_DIGITS: usize = 32;
/// The family secret, 128 bits, which all tokens of a session share.
const FAMILY_DIGITS: usize = 32;
/// The secret of the token, 256 bits.
const SECRET_DIGITS: usize = 64;
const ID_AT: usize = PREFIX.len() + 2;
const FAMILY_AT: usize = ID_AT + ID_DIGITS;
const SECRET_AT: usize = FAMILY_AT + FAMILY_DIGITS;
const TOKEN_LEN: usize = SECRET_AT + SECRET_DIGITS;

/// The public id of a session: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

impl SessionId {
    /// Creates a random id.
    ///
    /// # Errors
    /// [`SysError`] if the operating system's generator fails.
    pub(super) fn draw() -> Result<Self, SysError> {
        let mut text = String::with_capacity(ID_DIGITS);
        push_random::<{ ID_DIGITS / 2 }>(&mut text)?;
        Ok(Self(text))
    }

    /// Parses an id; `None` if it does not have the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == ID_DIGITS && is_hex(text)).then(|| Self(text.to_owned()))
    }

    /// Returns its digits.
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

/// A token that opens a session: `fps_`, two digits for the partition, the session's id, the family secret of 32 digits that all tokens of
/// the session share, and a secret of 64 digits of its own.
///
/// With the id one key read finds the session, which contains the hash of the secret. The family secret identifies every former token of
/// the session without a list of them, because only its holders know that secret. Neither Redis nor the log contains a token: it has no
/// `Display`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Creates the first token of a session.
    ///
    /// # Errors
    /// [`SysError`] if the operating system's generator fails.
    pub(super) fn draw(partition: SessionPartition, id: &SessionId) -> Result<Self, SysError> {
        let mut text = String::with_capacity(TOKEN_LEN);
        text.push_str(PREFIX);
        push_hex(&mut text, &[partition.0]);
        text.push_str(id.as_str());
        push_random::<{ FAMILY_DIGITS / 2 }>(&mut text)?;
        push_random::<{ SECRET_DIGITS / 2 }>(&mut text)?;
        Ok(Self(text))
    }

    /// Creates another token of the same session.
    ///
    /// # Errors
    /// [`SysError`] if the operating system's generator fails.
    pub(super) fn draw_next(&self) -> Result<Self, SysError> {
        let mut text = String::with_capacity(TOKEN_LEN);
        text.push_str(&self.0[..SECRET_AT]);
        push_random::<{ SECRET_DIGITS / 2 }>(&mut text)?;
        Ok(Self(text))
    }

    /// Parses a token; `None` if it does not have the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        (text.len() == TOKEN_LEN && is_hex(digits)).then(|| Self(text.to_owned()))
    }

    /// Returns the token itself, which only its owner may get.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the partition of its session.
    #[must_use]
    pub fn partition(&self) -> SessionPartition {
        SessionPartition(u8::from_str_radix(&self.0[PREFIX.len()..ID_AT], 16).unwrap_or_default())
    }

    /// Returns the digits of its session's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0[ID_AT..FAMILY_AT]
    }

    /// Returns the SHA-256 of the whole token. A fast hash without salt is enough for this many random bits, unlike for a password. Redis
    /// stores only this and [`Self::family_sha256`].
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(&self.0)
    }

    /// Returns the SHA-256 of the part that all tokens of its session share.
    #[must_use]
    pub fn family_sha256(&self) -> String {
        sha256(&self.0[..SECRET_AT])
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

fn sha256(text: &str) -> String {
    let mut digits = String::with_capacity(64);
    push_hex(&mut digits, &Sha256::digest(text));
    digits
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
    fn the_tokens_of_a_session_have_a_secret_in_common_that_no_other_session_has() {
        let id = SessionId::draw().unwrap();
        let token = Token::draw(SessionPartition(1), &id).unwrap();
        let next = token.draw_next().unwrap();
        assert_eq!(Token::parse(next.reveal()), Some(next.clone()));
        assert_eq!((next.partition(), next.id()), (token.partition(), token.id()));
        assert_eq!(next.family_sha256(), token.family_sha256());
        assert_ne!(next.sha256(), token.sha256());
        let another = Token::draw(SessionPartition(1), &id).unwrap();
        assert_ne!(another.family_sha256(), token.family_sha256());
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
        let text = format!("fps_{}", "0".repeat(130));
        let token = Token::parse(&text).unwrap();
        // As `sha256sum` has it.
        assert_eq!(
            token.sha256(),
            "5a4f0c71a138ad5fea6f46d9a000236f080dd3d614c7f7879be10ce5c2c46f6c"
        );
        assert_eq!(
            token.family_sha256(),
            "5943708c68e000cb77f8cf7f1d54a76dfc2ddacc60ae07c25673a1ed547cb9c8"
        );
        assert_eq!(format!("{token:?}"), "Token");
    }
}
