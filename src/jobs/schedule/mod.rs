//! Recurring times: a cron expression in a time zone, or a fixed interval.
//!
//! Pure: it reads no clock. It computes the next time after a given time, both in Unix milliseconds.
//!
//! **Cron** has five fields (minute, hour, day of month, month, day of week) or six, with seconds first; `*`, lists,
//! ranges, steps, names (`MON`, `JAN`), `L`, `W`, `#` and the nicknames `@hourly` to `@yearly`. If both day fields are
//! restricted, one match is enough, as in Vixie cron. The time zone is a name of the IANA database; UTC without one.
//!
//! **Daylight-saving changes** are handled as the manuals of Vixie cron and cronie specify. An expression is of *fixed times* if its minutes, its hours
//! and, if given, its seconds are numbers, lists and ranges, without a `*`: `30 2 * * *`, `30 2,14 * * *`, `0 1-5 * * *`, `@daily`. Each
//! of these times comes once a day: one that is skipped fires right after the gap (several of them once), and of one that comes
//! twice the first fires. Every other expression (`*/30 * * * *`, `0 * * * *`, `@hourly`) follows local time: a
//! skipped time does not fire, a repeated time fires twice.
//!
//! **An expression that does not fire within 41 years** is refused. Dates come back after at most 40 years, so it either matches no date and
//! time, such as 30 February, or matches only times that the clocks of its zone skip.
//!
//! **An interval** is counted from the schedule's own start: `start + n × every`, so instances and restarts change
//! nothing about its times. `n` may be negative, because the clock may have been set back to before the start.

#[cfg(test)]
mod tests;

use crate::zones;
use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::{Weekday, days_in_month};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The shortest interval, in milliseconds.
pub const MIN_EVERY_MS: i64 = 1_000;
/// The longest interval: a year, in milliseconds.
pub const MAX_EVERY_MS: i64 = 366 * 86_400_000;
/// The longest cron expression, in bytes.
pub const MAX_CRON: usize = 256;

/// The longest time to a firing, 41 years in milliseconds. A day of a month falls on the same weekday again, in a year of the same length,
/// after at most 40 years: after 2072, 29 February is a Monday only in 2112.
const MAX_WAIT_MS: i64 = 41 * 366 * 86_400_000;

/// A schedule; see the module.
#[derive(Debug, Clone)]
pub struct Schedule(Rule);

#[derive(Debug, Clone)]
enum Rule {
    Cron(Box<CronRule>),
    Every { every_ms: i64, start_ms: i64 },
}

#[derive(Debug, Clone)]
struct CronRule {
    cron: Cron,
    zone: TimeZone,
    is_fixed: bool,
}

/// Why a schedule is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Neither an expression nor an interval is given, or both are.
    #[error("must have either `cron` or `every_ms`")]
    Which,
    /// A time zone is given for an interval.
    #[error("is allowed only together with `cron`")]
    ZoneOfInterval,
    /// The cron expression is invalid.
    #[error("is no cron expression: {0}")]
    Cron(String),
    /// No date within 41 years matches the expression, such as 30 February.
    #[error("does not fire within 41 years: give a day, month and time that occur together")]
    Never,
    /// The time zone is not in the IANA database.
    #[error("is no time zone of the IANA database, such as Europe/Berlin")]
    Zone,
    /// The interval is out of range.
    #[error("must be {MIN_EVERY_MS} to {MAX_EVERY_MS}")]
    Every,
}

impl ScheduleError {
    /// Returns the member at fault; empty for the whole schedule.
    #[must_use]
    pub const fn member(&self) -> &'static str {
        match self {
            Self::Which => "",
            Self::Cron(_) | Self::Never => "cron",
            Self::Zone | Self::ZoneOfInterval => "time_zone",
            Self::Every => "every_ms",
        }
    }
}

impl Schedule {
    /// Parses `cron` with an optional `time_zone`, or `every_ms` counted from `start_ms`. A cron expression has to fire after `start_ms`.
    ///
    /// # Errors
    /// [`ScheduleError`] names the member at fault.
    pub fn parse(
        cron: Option<&str>,
        time_zone: Option<&str>,
        every_ms: Option<i64>,
        start_ms: i64,
    ) -> Result<Self, ScheduleError> {
        match (cron, every_ms) {
            (Some(cron), None) => Self::cron(cron, time_zone, start_ms),
            (None, Some(_)) if time_zone.is_some() => Err(ScheduleError::ZoneOfInterval),
            (None, Some(every_ms)) => Self::every(every_ms, start_ms),
            _ => Err(ScheduleError::Which),
        }
    }

