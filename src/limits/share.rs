//! An instance's share of the limits on its own requests: counted in memory, settled with the other instances in the background.
//!
//! Each instance admits by a GCRA count of its own, so no request waits for Redis. Ten times a second it adds what it has admitted to
//! the count of all instances in Redis, dated back to the first of these requests, and takes over that count if it is further ahead
//! than its own. One instance alone keeps the policy exactly. With *n* instances each may admit a caller's whole burst before it
//! receives the counts of the others; the excess is then waited for. Within any time *t* at most about `n × burst + (t + n × 100 ms) / interval`
//! requests are admitted; over a long time the rate is the policy's, not *n* times it. Slightly fewer requests than the policy
//! allows are admitted in two cases: by as much as the round trips to Redis differ (some milliseconds), and after a charge whose
//! answer was lost, because it is repeated.
//!
//! While Redis is unavailable each instance continues with its own count: at most `n` times the policy.
//!
//! Counts are kept in this process. After a start there are none, and an instance reads a caller's shared count only after it has
//! admitted a request of that caller, so each start costs at most one more burst, which is then waited for. A planned stop settles what
//! was admitted before it; a killed process loses what was not settled yet, the last 100 ms.
//!
//! If the clock of Redis is set back, no caller waits longer than its debt at the last write required.
//!
//! Memory is bounded: [`MOST_CALLERS`] callers at once, and a caller without debt is removed. All callers beyond that share
//! one count.

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

/// Maximum callers with a count of their own.
pub const MOST_CALLERS: usize = 100_000;
/// Parts of the table, each with a lock of its own.
const SHARDS: usize = 16;
/// How often what was admitted is settled with the other instances.
const SETTLE_EVERY: Duration = Duration::from_millis(100);
/// Maximum callers of a shard that are settled in one round: 20,480 charges a second in all. The others wait for the next round.
const SETTLED_AT_ONCE: usize = 128;
/// Maximum concurrent charges of a shard; of all shards together 128.
const IN_FLIGHT: usize = 8;
/// Maximum rounds of settling at the end of a share: enough for a full table.
const LAST_ROUNDS: usize = MOST_CALLERS.div_ceil(SHARDS * SETTLED_AT_ONCE);
/// Debt that drained earlier than this is not reported to Redis. So after an outage of Redis a caller does not owe for everything that
/// the instances admitted during it, each with its own count.
const FORGIVEN_US: u64 = 1_000_000;
/// Rounds of settling after which the table is swept.
const SWEEP_EVERY: u64 = 10;
/// Instances whose admissions Redis can hold as debt: a burst of each, and what drained between two settlements, at most
/// [`FORGIVEN_US`]. Bursts alone would be too little for policies with short bursts: anything above the bound is admitted and never waited for.
const MOST_INSTANCES: u64 = 64;

/// The key of a count: the policy, and the caller; none for all callers beyond [`MOST_CALLERS`].
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
    /// Accounts with something to settle, each once.
    unsettled: Vec<Account>,
}

#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_field_names, reason = "every name says its unit")]
struct Count {
    /// When everything admitted will have drained, µs since the share began.
    drained_us: u64,
    /// Admitted and not reported to Redis yet, µs.
    unsettled_us: u64,
    /// When the first of these requests was admitted, µs since the share began.
    since_us: u64,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Whether it is admitted; then it is counted.
    pub admitted: bool,
    /// The remaining requests.
    pub remaining: u64,
    /// After which time one more request is possible; for a refused request, when to try again.
    pub more_after: Duration,
    /// After which time all requests are possible again.
    pub reset: Duration,
}

impl Share {
    /// Creates empty counts for these policies, which are identified by their index from now on.
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

    /// Reports to Redis what was admitted since the last time, and takes over what the others have admitted. All shards at once, so
    /// that with a slow connection the number of round trips is that of the fullest shard.
    async fn settle(&self, link: &Link) {
        join_all(self.shards.iter().map(|shard| self.settle_shard(link, shard))).await;
    }

    async fn settle_shard(&self, link: &Link, shard: &Mutex<Shard>) {
        let now_us = self.now_us();
        stream::iter(take_unsettled(shard, now_us))
            .for_each_concurrent(IN_FLIGHT, |unsettled| self.charge(link, unsettled, now_us))
            .await;
    }

    /// Reports everything that is unsettled, as long as Redis answers.
    async fn settle_all(&self, link: &Link) {
        for _ in 0..LAST_ROUNDS {
            let is_settled = self.shards.iter().all(|shard| shard.lock().unsettled.is_empty());
            if is_settled || !link.is_up() {
                return;
            }
            self.settle(link).await;
        }
    }

    /// Reports what was taken at `taken_us`.
    async fn charge(&self, link: &Link, unsettled: Unsettled, taken_us: u64) {
        let Unsettled { account, us, ago_us } = unsettled;
        let rate = &self.policies[usize::from(account.0)];
        // The shared count of callers beyond the maximum is this instance's alone: other instances have other such callers.
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
                        "the stored value of a caller is not a count; the caller is limited as if its burst were used up"
                    );
                }
                // As of the time when it was taken, so that the time of the round trip does not count against the caller.
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

    /// Deletes the accounts whose debt has drained and is settled, or is too old to be settled.
    fn sweep(&self, now_us: u64) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let Shard { counts, unsettled } = &mut *shard;
            counts.retain(|_, count| count.drained_us + FORGIVEN_US > now_us);
            unsettled.retain(|account| counts.contains_key(account));
        }
    }

    /// Discards the counts of the other instances, because Redis was flushed or replaced: no debt exceeds a burst.
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

/// The unsettled debt of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unsettled {
    account: Account,
    us: u64,
    ago_us: u64,
}

/// Takes the unsettled debts of a shard for one round.
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

/// Settles a share with the other instances until `stop`, and then everything that is left.
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
        // A refused request is not counted.
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
    fn admissions_are_reported_once_with_their_time() {
        let share = share("api=gcra:10/1s,burst=5");
        let account = (0, Some(caller(1)));
        for _ in 0..3 {
            assert!(share.admit_at(0, caller(1), 20_000).admitted);
        }
        let charges = |us, ago_us| [Unsettled { account, us, ago_us }];
        assert_eq!(take_all(&share, 70_000), charges(300_000, 50_000));
        assert_eq!(take_all(&share, 70_000), []);
        // After an outage of an hour the debt is not an hour's.
        for ms in (1_000..3_600_000).step_by(100) {
            assert!(share.admit_at(0, caller(1), ms * 1_000).admitted);
        }
        assert_eq!(take_all(&share, 3_600_000_000), charges(FORGIVEN_US, FORGIVEN_US));
    }

    #[test]
    fn callers_without_debt_are_removed() {
        let share = share("api=gcra:10/1s,burst=5");
        for n in 0..1_000 {
            share.admit_at(0, caller(n), 0);
        }
        let held = |share: &Share| -> usize { share.shards.iter().map(|shard| shard.lock().counts.len()).sum() };
        share.sweep(100_000);
        assert_eq!(held(&share), 1_000, "they are still to be settled");
        let long_after = 100_000 + FORGIVEN_US;
        share.sweep(long_after);
        assert_eq!(held(&share), 0);
        assert_eq!(take_all(&share, long_after), []);
        assert!(share.admit_at(0, caller(1), long_after).admitted);
        assert_eq!(take_all(&share, long_after).len(), 1);
    }

    #[test]
    fn the_table_is_bounded_and_further_callers_share_a_limit() {
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
