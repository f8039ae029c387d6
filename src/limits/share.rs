//! An instance's share of the limits on its own requests: counted in memory, settled with the others in the background.
//!
//! Each instance admits by a gcra count of its own, so a request waits for nobody. Ten times a second it adds what it has
//! admitted to the count of all instances in Redis, as of the time of the first of it, and takes that over where it is further
//! ahead than its own. One instance keeps the policy. With *n* instances each may admit a caller's whole
//! burst before it hears of the others, and what was admitted too much is then waited for: within any time *t* at most about
//! `n × burst + (t + n × 100 ms) / interval`; over a long time the policy's rate, not *n* times it. Less than the policy is
//! admitted by as much as the ways to Redis differ in time (some milliseconds), and after a charge whose answer was lost, which
//! is made again.
//!
//! With Redis away each instance goes on by itself, at its own count: neither open nor closed, at most `n` times the policy.
//!
//! The counts in memory are those of this process. One that is started anew has none and hears of a caller's count only once it
//! has admitted something itself, so each start is worth one burst more, which is then waited for. What was admitted
//! before a planned end is told to Redis at that end; a kill forgets what was not yet settled, the last 100 ms.
//!
//! A clock of Redis that was set back makes nobody wait for longer than what was owed when it was last written.
//!
//! Memory is bounded: [`MOST_CALLERS`] at once, and one whose debt has drained is forgotten. Whoever finds no room shares
//! one count with all others who do not.

use super::commands::{self, Charge, Charged};
use super::settings::Policy;
use crate::http::Caller;
use crate::store::Link;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::Mutex;
use std::hash::BuildHasher;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// Callers that are told apart at once.
pub const MOST_CALLERS: usize = 100_000;
/// Parts of the table, each with a lock of its own.
const SHARDS: usize = 16;
/// How often what was admitted is settled with the other instances.
const SETTLE_EVERY: Duration = Duration::from_millis(100);
/// Callers of a shard that are settled at once: 20,480 charges a second. Who comes later waits for the next time.
const SETTLED_AT_ONCE: usize = 128;
/// Charges of a shard on their way at once; of all shards together 128.
const IN_FLIGHT: usize = 8;
/// Times that a share is settled at its end: enough for a full table.
const LAST_ROUNDS: usize = MOST_CALLERS.div_ceil(SHARDS * SETTLED_AT_ONCE);
/// What has drained for longer than this is not told any more: so after a time without Redis a caller does not owe for all that
/// the instances admitted meanwhile, each by itself.
const FORGIVEN_US: u64 = 1_000_000;
/// Rounds of settling after which the table is swept.
const SWEEP_EVERY: u64 = 10;
/// Instances whose admissions may all be owed to Redis: of each a burst, and what drained between two of its settlements, which
/// is never told for longer than [`FORGIVEN_US`]. The bursts alone would be too little where they are short: whatever is
/// above is admitted and never waited for.
const MOST_INSTANCES: u64 = 64;

/// Whose count: of a policy, and of a caller or (none) of all who found no room.
type Account = (u16, Option<Caller>);

/// This instance's counts.
#[derive(Debug)]
pub struct Share {
    policies: Vec<Rate>,
    hasher: DefaultHashBuilder,
    shards: [Mutex<Shard>; SHARDS],
    begun: Instant,
}

#[derive(Debug)]
struct Rate {
    name: String,
    interval_us: u64,
    /// The burst, µs.
    full_us: u64,
}

#[derive(Debug, Default)]
struct Shard {
    counts: HashMap<Account, Count>,
    /// Those with something to settle, each once.
    unsettled: Vec<Account>,
}

#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_field_names, reason = "every name says its unit")]
struct Count {
    /// When all that was admitted will have drained, µs since the share began.
    drained_us: u64,
    /// What was admitted and Redis has not been told, µs.
    unsettled_us: u64,
    /// When the first of that was admitted, µs since the share began.
    since_us: u64,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Whether it is admitted; then it is counted.
    pub admitted: bool,
    /// Requests that are left.
    pub remaining: u64,
    /// After which time one more is left; to who was refused, when to come again.
    pub more_after: Duration,
    /// After which time all are back.
    pub reset: Duration,
}

