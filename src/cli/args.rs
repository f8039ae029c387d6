//! Parsers of command-line values.

use crate::tracking::Kind;
use std::time::Duration;

/// Parses `500ms`, `10s`, `1.5m`, `2h`; a number without a unit is in seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds_per_unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("{unit:?} is not a unit of time: use ms, s, m or h")),
    };
    let number: f64 = digits
        .trim()
        .parse()
        .map_err(|_error| format!("{digits:?} is not a number"))?;
    Duration::try_from_secs_f64(number * seconds_per_unit).map_err(|error| error.to_string())
}

/// Parses a [`duration`] that is not zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    let length = duration(text)?;
    if length.is_zero() {
        return Err("must be longer than 0".to_owned());
    }
    Ok(length)
}

/// Parses `drivers`, `vehicles` or `users`.
pub(super) fn kind(text: &str) -> Result<Kind, String> {
    Kind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| format!("{text:?} is not a kind: use drivers, vehicles or users"))
}

/// Parses a factor of time: finite and not negative.
pub(super) fn speed(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|speed: &f64| speed.is_finite() && *speed >= 0.0)
        .ok_or_else(|| "must be a number, 0 or more".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("10"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_hours(2)));
        for bad in ["", "s", "-1s", "1d", "NaNs", "infs", "1e400"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
        assert!(positive_duration("0s").is_err());
    }

    #[test]
    fn kinds_and_speeds_are_checked() {
        assert_eq!(kind("users"), Ok(Kind::Users));
        assert!(kind("Users").is_err());
        assert_eq!(speed("0"), Ok(0.0));
        assert!(speed("-1").is_err());
        assert!(speed("NaN").is_err());
    }
}
