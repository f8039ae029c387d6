//! Writes fixes to Redis in natural batches.
//!
//! While one batch is being written, the next one collects: a single fix is written at once, and under load hundreds share one script
//! call. Every HTTP worker has its own writer, on its own thread with its own connection, so that a fix is parsed, sent and answered
//! without a hop between threads. The queue is bounded; a fix for which it has no room is refused.
//!
//! The fixes of a large request are written in pieces, so that those of other requests are written in between.

use super::Kind;
use super::batches::{Batch, Coalesced, Pending, batches};
use super::commands::{self, Recorded};
use super::input::Report;
use super::settle::{buffer, settle};
use super::shared::Shared;
use super::ticket::Ticket;
use crate::clock;
use crate::ids::Id;
use crate::runtime::failpoint_of;
use crate::store::{Link, StoreError};
use futures_util::StreamExt;
use futures_util::stream;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

pub use super::ticket::{Outcome, Written};

/// Batches that may be written at the same time: enough that Redis never waits for us, few enough that batches grow.
const IN_FLIGHT: usize = 2;

/// A batch of at least this size means load. Then the next batch waits for [`TURNS`] turns of the other tasks of this thread, so that the
/// answers of the last batch are sent and the requests that follow are received. Otherwise half of the senders would wait in each of two
/// alternating batches, and every batch costs Redis and us a wake-up. No timer is involved.
const BUSY: usize = 8;
const TURNS: usize = 4;

/// A request with more fixes than this is split into pieces.
const LARGE: usize = 64;
/// The most fixes of large requests in one round, in addition to all others: two script calls.
const PIECE: usize = 2 * commands::MAX_FIXES;

/// How long a large request waits for room in the queue.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(500);
/// Large requests that may wait for room.
const MOST_IN_LINE: usize = 1_000;

/// The queue has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the writer's queue is full")]
pub struct QueueFull;

/// A worker's writer; clones are handles to the same one. Its task ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Writer(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    link: Link,
    queue: Rc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: RefCell<Vec<Pending>>,
    /// The fixes of large requests.
    in_pieces: RefCell<VecDeque<Pending>>,
    /// Fixes accepted and not yet answered.
    held: Cell<usize>,
    /// Large requests that wait for room, in order.
    line: RefCell<VecDeque<Wanted>>,
    wake: Notify,
    closed: Cell<bool>,
}

/// Room that a request waits for.
#[derive(Debug)]
struct Wanted {
    writer: Weak<Inner>,
    count: usize,
    ready: oneshot::Sender<Reserved>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.closed.set(true);
        self.queue.wake.notify_one();
    }
}

impl Writer {
    /// Starts a writer on the current thread.
    #[must_use]
    pub fn start(shared: &Arc<Shared>, link: &Link) -> Self {
        let queue = Rc::new(Queue::default());
        let inner = Inner {
            shared: Arc::clone(shared),
            link: link.clone(),
            queue: Rc::clone(&queue),
        };
        let (shared, link) = (Arc::clone(shared), link.clone());
        let supervisor = link.store().supervisor().clone();
        supervisor.spawn_local("tracking.writer", move || {
            run(Arc::clone(&shared), link.clone(), Rc::clone(&queue))
        });
        Self(Rc::new(inner))
    }

