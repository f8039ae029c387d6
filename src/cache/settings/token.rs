use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The minimum length of a token: 16 random bytes have 22 characters in base64.
const LEAST: usize = 22;

/// A token of operators. It is stored as its hash, so that it cannot be shown, and so that the time of a comparison reveals nothing about
/// it.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken([u8; 32]);

/// Not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token has at least {LEAST} characters of visible ASCII")]
pub struct TokenError;

impl AdminToken {
    /// Returns whether it equals this token.
    #[must_use]
    pub fn is(&self, token: &str) -> bool {
        self.0 == hash(token)
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl FromStr for AdminToken {
    type Err = TokenError;

    fn from_str(token: &str) -> Result<Self, TokenError> {
        let fits = token.len() >= LEAST && token.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(hash(token))) } else { Err(TokenError) }
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_equals_itself_and_is_not_shown() {
        let token: AdminToken = "0123456789abcdefghijkl".parse().unwrap();
        assert!(token.is("0123456789abcdefghijkl"));
        assert!(!token.is("0123456789abcdefghijkm") && !token.is(""));
        assert_eq!(format!("{token:?}"), "AdminToken");
        for bad in ["", "short", "0123456789 abcdefghijkl", "0123456789abcdefghijkü"] {
            assert_eq!(bad.parse::<AdminToken>(), Err(TokenError), "{bad}");
        }
    }
}
