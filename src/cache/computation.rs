//! Runs a computation: takes a ticket, waits if another instance has the lease, computes, stores, and answers all waiting callers.

use super::Cache;
use super::entry::Nonce;
use super::error::CacheError;
use super::key_state::Found;
use super::local::Marks;
use super::model::{Entry, Level, Made, Outage, Policy, Put, Stored};
use super::single_flight::{ComputationKey, InFlight, Outcome};
use super::ticket::Ticket;
use super::ticketing::Ticketing;
use crate::runtime::caught;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::sleep;

/// Pauses between two reads of a value that another instance computes: the first one, doubled up to the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// What was read from Redis when the computation was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    There(Nonce),
    Nothing,
    /// Redis is unavailable, and the policy is to compute anyway.
    Unavailable,
}

/// A running computation. If it is dropped, by a panic or with its thread, the waiting callers get [`Outcome::Lost`] and the lease ends.
pub(super) struct Computation {
    pub cache: Cache,
    pub policy: Policy,
    pub key: ComputationKey,
    pub in_flight: Arc<InFlight>,
    pub seen: Seen,
    /// The local marks before that.
    pub marks: Marks,
}

impl Drop for Computation {
    fn drop(&mut self) {
        let single_flight = &self.cache.shared().single_flight;
        single_flight.remove(&self.key, &self.in_flight);
        single_flight.end();
        if self.in_flight.finish(Outcome::Lost)
            && let Some(ticket) = self.in_flight.ticket()
            && let Ok(runtime) = Handle::try_current()
        {
            let (cache, key) = (self.cache.clone(), self.key.clone());
            let giving_up = async move {
                if let Ok(name) = key.name() {
                    cache.give_up(&name, &ticket).await;
                }
            };
            runtime.spawn(caught("cache.give_up", giving_up));
        }
    }
}

impl Computation {
    pub(super) async fn run<E, F, C>(self, compute: F)
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> C + 'static,
        C: Future<Output = Result<Made, E>> + 'static,
    {
        let outcome = match self.ticket().await {
            Ok(Ready::Compute(ticket)) => {
                self.in_flight.begin(ticket.clone());
                self.compute(ticket, compute).await
            }
            Ok(Ready::Found(entry)) => Outcome::Found(entry),
            Err(error) => Outcome::Refused(error),
        };
        // Before the waiting callers are answered: later callers find the stored value.
        self.cache.shared().single_flight.remove(&self.key, &self.in_flight);
        self.in_flight.finish(outcome);
    }