    fn cron(expression: &str, time_zone: Option<&str>, start_ms: i64) -> Result<Self, ScheduleError> {
        let zone = time_zone.map_or(Some(TimeZone::UTC), zones::zone);
        let zone = zone.ok_or(ScheduleError::Zone)?;
        if expression.len() > MAX_CRON {
            return Err(ScheduleError::Cron(format!("it has more than {MAX_CRON} bytes")));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            // With a year the schedule would end.
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(expression)
            .map_err(|error| ScheduleError::Cron(error.to_string()))?;
        if !matches_a_time(&cron) {
            return Err(ScheduleError::Never);
        }
        let schedule = Self(Rule::Cron(Box::new(CronRule {
            cron,
            zone,
            is_fixed: is_fixed(expression),
        })));
        schedule.next_after(start_ms).ok_or(ScheduleError::Never)?;
        Ok(schedule)
    }

    fn every(every_ms: i64, start_ms: i64) -> Result<Self, ScheduleError> {
        if (MIN_EVERY_MS..=MAX_EVERY_MS).contains(&every_ms) {
            Ok(Self(Rule::Every { every_ms, start_ms }))
        } else {
            Err(ScheduleError::Every)
        }
    }

    /// Returns the first time after `after_ms`; `None` if it is out of the range of dates.
    #[must_use]
    pub fn next_after(&self, after_ms: i64) -> Option<i64> {
        match &self.0 {
            Rule::Cron(rule) => rule.next_after(after_ms),
            Rule::Every { every_ms, start_ms } => {
                let passed = after_ms.checked_sub(*start_ms)?;
                let firings = passed.div_euclid(*every_ms).checked_add(1)?;
                start_ms.checked_add(firings.checked_mul(*every_ms)?)
            }
        }
    }
}

impl CronRule {
    /// Searches from one offset change to the next. Between two changes the offset is constant, and the expression is evaluated as in UTC.
    fn next_after(&self, after_ms: i64) -> Option<i64> {
        let after = Timestamp::from_millisecond(after_ms).ok()?;
        let latest = after_ms + MAX_WAIT_MS;
        let mut offset = self.offset_ms(after);
        let mut local = after_ms + offset;
        if self.is_fixed
            && let Some(change) = self
                .zone
                .preceding(Timestamp::from_millisecond(after_ms + 1).ok()?)
                .next()
        {
            // Local times up to this one occurred before the clocks were set back.
            let begins = change.timestamp();
            let before = Timestamp::from_millisecond(begins.as_millisecond() - 1).ok()?;
            local = local.max(begins.as_millisecond() + self.offset_ms(before) - 1);
        }
        // The local times for which the next match is known, and, as the end, that match. A match years ahead is searched for once, not
        // after each change up to it.
        let mut known = 0..0;
        let mut next_local = |local: i64| {
            if !known.contains(&local) {
                known = local..self.next_local(local)?;
            }
            Some(known.end)
        };
        let mut begins = i64::MIN;
        for change in self.zone.following(after) {
            let change = change.timestamp();
            // A skipped time is due when this period begins.
            let next = (next_local(local)? - offset).max(begins);
            if next < change.as_millisecond() || next > latest {
                return (next <= latest).then_some(next);
            }
            begins = change.as_millisecond();
            let before = offset;
            offset = self.offset_ms(change);
            local = begins + if self.is_fixed { before } else { offset } - 1;
        }
        let next = (next_local(local)? - offset).max(begins);
        (next <= latest).then_some(next)
    }

    fn offset_ms(&self, at: Timestamp) -> i64 {
        i64::from(self.zone.to_offset(at).seconds()) * 1_000
    }

    /// Returns the first local time after a local time, in milliseconds as if in UTC.
    fn next_local(&self, local_ms: i64) -> Option<i64> {
        let after = DateTime::<Utc>::from_timestamp_millis(local_ms)?;
        let next = self.cron.find_next_occurrence(&after, false).ok()?;
        Some(next.timestamp_millis())
    }
}

/// Returns whether any date and time match. croner would search for a match up to the year 5000.
fn matches_a_time(cron: &Cron) -> bool {
    let pattern = &cron.pattern;
    let times = [&pattern.seconds, &pattern.minutes, &pattern.hours];
    if times.iter().any(|field| field.values().is_empty()) {
        return false;
    }
    // 1 January 2000. These years are of every kind: leap or not, beginning on each weekday.
    let mut days_before = Weekday::Saturday.num_days_from_sunday();
    for (year, month) in (2000..2028).flat_map(|year| (1..=12).map(move |month| (year, month))) {
        let days = days_in_month(year, month);
        let matches = |day: u32| {
            let weekday = Weekday::from_days_from_sunday(days_before + day - 1);
            matches!(pattern.day_match(year, month, day, weekday), Ok(true))
        };
        if matches!(pattern.month_match(month), Ok(true)) && (1..=days).any(matches) {
            return true;
        }
        days_before += days;
    }
    false
}

/// Returns whether a valid expression is of fixed times.
fn is_fixed(expression: &str) -> bool {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    match fields.len().checked_sub(3) {
        Some(of_the_day) => !fields[..of_the_day].iter().any(|field| field.contains('*')),
        None => !expression.trim().eq_ignore_ascii_case("@hourly"),
    }
}
