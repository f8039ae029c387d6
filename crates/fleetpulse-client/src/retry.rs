//! When a call is repeated, and after which delay.

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// How often, and for how long, a call is tried.
///
/// A call that certainly had no effect (no connection, 429) is repeated. A call that may have had an effect (503, a broken connection, no
/// answer in time) is repeated only if it is safe to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The maximum number of attempts; 1 for no retries. By default 4.
    pub max_attempts: u32,
    /// The delay after the first failed attempt; by default 100 ms. It doubles with each further one. A random part, up to half of it, is
    /// subtracted.
    pub base_backoff: Duration,
    /// The maximum delay; by default 5 s. A `Retry-After` may be longer.
    pub max_backoff: Duration,
    /// The maximum delay because of a `Retry-After`: a longer one is shortened to this. By default unlimited.
    pub max_retry_after: Duration,
    /// Whether a call that was answered 429 is repeated; by default `true`.
    pub retry_rate_limited: bool,
    /// The maximum time for all attempts and the delays between them; by default 30 s. The call fails at once if the next delay would
    /// exceed it. The time for which a call waits in the service (`wait_ms`) is added.
    pub total_timeout: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            base_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            max_retry_after: Duration::MAX,
            retry_rate_limited: true,
            total_timeout: Duration::from_secs(30),
        }
    }
}

/// Whether a call that may have had an effect may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Repeating the call has no further effect.
    Safe,
    /// Repeating the call could have a further effect.
    Unsafe,
}

/// The effect of a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It certainly had no effect.
    None { retry_after: Option<Duration> },
    /// It may have had an effect.
    Unknown { retry_after: Option<Duration> },
    /// The service has refused the call, and would refuse it again.
    Final,
}

impl Effect {
    /// Returns the effect of an attempt with an error answer.
    fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            429 => Self::None { retry_after },
            503 => Self::Unknown { retry_after },
            _ => Self::Final,
        }
    }

    /// Returns the effect of an attempt without an answer.
    pub fn of_transport(error: &reqwest::Error) -> Self {
        let retry_after = None;
        if error.is_connect() {
            Self::None { retry_after }
        } else if error.is_builder() {
            Self::Final
        } else {
            Self::Unknown { retry_after }
        }
    }
}

impl RetryPolicy {
    /// Returns a policy of one attempt and no retries.
    #[must_use]
    pub fn never() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// Returns the effect of an attempt with an error answer. An attempt with a 429 that is not repeated is final.
    pub(crate) fn effect_of_status(&self, status: u16, retry_after: Option<Duration>) -> Effect {
        if status == 429 && !self.retry_rate_limited {
            return Effect::Final;
        }
        Effect::of_status(status, retry_after)
    }

    /// Returns the delay before the next attempt; `None` if there is none. `attempts` is the number of attempts so far, `left` is what is
    /// left of the total time, and `random` is between 0 and 1.
    pub(crate) fn wait(
        &self,
        effect: Effect,
        repeat: Repeat,
        attempts: u32,
        left: Duration,
        random: f64,
    ) -> Option<Duration> {
        let retry_after = match (effect, repeat) {
            (Effect::None { retry_after }, _) | (Effect::Unknown { retry_after }, Repeat::Safe) => retry_after,
            (Effect::Unknown { .. }, Repeat::Unsafe) | (Effect::Final, _) => return None,
        };
        if attempts >= self.max_attempts {
            return None;
        }
        let doublings = attempts.saturating_sub(1).min(31);
        let backoff = self.base_backoff.saturating_mul(1 << doublings).min(self.max_backoff);
        let jittered = backoff.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0);
        let wait = jittered.max(retry_after.unwrap_or_default().min(self.max_retry_after));
        (wait < left).then_some(wait)
    }
}

