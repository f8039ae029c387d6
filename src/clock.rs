//! The clock of this machine. It may be wrong, it may jump, and each instance has its own.
//!
//! So it decides nothing about shared state. Redis's clock, read inside the scripts, decides what is due, expired or first, and the
//! monotonic clock measures durations in this process. This clock is for positions (when they were reported, and how old they are), for
//! dates that are sent to clients, and for approximate values. `clippy.toml` forbids other calls to the system clock, so that a new use
//! is noticed.

use chrono::{DateTime, Utc};
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Returns the current time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Returns the current time, in Unix milliseconds.
#[must_use]
pub fn now_ms() -> i64 {
    now().timestamp_millis()
}

/// Returns the current time, in Unix microseconds; greater than at every earlier call in this process, even if the clock is set back.
#[must_use]
pub fn unique_us() -> i64 {
    static LATEST: AtomicI64 = AtomicI64::new(0);
    let now_us = now().timestamp_micros();
    let mut latest = LATEST.load(Relaxed);
    loop {
        let next = now_us.max(latest + 1);
        match LATEST.compare_exchange_weak(latest, next, Relaxed, Relaxed) {
            Ok(_) => return next,
            Err(other) => latest = other,
        }
    }
}

/// Returns a duration in whole milliseconds, as clients and Redis receive it; `u64::MAX` if it is longer.
#[must_use]
pub fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