impl Share {
    /// Empty counts for these policies, which are named by their place from now on.
    #[must_use]
    pub fn new<'a>(policies: impl Iterator<Item = &'a Policy>) -> Self {
        let rate = |policy: &Policy| Rate {
            name: policy.name().to_owned(),
            interval_us: policy.interval_us(),
            full_us: policy.interval_us() * u64::from(policy.capacity()),
        };
        Self {
            policies: policies.map(rate).collect(),
            hasher: DefaultHashBuilder::default(),
            shards: Default::default(),
            begun: Instant::now(),
        }
    }

    /// Asks whether a request of `caller` is admitted under the policy at that place.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn admit(&self, policy: u16, caller: Caller) -> Admission {
        self.admit_at(policy, caller, self.now_us())
    }

    fn admit_at(&self, policy: u16, caller: Caller, now_us: u64) -> Admission {
        let rate = &self.policies[usize::from(policy)];
        let mut account = (policy, Some(caller));
        let mut shard = self.shard(&account).lock();
        let shard = &mut *shard;
        if shard.counts.len() >= MOST_CALLERS / SHARDS && !shard.counts.contains_key(&account) {
            account.1 = None;
        }
        let count = shard.counts.entry(account).or_default();
        let ahead_us = count.drained_us.saturating_sub(now_us);
        let wanted_us = ahead_us + rate.interval_us;
        let admitted = wanted_us <= rate.full_us;
        let ahead_us = if admitted {
            count.drained_us = now_us + wanted_us;
            if count.unsettled_us == 0 {
                count.since_us = now_us;
                shard.unsettled.push(account);
            }
            count.unsettled_us += rate.interval_us;
            wanted_us
        } else {
            ahead_us
        };
        let remaining = rate.full_us.saturating_sub(ahead_us) / rate.interval_us;
        let one_more_us = (remaining + 1) * rate.interval_us;
        Admission {
            admitted,
            remaining,
            more_after: Duration::from_micros((ahead_us + one_more_us).saturating_sub(rate.full_us)),
            reset: Duration::from_micros(ahead_us),
        }
    }

    /// Tells Redis what was admitted since the last time, and takes over what the others have admitted. All shards at once, so
    /// that a long way to Redis is gone as often as the fullest of them needs it.
    async fn settle(&self, link: &Link) {
        join_all(self.shards.iter().map(|shard| self.settle_shard(link, shard))).await;
    }

    async fn settle_shard(&self, link: &Link, shard: &Mutex<Shard>) {
        let now_us = self.now_us();
        stream::iter(take_unsettled(shard, now_us))
            .for_each_concurrent(IN_FLIGHT, |unsettled| self.charge(link, unsettled, now_us))
            .await;
    }

    /// Tells Redis all that it was not told yet, as far as it takes it.
    async fn settle_all(&self, link: &Link) {
        for _ in 0..LAST_ROUNDS {
            let is_settled = self.shards.iter().all(|shard| shard.lock().unsettled.is_empty());
            if is_settled || !link.is_up() {
                return;
            }
            self.settle(link).await;
        }
    }

    /// Tells Redis what was taken at `taken_us`.
    async fn charge(&self, link: &Link, unsettled: Unsettled, taken_us: u64) {
        let Unsettled { account, us, ago_us } = unsettled;
        let rate = &self.policies[usize::from(account.0)];
        // Those who share a count here share it with nobody elsewhere: each instance has others without room.
        let Some(caller) = account.1 else { return };
        let charge = Charge {
            us,
            ago_us,
            most_us: MOST_INSTANCES * (rate.full_us + FORGIVEN_US),
            full_us: rate.full_us,
        };
        let charged = commands::charge(link, &rate.name, caller, charge).await;
        let mut shard = self.shard(&account).lock();
        let shard = &mut *shard;
        let Some(count) = shard.counts.get_mut(&account) else {
            return;
        };
        match charged {
            Ok(Charged { ahead_us, damaged }) => {
                if damaged {
                    tracing::error!(
                        policy = rate.name,
                        "what Redis held for a caller was no count; it is limited as if its burst were spent"
                    );
                }
                // As of when it was taken: what the way to Redis took is not held against the caller.
                let drained_us = taken_us + ahead_us + count.unsettled_us;
                count.drained_us = count.drained_us.max(drained_us);
            }
            Err(error) => {
                tracing::debug!(?error, "a share of the limits could not be settled");
                if count.unsettled_us == 0 {
                    shard.unsettled.push(account);
                }
                count.unsettled_us += us;
                count.since_us = taken_us - ago_us;
            }
        }
    }

    /// Forgets whose debt has drained, and was told or is not told any more.
    fn sweep(&self, now_us: u64) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let Shard { counts, unsettled } = &mut *shard;
            counts.retain(|_, count| count.drained_us + FORGIVEN_US > now_us);
            unsettled.retain(|account| counts.contains_key(account));
        }
    }

    /// Discards the counts of the other instances, because Redis was flushed or replaced: no caller owes more than a burst.
    fn forget_others(&self, now_us: u64) {
        for shard in &self.shards {
            for ((policy, _), count) in &mut shard.lock().counts {
                let full_us = self.policies[usize::from(*policy)].full_us;
                count.drained_us = count.drained_us.min(now_us + full_us);
            }
        }
    }

    fn shard(&self, account: &Account) -> &Mutex<Shard> {
        // The table itself uses the hash's other end.
        let hash = self.hasher.hash_one(account).rotate_left(32);
        &self.shards[usize::from(hash.to_le_bytes()[0]) % SHARDS]
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX / 2)
    }
}

/// What Redis is to be told of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unsettled {
    account: Account,
    us: u64,
    ago_us: u64,
}

