//! Batches of operations on reservations.
//!
//! The operations that arrive while a script runs form the next batch. Under load about a hundred share one script call, which reads and
//! writes their item once. A batch has operations of one kind and one partition. If its partition has many holds to expire first, the
//! batch continues in a task of its own. Each partition has a queue of its own, so a slow partition delays no other, and cannot use up the
//! capacity of all.

use super::commands::{self, MAX_BATCH, Op, OpOutcome, OpOutcomes, Target, Verb};
use super::error::InventoryError;
use super::keys::INVENTORY_PARTITIONS;
use crate::runtime::{Supervisor, caught};
use crate::store::{self, Link, QueueFull, StoreError};
use futures_util::StreamExt;
use futures_util::stream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Semaphore, oneshot};

/// Batches of one partition that run at the same time: one for each kind of operation, and more if one batch is not enough.
const IN_FLIGHT: usize = 8;
/// Batches of one partition that may run in tasks of their own. Beyond it a round waits for them.
const ASIDE: usize = 8;

/// The tasks that send the batches, one for each partition. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Batcher {
    partitions: Vec<store::Batcher<Pending>>,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

#[derive(Debug)]
struct Pending {
    op: Op,
    answer: oneshot::Sender<Result<OpOutcome, StoreError>>,
    /// Counts until the operation is answered.
    _slot: QueueSlot,
}

/// A slot among the waiting operations.
#[derive(Debug)]
struct QueueSlot(Arc<AtomicUsize>);

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The partition of a queue, and the connection to it.
#[derive(Debug, Clone)]
struct OwnedTarget {
    link: Link,
    partition: u16,
    keep_ms: u64,
    aside: Arc<Semaphore>,
}

impl Batcher {
    /// Starts the tasks on the current runtime. At most `most` operations wait, and at most half of them in one partition.
    pub fn start(link: &Link, keep_ms: u64, most: usize) -> Self {
        Self::carrying(link.store().supervisor(), most, |partition| {
            let target = OwnedTarget {
                link: link.clone(),
                partition,
                keep_ms,
                aside: Arc::new(Semaphore::new(ASIDE)),
            };
            move |calls| round(target.clone(), calls)
        })
    }

    /// Starts the tasks with a function that runs the operations of a partition.
    fn carrying<R, C>(supervisor: &Supervisor, most: usize, carry: impl Fn(u16) -> R) -> Self
    where
        R: Fn(Vec<Pending>) -> C + Send + Sync + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        let start = |p| store::Batcher::start(supervisor, "inventory.batches", most.div_ceil(2), carry(p));
        Self {
            partitions: (0..INVENTORY_PARTITIONS).map(start).collect(),
            waiting: Arc::default(),
            most,
        }
    }

    /// Runs one operation. It is carried out even if the caller is dropped.
    pub async fn call(&self, partition: u16, op: Op) -> Result<OpOutcome, InventoryError> {
        let (answer, outcome) = oneshot::channel();
        let slot = self.slot()?;
        let batcher = self
            .partitions
            .get(usize::from(partition))
            .ok_or(StoreError::Interrupted)?;
        batcher.push(Pending {
            op,
            answer,
            _slot: slot,
        })?;
        // A missing answer means that the task panicked or ended with its runtime; the outcome is unknown then.
        let outcome = outcome.await.unwrap_or(Err(StoreError::Interrupted));
        Ok(outcome?)
    }

    fn slot(&self) -> Result<QueueSlot, QueueFull> {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let slot = QueueSlot(Arc::clone(&self.waiting));
        if waiting >= self.most { Err(QueueFull) } else { Ok(slot) }
    }
}

async fn round(target: OwnedTarget, calls: Vec<Pending>) {
    stream::iter(batches(calls))
        .for_each_concurrent(IN_FLIGHT, |batch| settle(&target, batch))
        .await;
}

/// Sorts operations into batches of one kind, and keeps their order.
fn batches(mut waiting: Vec<Pending>) -> Vec<Vec<Pending>> {
    waiting.sort_by_key(|pending| pending.op.verb);
    let mut batches: Vec<Vec<Pending>> = Vec::new();
    for pending in waiting {
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_BATCH && batch[0].op.verb == pending.op.verb => batch.push(pending),
            _ => batches.push(vec![pending]),
        }
    }
    batches
}