    /// Takes a ticket, or finds what another instance has computed in the meantime. There is no ticket if Redis is unavailable and the policy
    /// is to compute anyway.
    async fn ticket(&self) -> Result<Ready, CacheError> {
        let (name, policy) = (self.key.name()?, &self.policy);
        if self.seen == Seen::Unavailable {
            // A second attempt would only take another timeout.
            return Ok(Ready::Compute(None));
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let life = policy.put.life();
            match self.cache.ticket_for(&name, &policy.put.tags, life, policy.lease).await {
                Ok(Ticketing::Granted(ticket)) => {
                    let ticket = ticket.deliver();
                    if self.is_as_seen(&ticket) {
                        return Ok(Ready::Compute(Some(ticket)));
                    }
                    // It was written between the read and the ticket: by a computation of this process, or an instance that had the
                    // lease.
                    return Ok(match self.found_again().await {
                        Some(entry) => {
                            self.cache.give_up(&name, &ticket).await;
                            Ready::Found(entry)
                        }
                        None => Ready::Compute(Some(ticket)),
                    });
                }
                Ok(Ticketing::Leased(left)) => {
                    // Jitter keeps instances from polling at the same time. A lease expires if its holder crashed.
                    let pausing = pause.mul_f64(rand::random_range(0.5..1.0));
                    sleep(pausing.min(left + Duration::from_millis(1))).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    if let Some(entry) = self.found_again().await {
                        return Ok(Ready::Found(entry));
                    }
                }
                Err(CacheError::Store(_)) if policy.outage == Outage::Compute => return Ok(Ready::Compute(None)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns whether the key is as it was when the computation was started.
    fn is_as_seen(&self, ticket: &Ticket) -> bool {
        ticket.was_nothing || self.seen == Seen::There(ticket.nonce)
    }

    /// Returns the current entry if it is fresh and newer than the one that was read.
    async fn found_again(&self) -> Option<Entry> {
        let name = self.key.name().ok()?;
        let state = self.cache.read_key(&name, &self.policy.put.tags).await.ok()?;
        match &state.found {
            Found::Live(head, entry) if entry.is_fresh() && Seen::There(head.nonce) != self.seen => {
                let entry = entry.clone();
                self.cache.keep(&name, &state);
                Some(entry)
            }
            _ => None,
        }
    }

    async fn compute<E, F, C>(&self, ticket: Option<Ticket>, compute: F) -> Outcome
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> C,
        C: Future<Output = Result<Made, E>>,
    {
        let began = Instant::now();
        let made = compute().await;
        let cost = began.elapsed();
        let shared = self.cache.shared();
        let counts = shared.namespaces.of(&self.key.namespace);
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                counts.failed.add(1);
                shared.counted.failed.inc();
                if let (Some(ticket), Ok(name)) = (&ticket, self.key.name()) {
                    self.cache.give_up(&name, ticket).await;
                }
                return Outcome::Failed(Arc::new(error));
            }
        };
        counts.computed.add(1);
        shared.counted.computed.inc();
        let mut entry = Entry {
            bytes: made.bytes,
            age: cost,
            fresh_for: Duration::ZERO,
            stale_for: Duration::ZERO,
            error_for: Duration::ZERO,
            cost,
            level: Level::Shared,
        };
        // Followers compared the tags of the ticket, or of the policy if there is none, and no other tags.
        let is_seen = |tag| {
            let of_policy = || self.policy.put.tags.contains(tag);
            ticket
                .as_ref()
                .map_or_else(of_policy, |ticket| ticket.has_version_of(tag))
        };
        let for_all = made.put.as_ref().is_none_or(|put| put.tags.iter().all(is_seen));
        if let Some(kept) = self.save(&entry.bytes, made.put, ticket, cost).await {
            entry = kept;
        }
        Outcome::Made { entry, for_all }
    }

    /// Stores a computed value if it is to be stored. A failure does not keep the callers from getting it.
    async fn save(&self, bytes: &Bytes, put: Option<Put>, ticket: Option<Ticket>, cost: Duration) -> Option<Entry> {
        let name = self.key.name().ok()?;
        let Some(put) = put else {
            if let Some(ticket) = ticket {
                self.cache.give_up(&name, &ticket).await;
            }
            return None;
        };
        let ticket = ticket?;
        // Jitter is drawn once, so that this process, the others and the callers have the same expiry. An invalid TTL has no jitter to
        // draw.
        let put = match put.check() {
            Ok(()) => Put {
                ttl: put.drawn_ttl(),
                jitter: 0.0,
                ..put
            },
            Err(_) => put,
        };
        let (namespace, mut marks) = (name.namespace, self.marks.clone());
        match self
            .cache
            .store_computed(&name, bytes, &put, &ticket, Some(&mut marks))
            .await
        {
            Ok(Stored::Stored) => {}
            Ok(Stored::Superseded) => return None,
            Err(error) => {
                tracing::debug!(%error, %namespace, "a computed value is not stored");
                return None;
            }
        }
        let stored = Instant::now();
        let entry = Entry::computed(bytes.clone(), &put, cost);
        // The marks cover the policy's tags only.
        if !put.local.is_zero() && put.tags.iter().all(|tag| self.policy.put.tags.contains(tag)) {
            let shared = self.cache.shared();
            let counts = shared.namespaces.of(namespace);
            shared.local.keep(&name, &entry, stored, put.local, marks, &counts);
        }
        Some(entry)
    }
}

/// What to do next.
enum Ready {
    /// Compute, and store with this ticket.
    Compute(Option<Ticket>),
    /// Nothing: a value was found.
    Found(Entry),
}
