//! Natural batches: while one batch is being sent, the next one collects.
//!
//! A single item is sent at once, and under load hundreds share one call; no timer is involved. The queue is bounded; an item for which
//! it has no room is refused.

use crate::runtime::{Supervisor, failpoint_of};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// A batch of at least this size indicates load. The next batch then yields to the runtime's other tasks [`TURNS`] times, so that the
/// answers of the last batch are sent and the requests that follow them arrive.
const BUSY: usize = 8;
const TURNS: usize = 4;

/// A handle to the task that sends the batches. When the handle is dropped, the task sends the items that it holds, and ends.
#[derive(Debug)]
pub struct Batcher<T> {
    queue: Arc<Queue<T>>,
    most: usize,
}

#[derive(Debug)]
struct Queue<T> {
    // Locked for a push or a swap, never across an await.
    waiting: Mutex<Vec<T>>,
    /// The number of accepted items whose batch has not ended.
    held: AtomicUsize,
    wake: Notify,
    closed: AtomicBool,
}

/// The queue has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many calls wait for Redis; try again later")]
pub struct QueueFull;

impl<T> Drop for Batcher<T> {
    fn drop(&mut self) {
        self.queue.closed.store(true, Ordering::Release);
        self.queue.wake.notify_one();
    }
}

impl<T: Send + 'static> Batcher<T> {
    /// Starts the task called `name` on the current runtime. At most `most` items wait in its queue. `carry` sends a batch and answers
    /// each of its items. If it panics, the items of the batches in progress are dropped.
    pub fn start<C>(
        supervisor: &Supervisor,
        name: &'static str,
        most: usize,
        carry: impl Fn(Vec<T>) -> C + Send + Sync + 'static,
    ) -> Self
    where
        C: Future<Output = ()> + Send + 'static,
    {
        let queue = Arc::new(Queue {
            waiting: Mutex::new(Vec::new()),
            held: AtomicUsize::new(0),
            wake: Notify::new(),
            closed: AtomicBool::new(false),
        });
        let (waiting, carry) = (Arc::clone(&queue), Arc::new(carry));
        supervisor.spawn(name, move || run(Arc::clone(&waiting), Arc::clone(&carry), name));
        Self { queue, most }
    }

    /// Puts an item into the next batch.
    ///
    /// # Errors
    /// [`QueueFull`]; the item is dropped then.
    pub fn push(&self, item: T) -> Result<(), QueueFull> {
        let queue = &self.queue;
        if queue.held.fetch_add(1, Ordering::Relaxed) >= self.most {
            queue.held.fetch_sub(1, Ordering::Relaxed);
            return Err(QueueFull);
        }
        queue.waiting.lock().push(item);
        queue.wake.notify_one();
        Ok(())
    }
}

/// The items of a batch in progress. Their places in the queue are released when this is dropped.
struct Held<'a>(&'a AtomicUsize, usize);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

async fn run<T, C: Future<Output = ()>>(queue: Arc<Queue<T>>, carry: Arc<impl Fn(Vec<T>) -> C>, name: &'static str) {
    let carry = async |items: Vec<T>| {
        let _held = Held(&queue.held, items.len());
        failpoint_of(name, "batch");
        carry(items).await;
    };
    let mut batches = FuturesUnordered::new();
    let mut last = 0;
    loop {
        let waiting = queue.waiting.lock().len();
        let goes = match batches.len() {
            0 => waiting > 0,
            // A second batch keeps Redis busy while the answers of the first are distributed, if the batch is large enough.
            1 => waiting >= BUSY.max(last / 2),
            _ => false,
        };
        if goes {
            let items = mem::take(&mut *queue.waiting.lock());
            last = items.len();
            batches.push(carry(items));
        } else if batches.is_empty() {
            if queue.closed.load(Ordering::Acquire) {
                return;
            }
            queue.wake.notified().await;
            continue;
        }
        tokio::select! {
            _ = batches.next() => {
                if last >= BUSY {
                    for _ in 0..TURNS {
                        tokio::task::yield_now().await;
                    }
                }
            }
            () = queue.wake.notified(), if batches.len() < 2 => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use tokio::sync::{Semaphore, oneshot};

    #[tokio::test]
    async fn items_that_arrive_during_a_batch_share_the_next_one() {
        let (gate, sizes) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (passing, noting) = (Arc::clone(&gate), Arc::clone(&sizes));
        let batcher = Batcher::start(
            &Supervisor::default(),
            "batches",
            1_000,
            move |batch: Vec<oneshot::Sender<()>>| {
                let (gate, sizes) = (Arc::clone(&passing), Arc::clone(&noting));
                async move {
                    sizes.lock().push(batch.len());
                    gate.acquire().await.unwrap().forget();
                    for answer in batch {
                        answer.send(()).unwrap();
                    }
                }
            },
        );
        let send = || {
            let (answer, answered) = oneshot::channel();
            batcher.push(answer).unwrap();
            answered
        };
        let first = send();
        tokio::task::yield_now().await;
        let rest: Vec<_> = (0..7).map(|_| send()).collect();
        gate.add_permits(10);
        first.await.unwrap();
        for answered in rest {
            answered.await.unwrap();
        }
        assert_eq!(*sizes.lock(), [1, 7]);
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_its_items_are_sent_after_the_handle_is_dropped() {
        let carried = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&carried);
        let batcher = Batcher::start(&Supervisor::default(), "batches", 2, move |batch: Vec<()>| {
            count.fetch_add(u32::try_from(batch.len()).unwrap(), Ordering::Relaxed);
            std::future::ready(())
        });
        assert_eq!(
            [batcher.push(()), batcher.push(()), batcher.push(())],
            [Ok(()), Ok(()), Err(QueueFull)]
        );
        drop(batcher);
        while carried.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
    }
}
