//! Sweeps queues that no client calls.
//!
//! Every lease and settlement also does what is due in its queue, and a waiting request gets the time when the next job is due. For queues without
//! workers, and for paused queues, every instance sweeps each queue in use: a few times a second if a job is leased or delayed, otherwise
//! every few seconds, because only deletions can be due there.

use super::api::Jobs;
use super::commands;
use super::error::JobsError;
use crate::ids::Id;
use crate::store::StoreError;
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// The interval of sweeps of a queue: an expired lease is reclaimed well within a second.
const TICK: Duration = Duration::from_millis(400);
/// The interval of sweeps of a queue without leased or delayed jobs.
const IDLE: Duration = Duration::from_secs(5);
/// The number of jobs in a piece, and of pieces of a queue in one tick; the rest waits for the next tick.
const PIECE: usize = 500;
const MAX_PIECES: usize = 20;
/// The number of queues that are swept concurrently.
const AT_ONCE: usize = 16;
/// An empty queue to which no job was added for this long is not in use.
const UNUSED: Duration = Duration::from_mins(10);

/// Sweeps all queues, forever.
pub async fn keep_sweeping(jobs: Jobs) {
    // Not at the same time as the other instances.
    sleep(TICK.mul_f64(rand::random_range(0.0..1.0))).await;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // When each idle queue is swept next.
    let mut idle = HashMap::new();
    let mut generation = jobs.link().store().generation();
    loop {
        tick.tick().await;
        if !jobs.link().is_up() {
            continue;
        }
        let newest = jobs.link().store().generation();
        if newest != generation && jobs.register_again().await.is_ok() {
            generation = newest;
            idle.clear();
        }
        match sweep_all(&jobs, &mut idle).await {
            Err(JobsError::Store(StoreError::Unavailable | StoreError::Lost(_))) | Ok(()) => {}
            Err(error) => tracing::warn!(?error, "the queues cannot be swept"),
        }
    }
}

async fn sweep_all(jobs: &Jobs, idle: &mut HashMap<Id, Instant>) -> Result<(), JobsError> {
    let queues = commands::queues(jobs.link(), &jobs.queues_key(), jobs.settings().queues).await?;
    let now = Instant::now();
    idle.retain(|_, until| *until > now);
    jobs.wakeups().occupancy().keep(&queues);
    let swept: Vec<(&Id, Result<bool, JobsError>)> =
        stream::iter(queues.iter().filter(|queue| !idle.contains_key(*queue)))
            .map(async |queue| (queue, sweep(jobs, queue).await))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
    for (queue, swept) in swept {
        if !swept? {
            // Spread over time.
            idle.insert(queue.clone(), now + IDLE.mul_f64(rand::random_range(0.8..1.2)));
        }
    }
    Ok(())
}

/// Sweeps a queue. Returns whether something may be due in it soon.
async fn sweep(jobs: &Jobs, queue: &Id) -> Result<bool, JobsError> {
    for _ in 0..MAX_PIECES {
        let swept = commands::sweep(&jobs.target(queue), PIECE, false).await?;
        jobs.wakeups().occupancy().set(queue, swept.size);
        if swept.is_empty && commands::unregister(jobs.link(), &jobs.queues_key(), queue, UNUSED).await? {
            commands::sweep(&jobs.target(queue), PIECE, true).await?;
            jobs.forget(queue);
        }
        if !swept.is_behind {
            return Ok(swept.is_active);
        }
    }
    Ok(true)
}
