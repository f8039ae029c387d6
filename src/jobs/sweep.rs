//! What is due in queues that nobody calls.
//!
//! Every lease and settlement does what is due in its queue on its way, and whoever waits for jobs asks when the next is due. For
//! queues without workers, or paused ones, every instance looks at each queue in use: a few times a second where something is
//! leased or delayed, and else every few seconds, as nothing can be due there but what is to be forgotten.

use super::api::Jobs;
use super::commands;
use super::error::JobsError;
use crate::ids::Id;
use crate::store::StoreError;
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// How often a queue is looked at: a lease is taken back well within a second of its end.
const TICK: Duration = Duration::from_millis(400);
/// How often one is looked at in which nothing is leased or delayed.
const IDLE: Duration = Duration::from_secs(5);
/// Jobs of one piece, and pieces of one queue in one tick; what is left waits for the next.
const PIECE: usize = 500;
const MOST_PIECES: usize = 20;
/// Queues that are looked at at once.
const AT_ONCE: usize = 16;
/// A queue that has nothing, and into which nothing was put for so long, is not in use.
const UNUSED: Duration = Duration::from_mins(10);

/// Sweeps for ever.
pub async fn keep_sweeping(jobs: Jobs) {
    // Not in step with the other instances.
    sleep(TICK.mul_f64(rand::random_range(0.0..1.0))).await;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Until when idle queues are left alone.
    let mut idle = HashMap::new();
    let mut generation = jobs.link().store().generation();
    loop {
        tick.tick().await;
        if !jobs.link().is_up() {
            continue;
        }
        let newest = jobs.link().store().generation();
        if newest != generation && jobs.note_again().await.is_ok() {
            generation = newest;
            idle.clear();
        }
        match sweep_all(&jobs, &mut idle).await {
            Err(JobsError::Store(StoreError::Away | StoreError::Lost(_))) | Ok(()) => {}
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
            // Not all of them at once.
            idle.insert(queue.clone(), now + IDLE.mul_f64(rand::random_range(0.8..1.2)));
        }
    }
    Ok(())
}

/// Returns whether something may be due in the queue soon.
async fn sweep(jobs: &Jobs, queue: &Id) -> Result<bool, JobsError> {
    for _ in 0..MOST_PIECES {
        let swept = commands::sweep(jobs.target(queue), PIECE, false).await?;
        jobs.wakeups().occupancy().set(queue, swept.size);
        if swept.is_empty && commands::unregister(jobs.link(), &jobs.queues_key(), queue, UNUSED).await? {
            commands::sweep(jobs.target(queue), PIECE, true).await?;
            jobs.forget(queue);
        }
        if !swept.is_behind {
            return Ok(swept.is_active);
        }
    }
    Ok(true)
}