    /// Returns its connection, for other commands of the same thread.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.0.link
    }

    /// Returns the state that all threads share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Writes one fix and returns its outcome.
    ///
    /// # Errors
    /// [`QueueFull`]; the fix was not accepted then.
    pub async fn write(&self, kind: Kind, id: Id, report: Report) -> Result<Written, QueueFull> {
        if self.has_no_room(kind, &id) {
            self.0.shared.counters(kind).rejected.inc();
            return Ok(Outcome::NoRoom.alone());
        }
        self.reserve(1)?;
        let (answer, written) = oneshot::channel();
        let pending = self.pending(kind, id, report, Ticket::One(answer));
        self.0.queue.waiting.borrow_mut().push(pending);
        self.0.queue.wake.notify_one();
        // A missing answer means that the task panicked while it wrote the fix.
        Ok(written.await.unwrap_or(Outcome::Interrupted.alone()))
    }

    /// Reserves room for fixes that have not been read yet; see [`Self::write_all`]. A batch for which there is no room is refused before
    /// it costs time. The call waits for room for up to half a second, because senders that are refused at once retry at once, and their
    /// requests would take the time of accepted ones.
    ///
    /// # Errors
    /// [`QueueFull`]; nothing is reserved then.
    pub async fn reserve_for(&self, count: usize) -> Result<Reserved, QueueFull> {
        let (queue, most) = (&self.0.queue, self.0.shared.settings.writer_queue);
        queue.admit(most);
        let is_first = queue.line.borrow().is_empty();
        if is_first && self.reserve(count).is_ok() {
            return Ok(self.reserved(count));
        }
        if count > most || queue.line.borrow().len() >= MOST_IN_LINE {
            return Err(QueueFull);
        }
        let (ready, room) = oneshot::channel();
        let wanted = Wanted {
            writer: Rc::downgrade(&self.0),
            count,
            ready,
        };
        queue.line.borrow_mut().push_back(wanted);
        if let Ok(Ok(reserved)) = timeout(WAIT_FOR_ROOM, room).await {
            return Ok(reserved);
        }
        // There may be room for the next requests in line.
        queue.admit(most);
        Err(QueueFull)
    }

    fn reserved(&self, count: usize) -> Reserved {
        Reserved {
            inner: Rc::clone(&self.0),
            count,
        }
    }

    /// Writes many fixes and returns the outcome of each, in order. Unused reserved room is released.
    ///
    /// # Errors
    /// [`QueueFull`] if more room is needed than was reserved, and there is none; no fix was accepted then.
    pub async fn write_all(
        &self,
        kind: Kind,
        reports: Vec<(Id, Report)>,
        mut reserved: Reserved,
    ) -> Result<Vec<Written>, QueueFull> {
        let count = reports.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        if let Some(more) = count.checked_sub(reserved.count) {
            self.reserve(more)?;
        }
        // The queue releases this room fix by fix.
        reserved.count = reserved.count.saturating_sub(count);
        drop(reserved);
        let (tickets, written) = Ticket::many(count);
        let mut refused = 0;
        let pending = reports.into_iter().zip(tickets).filter_map(|((id, report), ticket)| {
            if self.has_no_room(kind, &id) {
                ticket.answer(Outcome::NoRoom.alone());
                refused += 1;
                return None;
            }
            Some(self.pending(kind, id, report, ticket))
        });
        let queue = &self.0.queue;
        if count > LARGE {
            queue.in_pieces.borrow_mut().extend(pending);
        } else {
            queue.waiting.borrow_mut().extend(pending);
        }
        if refused > 0 {
            self.0.shared.counters(kind).rejected.inc_by(refused as u64);
            queue.free(&self.0.shared, refused);
        }
        queue.wake.notify_one();
        Ok(written
            .await
            .unwrap_or_else(|_ended| vec![Outcome::Interrupted.alone(); count]))
    }

    /// Returns whether Redis has no room for new entities, and this is one. If the live index is incomplete, no entity counts as new.
    fn has_no_room(&self, kind: Kind, id: &Id) -> bool {
        let shared = &self.0.shared;
        shared.store.is_nearly_full() && shared.is_synced() && !shared.live(kind).has_record(id)
    }

    fn reserve(&self, count: usize) -> Result<(), QueueFull> {
        let held = &self.0.queue.held;
        if held.get() + count > self.0.shared.settings.writer_queue {
            return Err(QueueFull);
        }
        held.set(held.get() + count);
        let waiting = i64::try_from(count).unwrap_or(0);
        self.0.shared.metrics.writer_queued.add(waiting);
        Ok(())
    }

    fn pending(&self, kind: Kind, id: Id, report: Report, ticket: Ticket) -> Pending {
        let partition = self.0.shared.store.keys().partition(&id);
        Pending {
            kind,
            partition,
            id,
            report,
            ticket,
        }
    }
}