/// Returns the `Retry-After` of an answer: seconds, or a date. A date is compared with the `Date` of the answer, so that the clock of this
/// machine may differ.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = DateTime::parse_from_rfc2822(text).ok()?;
    let now = DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some((then - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    const LONG: Duration = Duration::from_mins(1);
    const REFUSED: Effect = Effect::None { retry_after: None };
    const LOST: Effect = Effect::Unknown { retry_after: None };

    fn policy() -> RetryPolicy {
        RetryPolicy::default()
    }

    #[test]
    fn a_call_that_may_have_had_an_effect_is_repeated_only_if_that_is_safe() {
        let waits = |effect, repeat| policy().wait(effect, repeat, 1, LONG, 0.0).is_some();
        assert!(waits(REFUSED, Repeat::Unsafe));
        assert!(waits(REFUSED, Repeat::Safe));
        assert!(waits(LOST, Repeat::Safe));
        assert!(!waits(LOST, Repeat::Unsafe));
        assert!(!waits(Effect::Final, Repeat::Safe));
    }

    #[test]
    fn only_429_and_503_are_retried() {
        let after = Some(Duration::from_secs(3));
        assert_eq!(Effect::of_status(429, after), Effect::None { retry_after: after });
        assert_eq!(Effect::of_status(503, after), Effect::Unknown { retry_after: after });
        for status in [400, 401, 404, 409, 412, 422, 500, 504] {
            assert_eq!(Effect::of_status(status, after), Effect::Final, "{status}");
        }
    }

    #[test]
    fn the_backoff_doubles_up_to_its_maximum_and_jitter_takes_at_most_half() {
        let policy = RetryPolicy {
            max_attempts: u32::MAX,
            ..policy()
        };
        let wait = |attempts, random| policy.wait(LOST, Repeat::Safe, attempts, LONG, random);
        let millis = |ms| Some(Duration::from_millis(ms));
        assert_eq!([wait(1, 0.0), wait(2, 0.0), wait(3, 0.0)], [100, 200, 400].map(millis));
        assert_eq!([wait(1, 1.0), wait(3, 0.5)], [50, 300].map(millis));
        assert_eq!([wait(7, 0.0), wait(1_000_000, 0.0)], [5_000, 5_000].map(millis));
    }

    #[test]
    fn attempts_and_time_are_bounded() {
        let wait = |attempts, left| policy().wait(LOST, Repeat::Safe, attempts, left, 0.0);
        assert!(wait(3, LONG).is_some());
        assert_eq!(wait(4, LONG), None);
        assert_eq!(wait(1, Duration::from_millis(100)), None);
        assert_eq!(RetryPolicy::never().wait(REFUSED, Repeat::Safe, 1, LONG, 0.0), None);
    }

    #[test]
    fn retry_after_is_waited_for_if_there_is_time() {
        let effect = Effect::of_status(503, Some(Duration::from_secs(7)));
        let wait = |left| policy().wait(effect, Repeat::Safe, 1, left, 0.5);
        assert_eq!(wait(LONG), Some(Duration::from_secs(7)));
        assert_eq!(wait(Duration::from_secs(6)), None);
    }

    #[test]
    fn a_long_retry_after_is_shortened_to_its_maximum() {
        let effect = Effect::of_status(503, Some(Duration::from_hours(1)));
        let policy = RetryPolicy {
            max_retry_after: Duration::from_secs(2),
            ..policy()
        };
        let wait = policy.wait(effect, Repeat::Safe, 1, LONG, 0.0);
        assert_eq!(wait, Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_429_is_final_if_the_policy_says_so() {
        let policy = RetryPolicy {
            retry_rate_limited: false,
            ..policy()
        };
        assert_eq!(policy.effect_of_status(429, None), Effect::Final);
        assert_eq!(policy.effect_of_status(503, None), LOST);
        assert_eq!(RetryPolicy::default().effect_of_status(429, None), REFUSED);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let read = |pairs: &[(_, &'static str)]| {
            let pairs = pairs.iter().cloned();
            retry_after(
                &pairs
                    .map(|(name, value)| (name, HeaderValue::from_static(value)))
                    .collect(),
            )
        };
        let date = (DATE, "Mon, 30 Nov 2026 09:45:53 GMT");
        assert_eq!(read(&[(RETRY_AFTER, "12")]), Some(Duration::from_secs(12)));
        assert_eq!(
            read(&[(RETRY_AFTER, "Mon, 30 Nov 2026 09:46:00 GMT"), date.clone()]),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            read(&[(RETRY_AFTER, "Mon, 30 Nov 2026 09:45:00 GMT"), date]),
            Some(Duration::ZERO)
        );
        assert_eq!(read(&[(RETRY_AFTER, "Mon, 30 Nov 2026 09:46:00 GMT")]), None);
        assert_eq!(read(&[(RETRY_AFTER, "soon")]), None);
        assert_eq!(read(&[]), None);
    }
}
