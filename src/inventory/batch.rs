//! Calls about reservations on their way to Redis, in natural batches.
//!
//! While one round of batches is on its way the next collects, and goes when the first is back or when it has grown half as
//! large: alone a call goes at once, under load a hundred share one script call, which reads and writes their item once. A
//! batch holds calls of one verb about one partition; one whose partition has holds to end first steps aside. The queue is
//! bounded; a call that finds it full is refused.

use super::commands::{self, MAX_BATCH, Op, Outcome, Outcomes, Target, Verb};
use super::error::InventoryError;
use crate::store::{Link, StoreError};
use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use parking_lot::Mutex;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::{Notify, oneshot};

/// Batches that may be on their way at once.
const IN_FLIGHT: usize = 8;
/// From a round of this size on there is load, and the next one waits for so many turns of the runtime's other tasks: the
/// answers of the last round go out and the calls that they bring come in. Nothing waits for a clock.
const BUSY: usize = 8;
const TURNS: usize = 4;

/// The way to the task that sends the batches; that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Batcher {
    queue: Arc<Queue>,
    most: usize,
}

#[derive(Debug, Default)]
struct Queue {
    // Held for a push or a swap, never across an await.
    waiting: Mutex<Vec<Pending>>,
    /// Calls accepted and not yet answered.
    held: AtomicUsize,
    wake: Notify,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Pending {
    partition: u16,
    op: Op,
    answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.queue.closed.store(true, Ordering::Release);
        self.queue.wake.notify_one();
    }
}

impl Batcher {
    /// Starts the task on the current runtime; at most `most` calls wait in it.
    pub fn start(link: &Link, keep_ms: u64, most: usize) -> Self {
        let queue = Arc::new(Queue::default());
        tokio::spawn(run(link.clone(), keep_ms, Arc::clone(&queue)));
        Self { queue, most }
    }

    /// Carries one call out. A caller that goes away leaves it to be carried out all the same.
    pub async fn call(&self, partition: u16, op: Op) -> Result<Outcome, InventoryError> {
        let queue = &self.queue;
        if queue.held.fetch_add(1, Ordering::Relaxed) >= self.most {
            queue.held.fetch_sub(1, Ordering::Relaxed);
            return Err(InventoryError::Busy);
        }
        let (answer, outcome) = oneshot::channel();
        queue.waiting.lock().push(Pending { partition, op, answer });
        queue.wake.notify_one();
        // Without an answer the task has ended with its runtime, and nobody knows how far it came.
        let outcome = outcome.await.unwrap_or(Err(StoreError::Away));
        Ok(outcome?)
    }
}

async fn run(link: Link, keep_ms: u64, queue: Arc<Queue>) {
    let mut rounds = FuturesUnordered::new();
    let mut last = 0;
    loop {
        let waiting = queue.waiting.lock().len();
        let goes = match rounds.len() {
            0 => waiting > 0,
            // A second one keeps Redis busy while the answers of the first are handed out, if it is worth a call.
            1 => waiting >= BUSY.max(last / 2),
            _ => false,
        };
        if goes {
            let calls = mem::take(&mut *queue.waiting.lock());
            last = calls.len();
            rounds.push(round(&link, keep_ms, &queue, calls));
        } else if rounds.is_empty() {
            if queue.closed.load(Ordering::Acquire) {
                return;
            }
            queue.wake.notified().await;
            continue;
        }
        tokio::select! {
            _ = rounds.next() => {
                if last >= BUSY {
                    for _ in 0..TURNS {
                        tokio::task::yield_now().await;
                    }
                }
            }
            () = queue.wake.notified(), if rounds.len() < 2 => {}
        }
    }
}

async fn round(link: &Link, keep_ms: u64, queue: &Arc<Queue>, calls: Vec<Pending>) {
    stream::iter(batches(calls))
        .for_each_concurrent(IN_FLIGHT, |batch| settle(link, keep_ms, queue, batch))
        .await;
}

/// Sorts calls into batches of one partition and verb, keeping their order.
fn batches(mut waiting: Vec<Pending>) -> Vec<Vec<Pending>> {
    let kind = |pending: &Pending| (pending.partition, pending.op.verb);
    waiting.sort_by_key(kind);
    let mut batches: Vec<Vec<Pending>> = Vec::new();
    for pending in waiting {
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_BATCH && kind(&batch[0]) == kind(&pending) => batch.push(pending),
            _ => batches.push(vec![pending]),
        }
    }
    batches
}

async fn settle(link: &Link, keep_ms: u64, queue: &Arc<Queue>, batch: Vec<Pending>) {
    match ask(link, keep_ms, &batch, true).await {
        Ok(Some(outcomes)) => answer(queue, batch, Ok(outcomes)),
        Err(error) => answer(queue, batch, Err(error)),
        Ok(None) => {
            // This may take a while, for which the other partitions do not wait.
            let (link, queue) = (link.clone(), Arc::clone(queue));
            tokio::spawn(async move {
                let outcomes = ask(&link, keep_ms, &batch, false).await;
                answer(&queue, batch, outcomes.map(Option::unwrap_or_default));
            });
        }
    }
}

/// `at_once`: `None` rather than to wait until the partition's holds that are over are ended.
async fn ask(link: &Link, keep_ms: u64, batch: &[Pending], at_once: bool) -> Result<Option<Outcomes>, StoreError> {
    let Some(first) = batch.first() else {
        return Ok(Some(Vec::new()));
    };
    let target = Target {
        link,
        partition: first.partition,
        keep_ms,
    };
    let verb: Verb = first.op.verb;
    let ops: Vec<&Op> = batch.iter().map(|pending| &pending.op).collect();
    if at_once {
        commands::batch_at_once(target, verb, &ops).await
    } else {
        commands::batch(target, verb, &ops).await.map(Some)
    }
}

fn answer(queue: &Queue, batch: Vec<Pending>, outcomes: Result<Outcomes, StoreError>) {
    queue.held.fetch_sub(batch.len(), Ordering::Relaxed);
    // Nobody listening any more is no fault: the caller has gone.
    match outcomes {
        Ok(outcomes) => {
            for (pending, outcome) in batch.into_iter().zip(outcomes) {
                drop(pending.answer.send(outcome));
            }
        }
        Err(error) => {
            for pending in batch {
                drop(pending.answer.send(Err(error.clone())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(partition: u16, op: Op) -> Pending {
        Pending {
            partition,
            op,
            answer: oneshot::channel().0,
        }
    }

    #[test]
    fn a_batch_is_of_one_partition_and_verb_and_bounded() {
        let mut waiting = Vec::new();
        for n in 0..300_u16 {
            waiting.push(pending(n % 2, Op::release(n.to_string())));
            waiting.push(pending(0, Op::confirm(n.to_string())));
        }
        let batches = batches(waiting);
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 600);
        for batch in &batches {
            assert!(batch.len() <= MAX_BATCH);
            let of = |pending: &Pending| (pending.partition, pending.op.verb);
            assert!(batch.iter().all(|pending| of(pending) == of(&batch[0])));
        }
        // 300 confirmations in 3, 150 releases of each partition in 2.
        assert_eq!(batches.len(), 7);
    }
}
