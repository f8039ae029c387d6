use crate::ids::Id;
use crate::outgoing::OutgoingSettings;
use clap::Args;
use rust_decimal::Decimal;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Maximum number of digits of a rate.
const RATE_DIGITS: u32 = 9;
/// Maximum number of decimals of a rate or an amount.
pub const MAX_SCALE: u32 = 8;

/// The default queue of the service's own jobs.
pub const WORK_QUEUE: &str = "platform";

/// The settings of the slice.
#[derive(Debug, Clone, Args)]
pub struct BuiltinJobSettings {
    /// Calls to other hosts: only these jobs make any.
    #[command(flatten)]
    pub outgoing: OutgoingSettings,
    /// The jobs.
    #[command(flatten)]
    pub work: WorkSettings,
}

/// The jobs that the service runs itself.
#[derive(Clone, Args)]
#[command(next_help_heading = "Work")]
pub struct WorkSettings {
    /// Queue of the jobs that the service runs itself
    #[arg(long = "work-queue", env = "WORK_QUEUE", default_value = WORK_QUEUE, value_parser = Id::parse)]
    pub work_queue: Id,
    /// Maximum jobs of that queue that this instance runs concurrently; 0 for none
    #[arg(long = "work-concurrency", env = "WORK_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(0..=1_000))]
    pub work_concurrency: u16,
    /// Duration of the leases of those jobs, milliseconds; jobs of a killed instance wait at most this long
    #[arg(long = "work-lease", env = "WORK_LEASE_MS", default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(500..=3_600_000))]
    pub work_lease_ms: u32,
    /// Maximum time for those jobs to end when the service stops, seconds
    #[arg(long = "work-drain", env = "WORK_DRAIN_S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=3_600))]
    pub work_drain_s: u32,
    /// Webhooks, `NAME=URL` separated by spaces; one without a name is called `default`
    #[arg(
        long = "webhook-urls",
        env = "WEBHOOK_URLS",
        default_value = "",
        hide_env_values = true
    )]
    pub webhook_urls: String,
    /// Secrets that sign their calls, `NAME=whsec_BASE64` separated by spaces; all secrets of a name sign, so that one can be
    /// replaced
    #[arg(
        long = "webhook-secrets",
        env = "WEBHOOK_SECRETS",
        default_value = "",
        hide_env_values = true
    )]
    pub webhook_secrets: String,
    /// Hours after which reminders of a conversation are sent, counted from its beginning: up to 20, increasing, at most 8760
    #[arg(
        long = "response-reminder-hours",
        env = "RESPONSE_REMINDER_HOURS",
        default_value = "8,24,48,168"
    )]
    pub reminder_hours: ReminderHours,
    /// Rate of a commission whose job has no rate, 0 to 1, with at most 8 decimal places
    #[arg(long = "commission-rate", env = "COMMISSION_RATE", default_value = "0.1")]
    pub commission_rate: Rate,
}

impl WorkSettings {
    /// Returns the duration of the leases.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.work_lease_ms.into())
    }

    /// Returns how long jobs may take to end when the service stops.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.work_drain_s.into())
    }
}

/// Omits addresses and secrets.
impl fmt::Debug for WorkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkSettings")
            .field("work_queue", &self.work_queue)
            .field("work_concurrency", &self.work_concurrency)
            .finish_non_exhaustive()
    }
}

/// The hours after which reminders are sent, counted from the start of the series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReminderHours(Vec<u64>);

/// The text is not a list of hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("up to 20 whole numbers of hours, each greater than the one before and at most 8760, separated by commas")]
pub struct HoursError;

impl Default for ReminderHours {
    fn default() -> Self {
        Self(vec![8, 24, 48, 168])
    }
}

impl FromStr for ReminderHours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let hours = text.split(',').map(|hour| hour.trim().parse());
        let hours: Vec<u64> = hours.collect::<Result<_, _>>().or(Err(HoursError))?;
        let grow = hours.is_sorted_by(|earlier, later| earlier < later);
        let fit = hours.len() <= 20 && hours.iter().all(|hour| (1..=8_760).contains(hour));
        if grow && fit { Ok(Self(hours)) } else { Err(HoursError) }
    }
}

impl ReminderHours {
    /// Returns the number of reminders.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the delay of a reminder after the previous one; `None` if there is no reminder of that number.
    #[must_use]
    pub fn wait_for(&self, number: usize) -> Option<Duration> {
        let at = |number: usize| self.0.get(number.checked_sub(1)?).copied();
        Some(Duration::from_hours(at(number)? - at(number - 1).unwrap_or(0)))
    }
}

/// The rate of a commission, an exact decimal of 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(Decimal);

/// The text is not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a decimal number from 0 to 1 with at most 8 digits after the decimal point, such as 0.125")]
pub struct RateError;

impl Default for Rate {
    /// A tenth.
    fn default() -> Self {
        Self(Decimal::new(1, 1))
    }
}

impl Rate {
    /// Returns the number.
    #[must_use]
    pub const fn value(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let rate = exact_decimal(text, RATE_DIGITS).ok_or(RateError)?;
        if (Decimal::ZERO..=Decimal::ONE).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err(RateError)
        }
    }
}

/// Parses a decimal number of up to `most_digits` digits and [`MAX_SCALE`] decimals, without rounding.
#[must_use]
pub fn exact_decimal(text: &str, most_digits: u32) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !plain || !digits.starts_with(|first: char| first.is_ascii_digit()) || text.len() > 40 {
        return None;
    }
    let number = Decimal::from_str_exact(text).ok()?;
    let fits = number.scale() <= MAX_SCALE && number.mantissa().unsigned_abs() < 10_u128.pow(most_digits);
    fits.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_counted_from_the_beginning() {
        let hours: ReminderHours = "8,24, 48,168".parse().unwrap();
        assert_eq!(hours, ReminderHours::default());
        let waits: Vec<_> = (1..=5)
            .map(|n| hours.wait_for(n).map(|wait| wait.as_secs() / 3600))
            .collect();
        assert_eq!(waits, [Some(8), Some(16), Some(24), Some(120), None]);
        for wrong in [
            "",
            "8,",
            "0",
            "8,8",
            "24,8",
            "-1",
            "1.5",
            "8761",
            "99999999999999999999",
        ] {
            assert_eq!(wrong.parse::<ReminderHours>(), Err(HoursError), "{wrong}");
        }
    }
}
