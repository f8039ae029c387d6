//! Reads in natural batches: reads that arrive during a batch share the next one, which is one `MGET` per partition. A version that many
//! of them need is read once. Each `MGET` is sent with a `TIME`, so that ages come from the clock of Redis.

use super::error::CacheError;
use super::keys::Placed;
use crate::store::{Batcher, Link, StoreError};
use bytes::Bytes;
use futures_util::future::join_all;
use hashbrown::HashMap;
use redis::Value;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::oneshot;

/// The maximum number of reads that wait in a worker.
const MOST: usize = 100_000;
/// The maximum number of keys in one `MGET`, and the intended maximum size of its reply, bytes.
const AT_ONCE: usize = 256;
const ONE_ANSWER: usize = 8 * 1_048_576;

/// A handle to the task that reads.
#[derive(Debug)]
pub(super) struct Reads(Batcher<Asked>);

#[derive(Debug)]
struct Asked {
    keys: Vec<Placed>,
    answer: oneshot::Sender<Result<Answer, StoreError>>,
}

/// What was read.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// In the order of the keys. A key of another type than a string reads as none.
    pub values: Vec<Option<Bytes>>,
    /// The time of Redis's clock, ms; the earliest, if several nodes answered.
    pub now_ms: u64,
    /// When the read was sent to Redis.
    pub asked: Instant,
}

/// The number of keys in one `MGET`: as many as fit into a reply if all values are as large as the largest recent one. The actual sizes are
/// known only after the read, and a fixed upper bound would split reads of small values without need.
#[derive(Debug, Default)]
struct Pace(AtomicUsize);

impl Pace {
    fn keys(&self) -> usize {
        (ONE_ANSWER / self.0.load(Ordering::Relaxed).max(1)).clamp(1, AT_ONCE)
    }

    fn note(&self, largest: usize) {
        // The estimate decreases slowly.
        let left = self.0.load(Ordering::Relaxed) / 2;
        self.0.store(largest.max(left), Ordering::Relaxed);
    }
}

impl Reads {
    pub(super) fn start(link: &Link) -> Self {
        let (link, pace) = (link.clone(), Arc::<Pace>::default());
        let supervisor = link.store().supervisor().clone();
        Self(Batcher::start(&supervisor, "cache.reads", MOST, move |batch| {
            carry(link.clone(), Arc::clone(&pace), batch)
        }))
    }

    pub(super) async fn get(&self, keys: Vec<Placed>) -> Result<Answer, CacheError> {
        let (answer, answered) = oneshot::channel();
        self.0.push(Asked { keys, answer })?;
        // A missing answer means that the task panicked, or ended with its runtime.
        Ok(answered.await.unwrap_or(Err(StoreError::Interrupted))?)
    }
}

/// The keys of a partition that a batch needs, each once, and what was read.
#[derive(Debug)]
struct Group<'a> {
    partition: u16,
    names: Vec<&'a str>,
    places: HashMap<&'a str, usize>,
    read: Result<(Vec<Option<Bytes>>, u64), StoreError>,
}

async fn carry(link: Link, pace: Arc<Pace>, batch: Vec<Asked>) {
    let asked = Instant::now();
    let mut groups: Vec<Group<'_>> = Vec::new();
    // For each key of each caller: its group, and its index in the group.
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(2 * batch.len());
    for Placed { partition, name } in batch.iter().flat_map(|asked| &asked.keys) {
        let index = groups.iter().position(|group| group.partition == *partition);
        let index = index.unwrap_or_else(|| {
            groups.push(Group {
                partition: *partition,
                names: Vec::new(),
                places: HashMap::with_capacity(batch.len() + 1),
                read: Err(StoreError::Unavailable),
            });
            groups.len() - 1
        });
        let Group {
            names, places: known, ..
        } = &mut groups[index];
        let in_group = *known.entry(name.as_str()).or_insert_with(|| {
            names.push(name);
            names.len() - 1
        });
        places.push((index, in_group));
    }
    let (link, pace) = (&link, &pace);
    let answers = join_all(groups.iter().map(|group| read(link, pace, &group.names))).await;
    for (group, answer) in groups.iter_mut().zip(answers) {
        group.read = answer;
    }
    let read: Vec<_> = groups.into_iter().map(|group| group.read).collect();
    let mut places = places.into_iter();
    for Asked { keys, answer } in batch {
        let mut values = Vec::with_capacity(keys.len());
        let mut now_ms = u64::MAX;
        let mut failure = None;
        for (group, place) in places.by_ref().take(keys.len()) {
            match &read[group] {
                Ok((found, at)) => {
                    values.push(found.get(place).cloned().flatten());
                    now_ms = now_ms.min(*at);
                }
                Err(error) => failure = Some(error.clone()),
            }
        }
        let result = match failure {
            None => Ok(Answer { values, now_ms, asked }),
            Some(error) => Err(error),
        };
        // If the receiver is gone, the caller has been dropped.
        drop(answer.send(result));
    }
}

async fn read(link: &Link, pace: &Pace, mut names: &[&str]) -> Result<(Vec<Option<Bytes>>, u64), StoreError> {
    let mut values = Vec::with_capacity(names.len());
    let mut now_ms = u64::MAX;
    while !names.is_empty() {
        let (now, later) = names.split_at(names.len().min(pace.keys()));
        names = later;
        let mut pipeline = redis::pipe();
        let get = pipeline.cmd("MGET");
        for name in now {
            get.arg(name);
        }
        let (found, (seconds, micros)): (Value, (u64, u64)) = link.pipeline(pipeline.cmd("TIME")).await?;
        now_ms = now_ms.min(seconds * 1_000 + micros / 1_000);
        let Value::Array(found) = found else {
            return Err(StoreError::Answer("MGET: no array".to_owned()));
        };
        let from = values.len();
        values.extend(found.into_iter().map(text));
        let largest = values[from..].iter().flatten().map(Bytes::len).max();
        pace.note(largest.unwrap_or(0));
    }
    Ok((values, now_ms))
}

fn text(mut value: Value) -> Option<Bytes> {
    match &mut value {
        // Moved, not copied.
        Value::BulkString(bytes) => Some(Bytes::from(mem::take(bytes))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_the_values_the_fewer_are_read_at_once() {
        let pace = Pace::default();
        assert_eq!(pace.keys(), AT_ONCE);
        pace.note(1_000);
        assert_eq!(pace.keys(), AT_ONCE);
        pace.note(ONE_ANSWER / 8);
        assert_eq!(pace.keys(), 8);
        pace.note(ONE_ANSWER * 8);
        assert_eq!(pace.keys(), 1);
        // One small reply does not change that; many do.
        pace.note(0);
        assert_eq!(pace.keys(), 1);
        for _ in 0..20 {
            pace.note(0);
        }
        assert_eq!(pace.keys(), AT_ONCE);
    }
}
