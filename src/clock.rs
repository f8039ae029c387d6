//! The clock of this machine. It may be wrong, it may jump, and no two instances have the same one.
//!
//! So it decides nothing about what services share: what is due, over or first, Redis's clock tells, inside the scripts; and how
//! long something takes here, the monotonic one. This one is for positions (when they were reported and how old they are), for
//! dates that leave the service, and for what is rough by nature. `clippy.toml` keeps everybody from asking the system past this
//! module, so that a new use of it is seen.

use chrono::{DateTime, Utc};
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Now, in Unix milliseconds.
#[must_use]
pub fn now_ms() -> i64 {
    now().timestamp_millis()
}

/// Now, in Unix microseconds; greater than at every earlier call in this process, whatever becomes of the clock.
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

/// A duration in whole milliseconds, as it is told to clients and to Redis; what is beyond 64 bits is the most that they hold.
#[must_use]
pub fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