impl Queue {
    fn free(&self, shared: &Shared, count: usize) {
        shared.metrics.writer_queued.sub(i64::try_from(count).unwrap_or(0));
        self.held.set(self.held.get() - count);
        self.admit(shared.settings.writer_queue);
    }

    /// Grants room to the requests in line.
    fn admit(&self, most: usize) {
        loop {
            let mut line = self.line.borrow_mut();
            // Requests that no longer wait are skipped.
            let fits = |first: &mut Wanted| first.ready.is_closed() || self.held.get() + first.count <= most;
            let Some(first) = line.pop_front_if(fits) else { return };
            // The code below may release room, which calls this method again.
            drop(line);
            let writer = first.writer.upgrade().filter(|_| !first.ready.is_closed());
            let Some(writer) = writer.map(Writer) else { continue };
            if writer.reserve(first.count).is_ok() {
                drop(first.ready.send(writer.reserved(first.count)));
            }
        }
    }

    /// Removes and returns the fixes to write next.
    fn take(&self) -> Vec<Pending> {
        let mut waiting = self.waiting.take();
        let mut in_pieces = self.in_pieces.borrow_mut();
        let piece = in_pieces.len().min(PIECE);
        waiting.extend(in_pieces.drain(..piece));
        waiting
    }
}

async fn run(shared: Arc<Shared>, link: Link, queue: Rc<Queue>) {
    let mut last = 0;
    loop {
        if last >= BUSY {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
        }
        let mut waiting = queue.take();
        last = waiting.len();
        if waiting.is_empty() {
            if queue.closed.get() {
                return;
            }
            queue.wake.notified().await;
            continue;
        }
        let _held = Held {
            shared: &shared,
            queue: &queue,
            count: waiting.len(),
        };
        // One time for all: of several fixes of one entity the last one counts anyway.
        let received_us = clock::unique_us();
        for pending in &mut waiting {
            pending.report.fix.received_us = received_us;
            failpoint_of("tracking.writer.fix", &pending.id);
        }
        let clocks = Kind::ALL.map(|kind| shared.clock(kind));
        stream::iter(batches(waiting, |kind| clocks[kind.index()]))
            .map(|batch| store(&shared, &link, batch))
            .buffered(IN_FLIGHT)
            .for_each(|()| std::future::ready(()))
            .await;
    }
}

/// Reserved room in a queue. It is released when this is dropped.
#[derive(Debug)]
pub struct Reserved {
    inner: Rc<Inner>,
    count: usize,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let Self { inner, count } = self;
        inner.queue.free(&inner.shared, *count);
    }
}

/// Fixes that are being written. Their room is released when this is dropped.
struct Held<'a> {
    shared: &'a Shared,
    queue: &'a Queue,
    count: usize,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.queue.free(self.shared, self.count);
    }
}

async fn store(shared: &Shared, link: &Link, batch: Batch) {
    let target = shared.target(batch.kind, batch.partition);
    let fixes: Vec<Recorded<'_>> = batch
        .entities
        .iter()
        .filter(|entity| !entity.is_empty())
        .map(Coalesced::recorded)
        .collect();
    if fixes.is_empty() {
        // All of them are past their time to live.
        return settle(shared, link, target, batch.entities, &[]).await;
    }
    let timer = shared.metrics.redis_seconds.start_timer();
    match commands::record(link, target, &fixes).await {
        Ok(verdicts) => {
            timer.observe_duration();
            #[expect(clippy::cast_precision_loss, reason = "a batch has at most 512 fixes")]
            shared.metrics.writer_batch.observe(fixes.len() as f64);
            drop(fixes);
            settle(shared, link, target, batch.entities, &verdicts).await;
        }
        Err(error) => {
            timer.stop_and_discard();
            drop(fixes);
            if !matches!(error, StoreError::Unavailable) {
                tracing::warn!(error = %cause(&error), "a batch could not be written; its fixes are buffered in memory");
            }
            buffer(shared, batch.kind, batch.entities);
        }
    }
}

/// Returns an error and its source in one line.
fn cause(error: &StoreError) -> String {
    match error {
        StoreError::Lost(source) | StoreError::Refused(source) => format!("{error}: {source}"),
        other => other.to_string(),
    }
}
