//! The scripts of the limits slice, each as one typed function on one key.

use super::settings::{Algorithm, Policy};
use crate::ids::ExternalId;
use crate::store::{Link, Script, StoreError};
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

/// The number of slices of a sliding window; `check_window.lua` counts in these and in the one that is leaving.
const SLICES: u64 = 20;

macro_rules! script {
    ($name:literal) => {
        LazyLock::new(|| Script::new($name, "", include_str!(concat!("lua/", $name, ".lua"))))
    };
}

static CHECK_GCRA: LazyLock<Script> = script!("check_gcra");
static CHECK_WINDOW: LazyLock<Script> = script!("check_window");
static CHARGE: LazyLock<Script> = script!("charge");

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the cost was admitted and is counted.
    pub admitted: bool,
    /// The remaining units.
    pub remaining: u32,
    /// After which time the cost could be admitted; zero if it was.
    pub retry_after: Duration,
    /// After which time all units are back.
    pub reset: Duration,
    /// The stored value was not a count; it was treated as a used-up quota and overwritten.
    pub damaged: bool,
}

/// Requests `cost` units, 1 to the policy's capacity.
pub async fn check(link: &Link, policy: &Policy, key: &ExternalId, cost: u32) -> Result<Verdict, StoreError> {
    let (script, length_us) = match policy.algorithm() {
        Algorithm::Gcra => (&CHECK_GCRA, policy.interval_us()),
        Algorithm::Window => (&CHECK_WINDOW, policy.window_us().div_ceil(SLICES)),
    };
    let name = name(link, policy, key);
    link.room_for(&name).await?;
    let mut call = script.call(1, 4, 256);
    call.arg(name).arg(length_us).arg(policy.capacity()).arg(cost);
    let (admitted, remaining, wait_us, reset_us, damaged): (bool, u32, u64, u64, bool) =
        link.run(script, &call).await?;
    Ok(Verdict {
        admitted,
        remaining,
        retry_after: Duration::from_micros(wait_us),
        reset: Duration::from_micros(reset_us),
        damaged,
    })
}

/// Deletes the count of a key. Returns whether there was one.
pub async fn reset(link: &Link, policy: &Policy, key: &ExternalId) -> Result<bool, StoreError> {
    link.query(redis::cmd("DEL").arg(name(link, policy, key))).await
}

/// What an instance has admitted for a caller without a call to Redis, as time of a gcra policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The admitted units times the policy's interval, µs.
    pub us: u64,
    /// How long ago the first of them was admitted, µs.
    pub ago_us: u64,
    /// The maximum time that all instances together may be ahead, µs.
    pub most_us: u64,
    /// The burst, µs.
    pub full_us: u64,
}

/// The result of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged {
    /// How far ahead all instances together are, µs.
    pub ahead_us: u64,
    /// The stored value was not a count; it was treated as a used-up burst and overwritten.
    pub damaged: bool,
}

/// Adds a charge to what all instances have admitted for a caller.
pub async fn charge(
    link: &Link,
    policy: &str,
    caller: impl fmt::Display,
    charge: Charge,
) -> Result<Charged, StoreError> {
    let mut call = CHARGE.call(1, 4, 256);
    call.arg(link.store().keys().limit_requests(policy, caller))
        .arg(charge.us)
        .arg(charge.ago_us)
        .arg(charge.most_us)
        .arg(charge.full_us);
    let (ahead_us, damaged) = link.run(&CHARGE, &call).await?;
    Ok(Charged { ahead_us, damaged })
}

fn name(link: &Link, policy: &Policy, key: &ExternalId) -> String {
    let keys = link.store().keys();
    keys.limit(policy.algorithm().as_str(), policy.name(), key)
}
