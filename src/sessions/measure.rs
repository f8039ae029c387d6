//! Measures the sessions. The counters of this process are sampled every few seconds. Twice a minute the sessions and those in use are
//! counted in Redis, by a script call for each of the 256 partitions: each use that moves a session's end adds it to a `HyperLogLog` of
//! its partition, one for every five minutes. While there are `SESSIONS_MAX` sessions they are counted every five seconds.

use super::commands::{self, Sum};
use super::keys::SessionPartition;
use super::shared::Shared;
use super::stats::EVERY;
use crate::store::{Link, StoreError};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::future::ready;
use std::sync::Arc;
use tokio::time::{MissedTickBehavior, interval};

/// After this number of samples, half a minute, the sessions are also counted in Redis.
const ASKING: u32 = 6;
/// The number of partitions that are counted concurrently.
const AT_ONCE: usize = 16;

/// Samples the counters every few seconds, and counts the sessions in Redis less often, forever.
pub(super) async fn keep_measuring(shared: Arc<Shared>, link: Link) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for look in (0..ASKING).cycle() {
        every.tick().await;
        shared.rates().lock().sample(shared.counted());
        // While the number is unknown, at the start and after an outage of Redis, it is counted with each sample.
        let is_known = shared.rates().lock().active.is_some();
        if look == 0 || !is_known || shared.is_full() {
            let counting = shared.open().begin_count();
            let sum = count(&link).await;
            if let Ok(sum) = &sum {
                counting.end(sum.open);
            }
            shared.keep(&sum);
        }
    }
}

/// Returns the sum over all partitions. Each needs its own command, because their slots differ.
async fn count(link: &Link) -> Result<Sum, StoreError> {
    let add = |sum: Sum, of_one: Sum| Sum {
        used: sum.used + of_one.used,
        open: sum.open + of_one.open,
    };
    stream::iter(SessionPartition::all())
        .map(|partition| commands::count(link, partition))
        .buffer_unordered(AT_ONCE)
        .try_fold(Sum::default(), |sum, of_one| ready(Ok(add(sum, of_one))))
        .await
}