async fn settle(target: &OwnedTarget, batch: Vec<Pending>) {
    match ask(target, &batch, true).await {
        Ok(Some(outcomes)) => answer(batch, Ok(outcomes)),
        Err(error) => answer(batch, Err(error)),
        Ok(None) => {
            // This may take long. Operations of other kinds do not wait for it.
            let permit = Arc::clone(&target.aside).acquire_owned().await;
            let target = target.clone();
            let asking = async move {
                let outcomes = ask(&target, &batch, false).await;
                answer(batch, outcomes.map(Option::unwrap_or_default));
                drop(permit);
            };
            tokio::spawn(caught("inventory.batch_aside", asking));
        }
    }
}

/// Runs a batch. With `at_once` it returns `None` if many holds of the partition have to be expired first.
async fn ask(target: &OwnedTarget, batch: &[Pending], at_once: bool) -> Result<Option<OpOutcomes>, StoreError> {
    let Some(first) = batch.first() else {
        return Ok(Some(Vec::new()));
    };
    let target = Target {
        link: &target.link,
        partition: target.partition,
        keep_ms: target.keep_ms,
    };
    let verb: Verb = first.op.verb;
    let ops: Vec<&Op> = batch.iter().map(|pending| &pending.op).collect();
    if at_once {
        commands::batch_at_once(target, verb, &ops).await
    } else {
        commands::batch(target, verb, &ops).await.map(Some)
    }
}

fn answer(batch: Vec<Pending>, outcomes: Result<OpOutcomes, StoreError>) {
    // The receiver is gone if the caller was dropped, which is not an error.
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
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use std::future::pending as never;
    use std::time::Duration;
    use tokio::time::timeout;

    fn pending(op: Op) -> Pending {
        Pending {
            op,
            answer: oneshot::channel().0,
            _slot: QueueSlot(Arc::new(AtomicUsize::new(1))),
        }
    }

    #[test]
    fn a_batch_has_one_verb_and_a_maximum_size() {
        let mut waiting = Vec::new();
        for n in 0..300_u16 {
            waiting.push(pending(Op::release(n.to_string())));
            waiting.push(pending(Op::confirm(n.to_string())));
        }
        let batches = batches(waiting);
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 600);
        for batch in &batches {
            assert!(batch.len() <= MAX_BATCH);
            assert!(batch.iter().all(|pending| pending.op.verb == batch[0].op.verb));
        }
        // 3 of each.
        assert_eq!(batches.len(), 6);
    }

    /// Answers the calls of all partitions but one, which hangs.
    fn but(hanging: u16, most: usize) -> Batcher {
        Batcher::carrying(&Supervisor::default(), most, move |partition| {
            move |calls| async move {
                if partition == hanging {
                    never::<()>().await;
                }
                let outcomes = calls.iter().map(|_| Ok(OpOutcome::Unknown)).collect();
                answer(calls, Ok(outcomes));
            }
        })
    }

    #[tokio::test]
    async fn a_hanging_partition_delays_no_other_and_does_not_use_all_slots() {
        let batcher = but(3, 10);
        let op = || Op::release("r".to_owned());
        let mut hanging = Vec::new();
        for _ in 0..5 {
            let mut call = Box::pin(batcher.call(3, op()));
            assert!(call.as_mut().now_or_never().is_none());
            hanging.push(call);
        }
        // Operations whose callers were dropped count until they are answered.
        assert!(batcher.call(3, op()).now_or_never().unwrap().is_err());
        drop(hanging);
        assert!(batcher.call(3, op()).now_or_never().unwrap().is_err());
        for _ in 0..3 {
            let others = (0..INVENTORY_PARTITIONS).filter(|partition| *partition != 3).take(5);
            let calls = join_all(others.map(|partition| batcher.call(partition, op())));
            let outcomes = timeout(Duration::from_secs(5), calls).await.expect("they do not wait");
            assert!(
                outcomes.iter().all(|outcome| matches!(outcome, Ok(OpOutcome::Unknown))),
                "{outcomes:?}"
            );
        }
    }
}
