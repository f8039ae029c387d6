//! Fixes on their way to Redis, in natural batches.
//!
//! While one batch is on its way the next collects: alone a fix goes at once, under load hundreds share one script call.
//! Every HTTP worker has a writer of its own, on its own thread with its own connection, so that a fix is parsed, sent and
//! answered without a hop between threads. The queue is bounded; a fix that finds it full is refused.
//!
//! With Redis away, or lost half-way, fixes go to the live index as unsaved and are answered as buffered; [`super::flush`]
//! writes them later. A batch whose fate is unknown may so be written twice, which newest-wins makes harmless.

use super::Kind;
use super::commands::{self, MAX_FIXES, Recorded, Target, Verdict};
use super::input::Report;
use super::live::{Origin, Outcome as Applied, Update};
use super::patch::ProfilePatch;
use super::profiles;
use super::shared::Shared;
use crate::clock;
use crate::ids::Id;
use crate::runtime::failpoint_of;
use crate::store::{Link, StoreError};
use futures_util::StreamExt;
use futures_util::stream;
use hashbrown::HashMap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{Notify, oneshot};

/// Batches that may be on their way at once: enough that Redis never waits for us, few enough that batches grow.
const IN_FLIGHT: usize = 2;

/// From a batch of this size on there is load, and the next one waits for [`TURNS`] of this thread's other tasks: the answers
/// of the last batch go out and the requests that they bring come in. Otherwise half of the senders would wait in each of
/// two batches by turns, and every batch costs Redis and us a wake-up. Nothing waits for a clock.
const BUSY: usize = 8;
const TURNS: usize = 4;

/// What became of a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Redis has it.
    Stored,
    /// A newer one is there.
    Stale,
    /// In this instance's memory until Redis is back.
    Buffered,
    /// The profile would have too many attributes.
    TooManyAttributes,
    /// The live index has no room for another entity.
    Full,
    /// A panic interrupted its writing: it may or may not be stored.
    Interrupted,
}

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
    /// Fixes accepted and not yet answered.
    held: Cell<usize>,
    wake: Notify,
    closed: Cell<bool>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.closed.set(true);
        self.queue.wake.notify_one();
    }
}

#[derive(Debug)]
struct Pending {
    kind: Kind,
    partition: u16,
    id: Id,
    report: Report,
    ticket: Ticket,
}

/// Whom to tell.
#[derive(Debug)]
enum Ticket {
    One(oneshot::Sender<Outcome>),
    Many(Place),
}

/// A fix of a batch that came in one request.
#[derive(Debug)]
struct Place {
    batch: Rc<Batch>,
    index: usize,
}

#[derive(Debug)]
struct Batch {
    /// Of a fix that is not answered, because of a panic, [`Outcome::Interrupted`].
    outcomes: RefCell<Vec<Outcome>>,
    left: Cell<usize>,
    done: RefCell<Option<oneshot::Sender<Vec<Outcome>>>>,
}

impl Ticket {
    /// Nobody listening any more is no fault: the client has gone.
    fn tell(self, outcome: Outcome) {
        match self {
            Self::One(answer) => drop(answer.send(outcome)),
            Self::Many(place) => place.batch.outcomes.borrow_mut()[place.index] = outcome,
        }
    }
}

impl Drop for Place {
    /// Counts it as answered, by itself or by a panic.
    fn drop(&mut self) {
        let batch = &self.batch;
        batch.left.set(batch.left.get() - 1);
        if batch.left.get() == 0
            && let Some(done) = batch.done.take()
        {
            drop(done.send(batch.outcomes.take()));
        }
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

    /// The connection that it writes over, for other commands of the same thread.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.0.link
    }

    /// What all threads share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Writes one fix and says what became of it.
    ///
    /// # Errors
    /// [`QueueFull`]; nothing was taken then.
    pub async fn write(&self, kind: Kind, id: Id, report: Report) -> Result<Outcome, QueueFull> {
        self.reserve(1)?;
        let (answer, outcome) = oneshot::channel();
        self.push(kind, id, report, Ticket::One(answer));
        self.0.queue.wake.notify_one();
        // Without an answer it was in hand when the task panicked.
        Ok(outcome.await.unwrap_or(Outcome::Interrupted))
    }

