//! The state of a pool. It reads only the monotonic clock.

use super::attempt::{Ended, Running};
use super::context::Lease;
use super::{JobFailure, Outcome, Pool};
use crate::jobs::{End, JobsError, LeaseRequest, Leased, MAX_BATCH, Retry, SettleOutcome, Settlement};
use compact_str::CompactString;
use futures_util::future::{BoxFuture, pending};
use futures_util::stream::{self, FuturesUnordered};
use futures_util::{FutureExt, StreamExt};
use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;
use tokio::sync::SetOnce;
use tokio::time::Instant;

/// Maximum number of jobs that one call leases or settles. Such a call blocks Redis for some four milliseconds.
const BATCH: usize = 500;
/// Prefetched jobs are run within this time at the rate of the last jobs,
const AHEAD: Duration = Duration::from_millis(8);
/// which is measured over at least this,
const WINDOW: Duration = Duration::from_millis(5);
/// and are at most this many.
const MAX_AHEAD: usize = 1_000;
/// The number of ends that justify a second call while one is in progress.
const WORTH: usize = 16;
/// How long the pool starts handlers before it polls anything else.
const TURN: Duration = Duration::from_millis(2);
/// How long the pool waits for jobs in one call.
const WAIT: Duration = Duration::from_secs(30);
/// A job that is not started within this time, or a third of the lease, is released, because another worker may have a free place.
const STUCK: Duration = Duration::from_secs(1);
/// The number of leases that are extended concurrently.
const EXTENDING: usize = 64;
/// The pause after a call that failed; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Work {
    pool: Pool,
    kinds: Vec<CompactString>,
    /// Leased jobs that are not started.
    waiting: VecDeque<(Leased, Arc<Lease>)>,
    running: FuturesUnordered<Running>,
    /// Ends that are not settled yet.
    ended: Vec<Settlement>,
    /// Calls in progress.
    calls: FuturesUnordered<BoxFuture<'static, Called>>,
    /// The call that waits for jobs.
    waiter: Option<BoxFuture<'static, Called>>,
    /// Set when the waiting call has to stop.
    stopping: Arc<SetOnce<()>>,
    extending: Option<BoxFuture<'static, ()>>,
    /// The number of jobs that calls in progress request.
    asked: usize,
    /// Whether the last call got fewer jobs than it requested; the next one then waits.
    is_dry: bool,
    /// The number of ends in the last call.
    last: usize,
    ahead: usize,
    window: Instant,
    ended_in_window: usize,
    pause: Duration,
    pause_until: Option<Instant>,
    is_stopping: bool,
    is_cut_off: bool,
}

/// An answered call.
struct Called {
    at: Instant,
    asked: usize,
    sent: Vec<Settlement>,
    answer: Result<(Vec<SettleOutcome>, Vec<Leased>), JobsError>,
}

impl Work {
    pub fn new(pool: Pool) -> Self {
        Self {
            kinds: pool.registry.kinds(),
            pool,
            waiting: VecDeque::new(),
            running: FuturesUnordered::new(),
            ended: Vec::new(),
            calls: FuturesUnordered::new(),
            waiter: None,
            stopping: Arc::default(),
            extending: None,
            asked: 0,
            is_dry: false,
            last: 0,
            ahead: 0,
            window: Instant::now(),
            ended_in_window: 0,
            pause: FIRST_PAUSE,
            pause_until: None,
            is_stopping: false,
            is_cut_off: false,
        }
    }

