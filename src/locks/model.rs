use crate::ids::{ExternalId, Id, IdError};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::time::Instant;

/// The range of leases, milliseconds: a tenth of a second to an hour. A holder that needs the lock for longer renews it.
pub const TTL_MS: RangeInclusive<i64> = 100..=3_600_000;
/// How long one can wait for a lock, milliseconds.
pub const WAIT_MS: RangeInclusive<i64> = 0..=60_000;

/// The token with which a holder renews and releases a lock. An [`Id`] of at least 16 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Id);

/// Why a text is not a [`Token`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Too short not to be met by chance.
    #[error("a token has at least 16 characters")]
    TooShort,
    /// Not an id.
    #[error(transparent)]
    NoId(#[from] IdError),
}

impl Token {
    /// Returns a new token: 128 bits of the thread's cryptographic generator, as 32 hexadecimal digits.
    #[must_use]
    pub fn random() -> Self {
        let text = format!("{:032x}", rand::random::<u128>());
        let Ok(id) = Id::parse(&text) else {
            unreachable!("hexadecimal digits are an id")
        };
        Self(id)
    }

    /// Parses a token that a client has chosen.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        if (1..16).contains(&text.len()) {
            return Err(TokenError::TooShort);
        }
        Ok(Self(Id::parse(text)?))
    }

    /// Returns the token as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    /// Omits the token, because it is a secret and `Debug` output is logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The parameters for acquiring a lock.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub(super) token: Token,
    pub(super) ttl: Duration,
    pub(super) wait: Duration,
    pub(super) owner: Option<ExternalId>,
}

impl Wanted {
    /// Requests a lease of this duration, limited to [`TTL_MS`], under a new token and without waiting.
    #[must_use]
    pub fn lasting(ttl: Duration) -> Self {
        Self {
            token: Token::random(),
            ttl: within(&TTL_MS, ttl),
            wait: Duration::ZERO,
            owner: None,
        }
    }

    /// Sets how long to wait if the lock is held, limited to [`WAIT_MS`].
    #[must_use]
    pub fn waiting(self, wait: Duration) -> Self {
        Self {
            wait: within(&WAIT_MS, wait),
            ..self
        }
    }

    /// Sets the name of the caller, which other callers can see.
    #[must_use]
    pub fn owned_by(self, owner: Option<ExternalId>) -> Self {
        Self { owner, ..self }
    }

    /// Sets the token. It identifies the grant: a repeated call with the same token, after a lost answer, gets the same grant. So use a new
    /// token for each acquisition.
    #[must_use]
    pub fn under(self, token: Token) -> Self {
        Self { token, ..self }
    }

    /// Returns the token that the grant will have.
    #[must_use]
    pub const fn token(&self) -> &Token {
        &self.token
    }
}

/// Limits a duration to a range of milliseconds, and rounds it to whole ones.
pub(super) fn within(range_ms: &RangeInclusive<i64>, time: Duration) -> Duration {
    let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Duration::from_millis(ms.clamp(*range_ms.start(), *range_ms.end()).unsigned_abs())
}

/// A lock that was granted, or renewed.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The token for renewing and releasing it.
    pub token: Token,
    /// Greater than that of every grant of the same name before.
    pub fence: u64,
    /// The current owner.
    pub owner: Option<ExternalId>,
    /// When it ends, by Redis's clock, Unix milliseconds.
    pub expires_at_ms: i64,
    /// Until when it is held by this process's clock, counted from before the request was sent: never later than its end in Redis.
    pub until: Instant,
}

/// The holder of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The name of the owner, if one was given.
    pub owner: Option<ExternalId>,
    /// The fence of the grant.
    pub fence: u64,
    /// When it ends, by Redis's clock, Unix milliseconds.
    pub expires_at_ms: i64,
    /// The remaining time, from when the request was sent.
    pub expires_in: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_an_id_of_a_minimum_length() {
        assert_eq!(Token::parse(""), Err(TokenError::NoId(IdError::Empty)));
        assert_eq!(Token::parse("0123456789abcde"), Err(TokenError::TooShort));
        assert_eq!(
            Token::parse("0123456789abcde{"),
            Err(TokenError::NoId(IdError::BadCharacter))
        );
        assert_eq!(Token::parse("0123456789abcdef").unwrap().as_str(), "0123456789abcdef");
    }

    #[test]
    fn durations_are_limited_to_their_range() {
        for (wanted, ttl_ms, wait_ms) in [
            (Duration::ZERO, 100, 0),
            (Duration::from_micros(250_900), 250, 250),
            (Duration::MAX, 3_600_000, 60_000),
        ] {
            let wanted = Wanted::lasting(wanted).waiting(wanted);
            assert_eq!((wanted.ttl.as_millis(), wanted.wait.as_millis()), (ttl_ms, wait_ms));
        }
    }

    #[test]
    fn tokens_are_random_and_hidden_by_debug() {
        let (one, other) = (Token::random(), Token::random());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 32);
        assert_eq!(
            format!("{:?}", Wanted::lasting(Duration::from_secs(1)).token),
            "Token(…)"
        );
    }
}