    /// Writes many fixes and says what became of each, in order.
    ///
    /// # Errors
    /// [`QueueFull`]; none was taken then.
    pub async fn write_all(&self, kind: Kind, reports: Vec<(Id, Report)>) -> Result<Vec<Outcome>, QueueFull> {
        let count = reports.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        self.reserve(count)?;
        let (done, outcomes) = oneshot::channel();
        let batch = Rc::new(Batch {
            outcomes: RefCell::new(vec![Outcome::Interrupted; count]),
            left: Cell::new(count),
            done: RefCell::new(Some(done)),
        });
        for (index, (id, report)) in reports.into_iter().enumerate() {
            self.push(
                kind,
                id,
                report,
                Ticket::Many(Place {
                    batch: Rc::clone(&batch),
                    index,
                }),
            );
        }
        self.0.queue.wake.notify_one();
        Ok(outcomes
            .await
            .unwrap_or_else(|_ended| vec![Outcome::Interrupted; count]))
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

    fn push(&self, kind: Kind, id: Id, report: Report, ticket: Ticket) {
        let partition = self.0.shared.store.keys().partition(&id);
        self.0.queue.waiting.borrow_mut().push(Pending {
            kind,
            partition,
            id,
            report,
            ticket,
        });
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
        let waiting = queue.waiting.take();
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
        for pending in &waiting {
            failpoint_of("tracking.writer.fix", &pending.id);
        }
        stream::iter(batches(waiting))
            .map(|batch| store(&shared, &link, batch))
            .buffered(IN_FLIGHT)
            .for_each(|()| std::future::ready(()))
            .await;
    }
}

/// Fixes that are being written; when this is dropped there is room for as many others.
struct Held<'a> {
    shared: &'a Shared,
    queue: &'a Queue,
    count: usize,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Self { shared, queue, count } = *self;
        shared.metrics.writer_queued.sub(i64::try_from(count).unwrap_or(0));
        queue.held.set(queue.held.get() - count);
    }
}

/// Sorts fixes into batches of one kind and partition, at most [`MAX_FIXES`] each and no entity twice in one, keeping the
/// order of each entity's fixes.
fn batches(waiting: Vec<Pending>) -> Vec<Vec<Pending>> {
    if waiting.len() == 1 {
        return vec![waiting];
    }
    // The n-th fix of an entity goes to the n-th round of its partition.
    let mut rounds: Vec<((Kind, u16, usize), Vec<Pending>)> = Vec::new();
    let mut places: HashMap<(Kind, u16, usize), usize> = HashMap::new();
    let mut seen: HashMap<(Kind, Id), usize> = HashMap::with_capacity(waiting.len());
    for pending in waiting {
        let times = if let Some(times) = seen.get_mut(&SeenKey(pending.kind, &pending.id)) {
            *times += 1;
            *times
        } else {
            seen.insert((pending.kind, pending.id.clone()), 0);
            0
        };
        let round = (pending.kind, pending.partition, times);
        let place = *places.entry(round).or_insert_with(|| {
            rounds.push((round, Vec::new()));
            rounds.len() - 1
        });
        rounds[place].1.push(pending);
    }
    rounds.sort_by_key(|((_, _, times), _)| *times);
    let mut batches = Vec::with_capacity(rounds.len());
    for (_, mut round) in rounds {
        while round.len() > MAX_FIXES {
            let rest = round.split_off(MAX_FIXES);
            batches.push(std::mem::replace(&mut round, rest));
        }
        batches.push(round);
    }
    batches
}

async fn store(shared: &Shared, link: &Link, batch: Vec<Pending>) {
    let Some(first) = batch.first() else { return };
    let (kind, partition) = (first.kind, first.partition);
    let target = shared.target(kind, partition);
    let fixes: Vec<Recorded<'_>> = batch
        .iter()
        .map(|pending| Recorded {
            id: &pending.id,
            fix: &pending.report.fix,
            patch: pending.report.patch.as_deref(),
        })
        .collect();
    let timer = shared.metrics.redis_seconds.start_timer();
    match commands::record(link, target, &fixes).await {
        Ok((sequence, verdicts)) => {
            timer.observe_duration();
            drop(fixes);
            #[expect(clippy::cast_precision_loss, reason = "a batch has at most 512 fixes")]
            shared.metrics.writer_batch.observe(batch.len() as f64);
            settle(shared, link, target, batch, sequence, &verdicts).await;
        }
        Err(error) => {
            timer.stop_and_discard();
            drop(fixes);
            if !matches!(error, StoreError::Away) && shared.may_warn() {
                tracing::warn!(error = %cause(&error), "a batch could not be written; its fixes wait in memory");
            }
            buffer(shared, kind, batch);
        }
    }
}