    /// Starts waiting jobs while there are free places, and polls each once. Returns whether more jobs can be started.
    pub fn begin(&mut self) -> bool {
        let start = Instant::now();
        let mut task = TaskContext::from_waker(Waker::noop());
        while self.running.len() < self.pool.settings.concurrency {
            let Some((leased, lease)) = self.waiting.pop_front() else {
                return false;
            };
            if lease.is_lost() {
                self.pool.metrics.lost.inc();
                continue;
            }
            let Some(handler) = self.pool.registry.get(&leased.kind) else {
                // Another worker runs this type.
                self.release(&lease);
                continue;
            };
            match Running::begin(&leased, &lease, handler.as_ref(), &self.pool.jobs) {
                Err(panic) => self.end(&lease, Ended::Panicked(panic)),
                Ok(mut running) => match Pin::new(&mut running).poll(&mut task) {
                    Poll::Ready((lease, ended)) => self.end(&lease, ended),
                    // It is polled again there, with a real waker.
                    Poll::Pending => self.running.push(running),
                },
            }
            if self.ended.len().is_multiple_of(32) && start.elapsed() > TURN {
                return !self.waiting.is_empty();
            }
        }
        false
    }

    /// Adds the end of an attempt.
    fn end(&mut self, lease: &Lease, ended: Ended) {
        let metrics = &self.pool.metrics;
        let failed = |error: String| End::Fail {
            error,
            retry: Retry::Policy,
        };
        self.ended_in_window += 1;
        let end = match ended {
            Ended::Ran(Ok(outcome)) => {
                metrics.completed.inc();
                match outcome {
                    Outcome::Done => End::Complete { result: None },
                    Outcome::Result(result) => End::Complete { result: Some(result) },
                    Outcome::Then { kind, payload, delay } => End::Then {
                        // The validator needs the type of a new payload.
                        kind: match kind {
                            Some(kind) => Some(CompactString::const_new(kind)),
                            None => payload.is_some().then(|| lease.kind.clone()),
                        },
                        payload,
                        delay,
                    },
                }
            }
            Ended::Ran(Err(JobFailure { error, retry })) => {
                match retry {
                    Retry::Uncounted(_) => metrics.released.inc(),
                    _ => metrics.failed.inc(),
                }
                End::Fail { error, retry }
            }
            Ended::Panicked(message) => {
                metrics.panicked.inc();
                tracing::error!(job = %lease.id, "{message}");
                failed(message)
            }
            Ended::TimedOut(limit) => {
                metrics.timed_out.inc();
                failed(format!("not done in {} ms", limit.as_millis()))
            }
            Ended::Lost if self.is_cut_off => {
                metrics.released.inc();
                End::Release
            }
            Ended::Lost => {
                metrics.lost.inc();
                return;
            }
        };
        self.ended.push(Settlement {
            id: lease.id.clone(),
            token: lease.token,
            end,
        });
    }

    /// Makes the calls to Redis that are due.
    pub fn call(&mut self) {
        if self.pause_until.is_some() {
            return;
        }
        let elapsed = self.window.elapsed();
        if elapsed >= WINDOW {
            let within = AHEAD.as_nanos() * self.ended_in_window as u128 / elapsed.as_nanos();
            self.ahead = usize::try_from(within).map_or(MAX_AHEAD, |within| within.min(MAX_AHEAD));
            (self.window, self.ended_in_window) = (Instant::now(), 0);
        }
        let most = self.pool.settings.concurrency + self.ahead;
        let held = self.running.len() + self.waiting.len() + self.asked;
        let mut want = most.saturating_sub(held);
        // Two calls may be answered in either order, so a single worker, which keeps the order, makes one.
        let keeps_order = self.pool.settings.concurrency == 1;
        if self.is_stopping || self.kinds.is_empty() || (keeps_order && self.asked > 0) {
            want = 0;
        }
        let is_due = match self.calls.len() {
            0 => !self.ended.is_empty(),
            1 => self.ended.len() >= WORTH.max(self.last / 2),
            _ => false,
        };
        if is_due {
            let ask = if self.is_dry { 0 } else { want.min(BATCH) };
            want -= ask;
            self.settle(ask);
        }
        let nothing_comes = self.calls.is_empty() && self.ended.is_empty();
        let is_room = want > most / 2 && !keeps_order;
        if want > 0 && self.waiter.is_none() && (self.is_dry || nothing_comes || is_room) {
            self.wait(want.min(BATCH));
        }
    }

