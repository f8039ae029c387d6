//! Calls about reservations on their way to Redis, in natural batches.
//!
//! Under load a hundred share one script call, which reads and writes their item once. A batch holds calls of one verb about
//! one partition; one whose partition has holds to end first steps aside.

use super::commands::{self, MAX_BATCH, Op, Outcome, Outcomes, Target, Verb};
use super::error::InventoryError;
use crate::runtime::caught;
use crate::store::{self, Link, StoreError};
use futures_util::StreamExt;
use futures_util::stream;
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};

/// Batches that may be on their way at once.
const IN_FLIGHT: usize = 8;
/// Batches that may have stepped aside at once: one for each verb of a few partitions. Beyond it a round waits for them.
const ASIDE: usize = 64;

/// The way to the task that sends the batches; that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Batcher(store::Batcher<Pending>);

#[derive(Debug)]
struct Pending {
    partition: u16,
    op: Op,
    answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// Where batches go.
#[derive(Debug, Clone)]
struct Way {
    link: Link,
    keep_ms: u64,
    aside: Arc<Semaphore>,
}

impl Batcher {
    /// Starts the task on the current runtime; at most `most` calls wait in it.
    pub fn start(link: &Link, keep_ms: u64, most: usize) -> Self {
        let way = Way {
            link: link.clone(),
            keep_ms,
            aside: Arc::new(Semaphore::new(ASIDE)),
        };
        let supervisor = link.store().supervisor();
        Self(store::Batcher::start(
            supervisor,
            "inventory.batches",
            most,
            move |calls| round(way.clone(), calls),
        ))
    }

    /// Carries one call out. A caller that goes away leaves it to be carried out all the same.
    pub async fn call(&self, partition: u16, op: Op) -> Result<Outcome, InventoryError> {
        let (answer, outcome) = oneshot::channel();
        self.0.push(Pending { partition, op, answer })?;
        // A missing answer means that the task panicked or ended with its runtime; the outcome is unknown then.
        let outcome = outcome.await.unwrap_or(Err(StoreError::Interrupted));
        Ok(outcome?)
    }
}

async fn round(way: Way, calls: Vec<Pending>) {
    stream::iter(batches(calls))
        .for_each_concurrent(IN_FLIGHT, |batch| settle(&way, batch))
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

async fn settle(way: &Way, batch: Vec<Pending>) {
    match ask(way, &batch, true).await {
        Ok(Some(outcomes)) => answer(batch, Ok(outcomes)),
        Err(error) => answer(batch, Err(error)),
        Ok(None) => {
            // This may take a while, for which the other partitions do not wait.
            let permit = Arc::clone(&way.aside).acquire_owned().await;
            let way = way.clone();
            let asking = async move {
                let outcomes = ask(&way, &batch, false).await;
                answer(batch, outcomes.map(Option::unwrap_or_default));
                drop(permit);
            };
            tokio::spawn(caught("inventory.batch_aside", asking));
        }
    }
}

/// `at_once`: `None` rather than to wait until the partition's holds that are over are ended.
async fn ask(way: &Way, batch: &[Pending], at_once: bool) -> Result<Option<Outcomes>, StoreError> {
    let Some(first) = batch.first() else {
        return Ok(Some(Vec::new()));
    };
    let target = Target {
        link: &way.link,
        partition: first.partition,
        keep_ms: way.keep_ms,
    };
    let verb: Verb = first.op.verb;
    let ops: Vec<&Op> = batch.iter().map(|pending| &pending.op).collect();
    if at_once {
        commands::batch_at_once(target, verb, &ops).await
    } else {
        commands::batch(target, verb, &ops).await.map(Some)
    }
}

fn answer(batch: Vec<Pending>, outcomes: Result<Outcomes, StoreError>) {
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