/// The whole chain of an error in one line.
fn cause(error: &StoreError) -> String {
    match error {
        StoreError::Lost(source) | StoreError::Refused(source) => format!("{error}: {source}"),
        other => other.to_string(),
    }
}

/// Takes what Redis stored into the live index, then answers.
async fn settle(
    shared: &Shared,
    link: &Link,
    target: Target<'_>,
    batch: Vec<Pending>,
    sequence: u64,
    verdicts: &[Verdict],
) {
    let (kind, live) = (target.kind, shared.live(target.kind));
    let mut updates = Vec::with_capacity(batch.len());
    let mut answers = Vec::with_capacity(batch.len());
    let mut changed: Vec<Id> = Vec::new();
    for (pending, verdict) in batch.into_iter().zip(verdicts) {
        let Pending { id, report, ticket, .. } = pending;
        let outcome = match verdict {
            Verdict::Stored | Verdict::StoredWithProfile => {
                if *verdict == Verdict::StoredWithProfile {
                    changed.push(id.clone());
                }
                updates.push(Update {
                    id,
                    fix: report.fix,
                    seq: sequence,
                });
                Outcome::Stored
            }
            Verdict::Stale => Outcome::Stale,
            Verdict::TooManyAttributes => Outcome::TooManyAttributes,
        };
        answers.push((ticket, outcome));
    }
    let now_ms = clock::now_ms();
    let stored = updates.len();
    let taken = live.apply_each(Origin::Stored, &updates, now_ms, |index, applied| {
        // One that was not known may have a profile from before.
        if applied == Applied::Created {
            changed.push(updates[index].id.clone());
        }
    });
    if taken.full > 0 && shared.may_warn() {
        tracing::warn!(%kind, "the live index is full: Redis has entities that this instance does not answer with");
    }
    profiles::refresh_or_reload(shared, link, kind, target.partition, changed).await;
    let counters = shared.counters(kind);
    counters.stored.inc_by(stored as u64);
    let refused = verdicts
        .iter()
        .filter(|verdict| **verdict == Verdict::TooManyAttributes)
        .count();
    counters.rejected.inc_by(refused as u64);
    counters.stale.inc_by((answers.len() - stored - refused) as u64);
    for (ticket, outcome) in answers {
        ticket.tell(outcome);
    }
}

/// Takes fixes into the live index alone.
fn buffer(shared: &Shared, kind: Kind, batch: Vec<Pending>) {
    let live = shared.live(kind);
    let mut patches: Vec<(Id, Box<ProfilePatch>)> = Vec::new();
    let mut updates = Vec::with_capacity(batch.len());
    let mut tickets = Vec::with_capacity(batch.len());
    for Pending { id, report, ticket, .. } in batch {
        if let Some(patch) = report.patch {
            patches.push((id.clone(), patch));
        }
        updates.push(Update {
            id,
            fix: report.fix,
            seq: 0,
        });
        tickets.push(ticket);
    }
    let mut outcomes = vec![Outcome::Stale; updates.len()];
    let applied = live.apply_each(Origin::Local, &updates, clock::now_ms(), |index, applied| {
        outcomes[index] = match applied {
            Applied::Created | Applied::Applied => Outcome::Buffered,
            Applied::Stale => Outcome::Stale,
            Applied::Full => Outcome::Full,
        };
    });
    let mut patches = patches.into_iter().peekable();
    for (index, update) in updates.iter().enumerate() {
        let Some((id, patch)) = patches.next_if(|(id, _)| *id == update.id) else {
            continue;
        };
        if outcomes[index] != Outcome::Buffered {
            continue;
        }
        // Where it would have too many attributes the fix itself is still good, and what it says of the profile is left out.
        live.patch_profile(&id, &patch);
    }
    let counters = shared.counters(kind);
    counters.buffered.inc_by(applied.fresh as u64);
    counters.stale.inc_by(applied.stale as u64);
    counters.rejected.inc_by(applied.full as u64);
    for (ticket, outcome) in tickets.into_iter().zip(outcomes) {
        ticket.tell(outcome);
    }
}

/// Looks an entity up without cloning its id.
struct SeenKey<'a>(Kind, &'a Id);

impl std::hash::Hash for SeenKey<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        self.1.hash(state);
    }
}

impl hashbrown::Equivalent<(Kind, Id)> for SeenKey<'_> {
    fn equivalent(&self, key: &(Kind, Id)) -> bool {
        self.0 == key.0 && *self.1 == key.1
    }
}
