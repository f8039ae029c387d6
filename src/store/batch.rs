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

/// From a batch of this size on there is load, and the next one waits for so many turns of the runtime's other tasks: the
/// answers of the last batch go out and the calls that they bring come in.
const BUSY: usize = 8;
const TURNS: usize = 4;

/// The way to the task that carries the batches; that ends when this is dropped and what it holds is carried.
#[derive(Debug)]
pub struct Batcher<T> {
    queue: Arc<Queue<T>>,
    most: usize,
}

#[derive(Debug)]
struct Queue<T> {
    // Held for a push or a swap, never across an await.
    waiting: Mutex<Vec<T>>,
    /// Items accepted whose batch has not ended.
    held: AtomicUsize,
    wake: Notify,
    closed: AtomicBool,
}

/// The queue has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many calls wait for Redis")]
pub struct QueueFull;

impl<T> Drop for Batcher<T> {
    fn drop(&mut self) {
        self.queue.closed.store(true, Ordering::Release);
        self.queue.wake.notify_one();
    }
}

impl<T: Send + 'static> Batcher<T> {
    /// Starts the task called `name` on the current runtime. At most `most` items wait in its queue. `carry` sends a batch and answers
    /// each of its items. If it panics, the items of the batches in flight are dropped.
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

/// The items of a batch in flight. Their room is released when this is dropped.
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
            // A second one keeps Redis busy while the answers of the first are handed out, if it is worth a call.
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
    async fn what_comes_while_a_batch_is_on_its_way_shares_the_next() {
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
    async fn the_queue_is_bounded_and_what_it_holds_is_carried_to_the_end() {
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