    fn request(&self, count: usize, wait: Duration) -> LeaseRequest {
        LeaseRequest {
            count,
            lease: self.pool.settings.lease,
            wait,
            kinds: self.kinds.clone(),
        }
    }

    fn settle(&mut self, ask: usize) {
        let rest = self.ended.split_off(self.ended.len().min(MAX_BATCH));
        let sent = mem::replace(&mut self.ended, rest);
        self.last = sent.len();
        self.asked += ask;
        let (jobs, queue) = (self.pool.jobs.clone(), self.pool.queue.clone());
        let next = (ask > 0).then(|| self.request(ask, Duration::ZERO));
        let at = Instant::now();
        self.calls.push(Box::pin(async move {
            let answer = jobs.settle(&queue, sent.clone(), next.as_ref()).await;
            Called {
                at,
                asked: ask,
                sent,
                answer,
            }
        }));
    }

    fn wait(&mut self, ask: usize) {
        self.asked += ask;
        let (jobs, queue) = (self.pool.jobs.clone(), self.pool.queue.clone());
        let request = self.request(ask, WAIT);
        let stopping = Arc::clone(&self.stopping);
        self.waiter = Some(Box::pin(async move {
            let stop = async {
                stopping.wait().await;
            };
            let (at, answer) = match jobs.lease_unless(&queue, &request, stop).await {
                Ok((at, leased)) => (at, Ok((Vec::new(), leased))),
                Err(error) => (Instant::now(), Err(error)),
            };
            Called {
                at,
                asked: ask,
                sent: Vec::new(),
                answer,
            }
        }));
    }

    /// Waits for the next event and handles it.
    pub async fn next(&mut self) {
        tokio::select! {
            Some(called) = self.calls.next() => self.called(called),
            called = or_never(&mut self.waiter) => {
                self.waiter = None;
                let got_no_jobs = matches!(&called.answer, Ok((_, leased)) if leased.is_empty());
                self.called(called);
                // Without a pause, a call that returns at once without jobs would be repeated in a busy loop.
                if got_no_jobs && !self.is_stopping {
                    self.pause_until = Some(Instant::now() + FIRST_PAUSE);
                }
            }
            () = or_never(&mut self.extending) => self.extending = None,
            Some((lease, ended)) = self.running.next() => {
                self.end(&lease, ended);
                // Other attempts that have ended go in the same call.
                while let Some(Some((lease, ended))) = self.running.next().now_or_never() {
                    self.end(&lease, ended);
                }
            }
        }
    }

    fn called(&mut self, called: Called) {
        let Called {
            at,
            asked,
            sent,
            answer,
        } = called;
        self.asked -= asked;
        match answer {
            Ok((outcomes, leased)) => {
                self.pause = FIRST_PAUSE;
                let is_lost = |outcome: &&SettleOutcome| matches!(outcome, SettleOutcome::NotYours(_));
                self.pool
                    .metrics
                    .late
                    .inc_by(outcomes.iter().filter(is_lost).count() as u64);
                if asked > 0 {
                    self.is_dry = leased.len() < asked;
                }
                for leased in leased {
                    self.take(leased, at);
                }
            }
            Err(error) => self.failed(error, sent),
        }
    }

    fn take(&mut self, leased: Leased, at: Instant) {
        let lease = Lease::new(&leased, at, self.pool.settings.lease);
        if self.is_stopping {
            self.release(&lease);
        } else {
            self.waiting.push_back((leased, Arc::new(lease)));
        }
    }

    fn release(&mut self, lease: &Lease) {
        self.pool.metrics.released.inc();
        self.ended.push(Settlement {
            id: lease.id.clone(),
            token: lease.token,
            end: End::Release,
        });
    }

