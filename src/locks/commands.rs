//! The scripts of the slice, each as one typed function. All keys of a call belong to one lock and share a slot.

use super::model::{Holder, Token, WAIT_MS, Wanted};
use crate::ids::{ExternalId, Id};
use crate::store::{Link, Script, StoreError};
use std::sync::LazyLock;
use std::time::Duration;

/// How long an offer of the lock is valid before the lock is offered to the next attempt. The scripts skip instances that are not
/// subscribed; this time is for an instance that is subscribed and does not respond.
pub(super) const CLAIM: Duration = Duration::from_secs(1);
/// How long the last fencing token of a lock is kept after its last grant; the module's page describes what happens afterwards. It is
/// longer than any lease, and not much longer, because services that name a lock after an order or a job leave a key for each.
const REMEMBERED_MS: i64 = 24 * 3_600 * 1_000;

const LOCK: &str = include_str!("lua/lock.lua");

macro_rules! script {
    ($name:literal) => {
        LazyLock::new(|| Script::new($name, LOCK, include_str!(concat!("lua/", $name, ".lua"))))
    };
}

static ACQUIRE: LazyLock<Script> = script!("acquire");
static RELEASE: LazyLock<Script> = script!("release");
static LEAVE: LazyLock<Script> = script!("leave");
static RENEW: LazyLock<Script> = script!("renew");
static INSPECT: LazyLock<Script> = script!("inspect");

/// The reply of the scripts: outcome, owner, fence, end, and the current time.
type Words = (String, String, u64, i64, i64);

/// The state of a lock.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// The holder; `None` if the lock is offered to an attempt.
    pub holder: Option<Holder>,
    /// The remaining time of the lease or the offer, from when the request was sent.
    pub left: Duration,
}

impl View {
    fn read(owner: &str, fence: u64, until_ms: i64, now_ms: i64) -> Self {
        let left = Duration::from_millis(u64::try_from(until_ms - now_ms).unwrap_or(0));
        let holder = (fence > 0).then(|| Holder {
            owner: ExternalId::parse(owner).ok(),
            fence,
            expires_at_ms: until_ms,
            expires_in: left,
        });
        Self { holder, left }
    }
}

/// The result of an attempt to acquire a lock.
#[derive(Debug)]
pub(super) enum Asked {
    /// It was granted, by this call or an earlier one.
    Granted(Holder),
    /// Another caller holds it.
    Taken(View),
    /// Another caller holds it, and the attempt is in the queue.
    Waiting(View),
    /// The queue has no room.
    Full,
    /// The token holds it for another owner or duration, or was released last.
    Reused,
}

/// Tries to acquire a lock. `attempt` identifies this call, independently of the token, and is queued if the call waits.
pub(super) async fn acquire(
    link: &Link,
    name: &Id,
    wanted: &Wanted,
    attempt: &str,
    max_waiters: u32,
) -> Result<Asked, StoreError> {
    let keys = link.store().keys();
    let lock = keys.lock(name);
    link.room_for(&lock).await?;
    let mut call = ACQUIRE.call(2, 12, 384);
    call.arg(lock).arg(keys.lock_queue(name));
    call.arg(wanted.token.as_str())
        .arg(wanted.owner.as_deref().unwrap_or_default())
        .arg(wanted.ttl.as_millis().to_string())
        .arg(attempt)
        .arg(u8::from(!wanted.wait.is_zero()))
        .arg(max_waiters)
        .arg(*WAIT_MS.end())
        .arg(keys.lock_wake(""))
        .arg(CLAIM.as_millis().to_string())
        .arg(REMEMBERED_MS);
    let (outcome, owner, fence, until_ms, now_ms): Words = link.run(&ACQUIRE, &call).await?;
    let view = View::read(&owner, fence, until_ms, now_ms);
    match (outcome.as_str(), view) {
        ("granted", View { holder: Some(held), .. }) => Ok(Asked::Granted(held)),
        ("taken", view) => Ok(Asked::Taken(view)),
        ("waiting", view) => Ok(Asked::Waiting(view)),
        ("full", _) => Ok(Asked::Full),
        ("reused", _) => Ok(Asked::Reused),
        _ => Err(not_understood("acquire", &outcome)),
    }
}

