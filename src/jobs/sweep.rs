//! What is due in queues that nobody calls.
//!
//! Every lease and settlement does what is due in its queue on its way. For queues without workers, or paused ones, every
//! instance looks at each queue in use a few times a second: one script call that finds nothing is all that costs.

use super::api::Jobs;
use super::commands;
use super::error::JobsError;
use crate::ids::Id;
use crate::store::StoreError;
use futures_util::{StreamExt, stream};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often each queue is looked at: a lease is taken back well within a second of its end.
const TICK: Duration = Duration::from_millis(400);
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
    loop {
        tick.tick().await;
        if !jobs.link().is_up() {
            continue;
        }
        match sweep_all(&jobs).await {
            Err(JobsError::Store(StoreError::Away | StoreError::Lost(_))) | Ok(()) => {}
            Err(error) => tracing::warn!(?error, "the queues cannot be swept"),
        }
    }
}

async fn sweep_all(jobs: &Jobs) -> Result<(), JobsError> {
    let queues = commands::queues(jobs.link(), jobs.settings().queues).await?;
    let swept: Vec<Result<(), JobsError>> = stream::iter(&queues)
        .map(|queue| sweep(jobs, queue))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    swept.into_iter().collect()
}

async fn sweep(jobs: &Jobs, queue: &Id) -> Result<(), JobsError> {
    for _ in 0..MOST_PIECES {
        let (behind, empty) = commands::sweep(jobs.target(queue), PIECE, false).await?;
        if empty && commands::unregister(jobs.link(), queue, UNUSED).await? {
            commands::sweep(jobs.target(queue), PIECE, true).await?;
            jobs.forget(queue);
        }
        if !behind {
            break;
        }
    }
    Ok(())
}