/// What of a shard is to be told now.
fn take_unsettled(shard: &Mutex<Shard>, now_us: u64) -> Vec<Unsettled> {
    let mut shard = shard.lock();
    let shard = &mut *shard;
    let many = shard.unsettled.len().min(SETTLED_AT_ONCE);
    let mut charges = Vec::with_capacity(many);
    for account in shard.unsettled.drain(..many) {
        let Some(count) = shard.counts.get_mut(&account) else {
            continue;
        };
        let ago_us = now_us.saturating_sub(count.since_us).min(FORGIVEN_US);
        let ahead_us = count.drained_us.saturating_sub(now_us);
        let us = std::mem::take(&mut count.unsettled_us).min(ahead_us + ago_us);
        charges.push(Unsettled { account, us, ago_us });
    }
    charges
}

/// Settles a share with the other instances until it is told to stop, and then once more all that is left.
pub async fn keep_settling(share: Arc<Share>, link: Link, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let mut ticks = interval(SETTLE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut generation = link.store().generation();
    for round in 1_u64.. {
        tokio::select! {
            biased;
            () = &mut stop => break,
            _ = ticks.tick() => {}
        }
        let newest = link.store().generation();
        if newest != generation {
            generation = newest;
            share.forget_others(share.now_us());
        }
        if link.is_up() {
            share.settle(&link).await;
        }
        if round.is_multiple_of(SWEEP_EVERY) {
            share.sweep(share.now_us());
        }
    }
    share.settle_all(&link).await;
}

#[cfg(test)]
mod tests {
    use super::super::settings::Policies;
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn share(policy: &str) -> Share {
        let policies: Policies = policy.parse().unwrap();
        Share::new(policies.iter())
    }

    fn caller(n: u32) -> Caller {
        Caller::Address(IpAddr::V4(Ipv4Addr::from(n)))
    }

    fn take_all(share: &Share, now_us: u64) -> Vec<Unsettled> {
        share
            .shards
            .iter()
            .flat_map(|shard| take_unsettled(shard, now_us))
            .collect()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let share = share("api=gcra:10/1s,burst=3");
        let at = |ms: u64| share.admit_at(0, caller(1), ms * 1_000);
        let left: Vec<_> = (0..3).map(|_| at(0)).collect();
        let left: Vec<_> = left.iter().map(|left| (left.remaining, left.more_after)).collect();
        let tenth = Duration::from_millis(100);
        assert_eq!(left, [(2, tenth), (1, tenth), (0, tenth)]);
        let refused = at(20);
        assert!(!refused.admitted);
        assert_eq!(refused.more_after, Duration::from_millis(80));
        assert_eq!(refused.reset, Duration::from_millis(280));
        // What was refused costs nothing.
        assert!(!at(99).admitted);
        assert!(at(100).admitted);
        assert!(!at(100).admitted);
        let admitted = (0..10_000).filter(|ms| at(1_000 + ms).admitted).count();
        assert_eq!(admitted, 3 + 99);
        assert!(
            share.admit_at(0, caller(2), 0).admitted,
            "another caller has a count of its own"
        );
    }

    #[test]
    fn what_was_admitted_is_told_once_and_as_of_when() {
        let share = share("api=gcra:10/1s,burst=5");
        let account = (0, Some(caller(1)));
        for _ in 0..3 {
            assert!(share.admit_at(0, caller(1), 20_000).admitted);
        }
        let told = |us, ago_us| [Unsettled { account, us, ago_us }];
        assert_eq!(take_all(&share, 70_000), told(300_000, 50_000));
        assert_eq!(take_all(&share, 70_000), []);
        // An hour with Redis away is not told as a debt of an hour.
        for ms in (1_000..3_600_000).step_by(100) {
            assert!(share.admit_at(0, caller(1), ms * 1_000).admitted);
        }
        assert_eq!(take_all(&share, 3_600_000_000), told(FORGIVEN_US, FORGIVEN_US));
    }

    #[test]
    fn who_has_drained_is_forgotten() {
        let share = share("api=gcra:10/1s,burst=5");
        for n in 0..1_000 {
            share.admit_at(0, caller(n), 0);
        }
        let held = |share: &Share| -> usize { share.shards.iter().map(|shard| shard.lock().counts.len()).sum() };
        share.sweep(100_000);
        assert_eq!(held(&share), 1_000, "they are still to be told");
        let long_after = 100_000 + FORGIVEN_US;
        share.sweep(long_after);
        assert_eq!(held(&share), 0);
        assert_eq!(take_all(&share, long_after), []);
        assert!(share.admit_at(0, caller(1), long_after).admitted);
        assert_eq!(take_all(&share, long_after).len(), 1);
    }

    #[test]
    fn the_table_is_bounded_and_who_finds_no_room_is_limited_all_the_same() {
        let share = share("api=gcra:1/1h,burst=5");
        let mut admitted = 0;
        let callers = 2 * u32::try_from(MOST_CALLERS).unwrap();
        for n in 0..callers {
            admitted += usize::from(share.admit_at(0, caller(n), 0).admitted);
        }
        let held: usize = share.shards.iter().map(|shard| shard.lock().counts.len()).sum();
        assert!(held <= MOST_CALLERS + SHARDS, "{held}");
        // Each shard's others share one burst.
        assert!(admitted <= MOST_CALLERS + 5 * SHARDS, "{admitted}");
    }
}