/// The result of a call that only the holder may make.
#[derive(Debug)]
pub(super) enum Held {
    /// The call was executed; the lock as it was before a release, or is after a renewal.
    Done(View),
    /// Another token holds the lock.
    ByOther(Holder),
    /// The lock is free.
    ByNone,
}

impl Held {
    fn read(script: &str, done: &str, (outcome, owner, fence, until_ms, now_ms): Words) -> Result<Self, StoreError> {
        let view = View::read(&owner, fence, until_ms, now_ms);
        match (outcome.as_str(), view) {
            (outcome, view) if outcome == done => Ok(Self::Done(view)),
            ("other", View { holder: Some(held), .. }) => Ok(Self::ByOther(held)),
            ("free", _) => Ok(Self::ByNone),
            _ => Err(not_understood(script, &outcome)),
        }
    }
}

/// Releases a lock, and offers it to the attempt that has waited longest.
pub(super) async fn release(link: &Link, name: &Id, token: &Token) -> Result<Held, StoreError> {
    let keys = link.store().keys();
    let mut call = RELEASE.call(2, 6, 256);
    call.arg(keys.lock(name)).arg(keys.lock_queue(name));
    call.arg(token.as_str())
        .arg(keys.lock_wake(""))
        .arg(CLAIM.as_millis().to_string())
        .arg(*WAIT_MS.end());
    Held::read("release", "released", link.run(&RELEASE, &call).await?)
}

/// Removes everything that an attempt has obtained. Returns whether there was anything.
pub(super) async fn leave(link: &Link, name: &Id, attempt: &str) -> Result<bool, StoreError> {
    let keys = link.store().keys();
    let mut call = LEAVE.call(2, 6, 256);
    call.arg(keys.lock(name)).arg(keys.lock_queue(name));
    call.arg(attempt)
        .arg(keys.lock_wake(""))
        .arg(CLAIM.as_millis().to_string())
        .arg(*WAIT_MS.end());
    link.run(&LEAVE, &call).await
}

/// Extends a lease to `ttl` from now, or to the time that it was granted for.
pub(super) async fn renew(link: &Link, name: &Id, token: &Token, ttl: Option<Duration>) -> Result<Held, StoreError> {
    let mut call = RENEW.call(1, 4, 192);
    call.arg(link.store().keys().lock(name));
    call.arg(token.as_str())
        .arg(ttl.map_or_else(String::new, |ttl| ttl.as_millis().to_string()))
        .arg(REMEMBERED_MS);
    Held::read("renew", "renewed", link.run(&RENEW, &call).await?)
}

/// Returns the holder of a lock, if there is one, and the number of waiting attempts.
pub(super) async fn inspect(link: &Link, name: &Id) -> Result<(Option<Holder>, u64), StoreError> {
    let keys = link.store().keys();
    let mut call = INSPECT.call(2, 3, 192);
    call.arg(keys.lock(name)).arg(keys.lock_queue(name));
    call.arg(*WAIT_MS.end());
    let (outcome, owner, fence, until_ms, now_ms, waiting): (String, String, u64, i64, i64, u64) =
        link.run(&INSPECT, &call).await?;
    let view = View::read(&owner, fence, until_ms, now_ms);
    match outcome.as_str() {
        "held" => Ok((view.holder, waiting)),
        "free" => Ok((None, waiting)),
        _ => Err(not_understood("inspect", &outcome)),
    }
}

fn not_understood(script: &str, outcome: &str) -> StoreError {
    StoreError::Answer(format!("{script}: {outcome:?}"))
}

#[cfg(test)]
mod tests {
    use super::super::model::TTL_MS;
    use super::*;

    #[test]
    fn the_scripts_have_the_same_maximum_lease() {
        assert!(LOCK.contains(&format!("\nlocal LONGEST_MS = {}\n", TTL_MS.end())));
    }
}