    /// Queues the ends of a failed call again: for a call after a pause, without those that were refused.
    fn failed(&mut self, error: JobsError, mut sent: Vec<Settlement>) {
        let fail = |settlement: &mut Settlement, error: String| {
            settlement.end = End::Fail {
                error,
                retry: Retry::Policy,
            };
        };
        match error {
            JobsError::Store(error) => tracing::debug!(%error, "a call about jobs failed and is made again"),
            JobsError::Invalid(faults) if !sent.is_empty() => {
                let mut stale = Vec::new();
                for fault in faults {
                    let Some(settlement) = sent.get(fault.index) else {
                        continue;
                    };
                    if fault.member == "id" {
                        // The job was leased again before its first end was settled, so the first end is obsolete.
                        let earlier = sent[..fault.index].iter().position(|other| other.id == settlement.id);
                        stale.push(earlier.unwrap_or(fault.index));
                    } else {
                        let message = format!("its end is invalid: {}: {}", fault.member, fault.detail);
                        fail(&mut sent[fault.index], message);
                    }
                }
                stale.sort_unstable();
                stale.dedup();
                for index in stale.into_iter().rev() {
                    sent.remove(index);
                }
            }
            error if !sent.is_empty() => {
                for settlement in &mut sent {
                    if matches!(settlement.end, End::Then { .. }) {
                        fail(settlement, error.to_string());
                    }
                }
            }
            error => tracing::error!(%error, "no jobs can be leased"),
        }
        sent.append(&mut self.ended);
        self.ended = sent;
        self.pause_until = Some(Instant::now() + self.pause.mul_f64(rand::random_range(0.5..1.0)));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Returns when calls resume after a failure.
    pub const fn pause_until(&self) -> Option<Instant> {
        self.pause_until
    }

    pub const fn resume(&mut self) {
        self.pause_until = None;
    }

    /// Extends leases after a third of their duration, drops expired leases, and releases jobs that wait for too long behind slow jobs.
    pub fn maintain_leases(&mut self) {
        let (now, lease_time) = (Instant::now(), self.pool.settings.lease);
        // The first was leased first.
        while let Some((_, lease)) = self
            .waiting
            .pop_front_if(|(_, lease)| now - lease.start > STUCK.min(lease_time / 3))
        {
            if lease.is_lost() {
                self.pool.metrics.lost.inc();
            } else {
                self.release(&lease);
            }
        }
        let waiting = self.waiting.iter().map(|(_, lease)| lease);
        let mut due = Vec::new();
        for lease in waiting.chain(self.running.iter().map(|running| &running.lease)) {
            let until = *lease.until.lock();
            if until <= now {
                lease.lose();
            } else if until - now <= lease_time * 2 / 3 && lease.ends.is_none_or(|ends| until < ends) {
                due.push(Arc::clone(lease));
            }
        }
        if due.is_empty() || self.extending.is_some() {
            return;
        }
        let jobs = self.pool.jobs.clone();
        self.extending = Some(Box::pin(async move {
            let each = |lease: Arc<Lease>| {
                let jobs = jobs.clone();
                async move {
                    let at = Instant::now();
                    match jobs.extend(&lease.id, lease.token, lease_time).await {
                        Ok(_) => lease.extended(at, lease_time),
                        Err(JobsError::NotYours(_) | JobsError::Unknown) => lease.lose(),
                        // Retried at the next tick.
                        Err(error) => tracing::debug!(%error, job = %lease.id, "a lease could not be extended"),
                    }
                }
            };
            stream::iter(due).for_each_concurrent(EXTENDING, each).await;
        }));
    }

    /// Stops leasing, and releases jobs that are not started.
    pub fn stop(&mut self) {
        self.is_stopping = true;
        // The waiting call is not dropped, because jobs of a call in progress have to be released. It may be set twice.
        let _ = self.stopping.set(());
        for (_, lease) in mem::take(&mut self.waiting) {
            self.release(&lease);
        }
    }

    /// Drops running handlers, and releases their jobs.
    pub fn cut_off(&mut self) {
        self.is_cut_off = true;
        for running in &self.running {
            running.lease.lose();
        }
    }

    pub const fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// Returns whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        self.running.is_empty() && self.ended.is_empty() && self.calls.is_empty() && self.waiter.is_none()
    }
}

async fn or_never<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}
