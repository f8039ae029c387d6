//! Tokens and the ids of sessions, as hexadecimal digits of bits that the system's generator gave.

use super::keys::SessionPartition;
use rand::rand_core::TryRng;
use rand::rngs::{SysError, SysRng};
use sha2::{Digest, Sha256};
use std::fmt;

/// So that a token is known for one where it should not be: in a log, in a repository.
const PREFIX: &str = "fps_";
/// 128 bits. Public, and worth nothing without the secret.
const ID_DIGITS: usize = 32;
/// 128 bits, which all tokens of a session have in common.
const FAMILY_DIGITS: usize = 32;
/// 256 bits, which no other token has.
const SECRET_DIGITS: usize = 64;
const ID_AT: usize = PREFIX.len() + 2;
const FAMILY_AT: usize = ID_AT + ID_DIGITS;
const SECRET_AT: usize = FAMILY_AT + FAMILY_DIGITS;
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

/// What opens a session: `fps_`, two digits that name the partition, the session's id, a secret of 32 digits that all of
/// the session's tokens have, and one of 64 that is its own.
///
/// The id is in it so that one key leads to the session, whose hash tells whether the secret is right. The secret of the
/// family is in it so that any token that was ever one of the session's is known for one, without a list of them: nobody
/// else can have it. Nobody who sees Redis or the log sees a token: it has no `Display`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The first one of a session.
    ///
    /// # Errors
    /// [`SysError`] if the system's generator fails.
    pub(super) fn draw(partition: SessionPartition, id: &SessionId) -> Result<Self, SysError> {
        let mut text = String::with_capacity(TOKEN_LEN);
        text.push_str(PREFIX);
        push_hex(&mut text, &[partition.0]);
        text.push_str(id.as_str());
        push_random::<{ FAMILY_DIGITS / 2 }>(&mut text)?;
        push_random::<{ SECRET_DIGITS / 2 }>(&mut text)?;
        Ok(Self(text))
    }

    /// Another one of the same session.
    ///
    /// # Errors
    /// [`SysError`] if the system's generator fails.
    pub(super) fn draw_next(&self) -> Result<Self, SysError> {
        let mut text = String::with_capacity(TOKEN_LEN);
        text.push_str(&self.0[..SECRET_AT]);
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
        &self.0[ID_AT..FAMILY_AT]
    }

    /// SHA-256 of the whole token. Unsalted and fast, as is right for so many random bits and would not be for a password.
    /// This and [`Self::family_sha256`] are all that Redis knows of it.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(&self.0)
    }

    /// SHA-256 of what all tokens of its session have in common.
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
