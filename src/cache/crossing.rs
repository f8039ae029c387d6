//! A computation on its way: from the leave to compute, which another instance may have, to the answer for all who wait.

use super::Cache;
use super::entry::Nonce;
use super::error::CacheError;
use super::flights::{Destination, Flight, Outcome};
use super::local::Marks;
use super::look::Found;
use super::model::{Entry, Level, Made, Outage, Policy, Put, Stored};
use super::ticket::{Ticket, Ticketing};
use crate::runtime::caught;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::sleep;

/// The pauses between two looks at what another instance computes: the first doubles up to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// What was seen in Redis when it was decided to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    There(Nonce),
    Nothing,
    /// It is away, and computed is all the same.
    Away,
}

/// A computation on its way. Dropped, as by a panic or with its thread, it tells those who wait, here and elsewhere.
pub(super) struct Crossing {
    pub cache: Cache,
    pub policy: Policy,
    pub destination: Destination,
    pub flight: Arc<Flight>,
    pub seen: Seen,
    /// Where the marks stood before that.
    pub marks: Marks,
}

impl Drop for Crossing {
    fn drop(&mut self) {
        let flights = &self.cache.shared().flights;
        flights.remove(&self.destination, &self.flight);
        flights.end();
        if self.flight.land(Outcome::Lost)
            && let Some(ticket) = self.flight.ticket()
            && let Ok(runtime) = Handle::try_current()
        {
            let (cache, destination) = (self.cache.clone(), self.destination.clone());
            let giving_up = async move {
                if let Ok(name) = destination.name() {
                    cache.give_up(&name, &ticket).await;
                }
            };
            runtime.spawn(caught("cache.give_up", giving_up));
        }
    }
}

impl Crossing {
    pub(super) async fn cross<E, F, C>(self, compute: F)
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> C + 'static,
        C: Future<Output = Result<Made, E>> + 'static,
    {
        let outcome = match self.ticket().await {
            Ok(Ready::Compute(ticket)) => {
                self.flight.depart(ticket.clone());
                self.compute(ticket, compute).await
            }
            Ok(Ready::Found(entry)) => Outcome::Found(entry),
            Err(error) => Outcome::Refused(error),
        };
        // Before those who wait are told: whoever asks from now on finds what is stored.
        self.cache.shared().flights.remove(&self.destination, &self.flight);
        self.flight.land(outcome);
    }

    /// The leave to compute; none with Redis away, if the policy says to compute all the same. Or what another instance has
    /// computed meanwhile.
    async fn ticket(&self) -> Result<Ready, CacheError> {
        let (name, policy) = (self.destination.name()?, &self.policy);
        if self.seen == Seen::Away {
            // It would not answer now either, and may take its time over that.
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
                    // It was written between the look and the ticket: by a computation here that landed, or an instance that
                    // had the lease.
                    return Ok(match self.found_anew().await {
                        Some(entry) => {
                            self.cache.give_up(&name, &ticket).await;
                            Ready::Found(entry)
                        }
                        None => Ready::Compute(Some(ticket)),
                    });
                }
                Ok(Ticketing::Leased(left)) => {
                    // Jitter keeps instances from asking in step. A lease ends by itself if its holder died.
                    let pausing = pause.mul_f64(rand::random_range(0.5..1.0));
                    sleep(pausing.min(left + Duration::from_millis(1))).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    if let Some(entry) = self.found_anew().await {
                        return Ok(Ready::Found(entry));
                    }
                }
                Err(CacheError::Store(_)) if policy.outage == Outage::Compute => return Ok(Ready::Compute(None)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether there lies what was seen when it was decided to compute.
    fn is_as_seen(&self, ticket: &Ticket) -> bool {
        ticket.was_nothing || self.seen == Seen::There(ticket.nonce)
    }

    /// The entry that there is now, if it is fresh and another than before.
    async fn found_anew(&self) -> Option<Entry> {
        let name = self.destination.name().ok()?;
        let look = self.cache.look(&name, &self.policy.put.tags).await.ok()?;
        match &look.found {
            Found::Live(head, entry) if entry.is_fresh() && Seen::There(head.nonce) != self.seen => {
                let entry = entry.clone();
                self.cache.keep(&name, &look);
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
        let counts = shared.namespaces.of(&self.destination.namespace);
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                counts.failed.add(1);
                shared.counted.failed.inc();
                if let (Some(ticket), Ok(name)) = (&ticket, self.destination.name()) {
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
        // Whoever joined has seen what the ticket has, or without one the policy, and nothing of other tags.
        let is_seen = |tag| {
            let of_policy = || self.policy.put.tags.contains(tag);
            ticket.as_ref().map_or_else(of_policy, |ticket| ticket.knows(tag))
        };
        let for_all = made.put.as_ref().is_none_or(|put| put.tags.iter().all(is_seen));
        if let Some(kept) = self.save(&entry.bytes, made.put, ticket, cost).await {
            entry = kept;
        }
        Outcome::Made { entry, for_all }
    }

    /// Stores a computed value, if it is to be and can be. That it is not is no reason not to hand it out.
    async fn save(&self, bytes: &Bytes, put: Option<Put>, ticket: Option<Ticket>, cost: Duration) -> Option<Entry> {
        let name = self.destination.name().ok()?;
        let Some(put) = put else {
            if let Some(ticket) = ticket {
                self.cache.give_up(&name, &ticket).await;
            }
            return None;
        };
        let ticket = ticket?;
        // Drawn once: this process keeps it for no longer than the others, and its callers are told the same. Of a lifetime
        // that is not allowed there is nothing to draw.
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
        // The marks are of the policy's tags alone.
        if !put.local.is_zero() && put.tags.iter().all(|tag| self.policy.put.tags.contains(tag)) {
            let shared = self.cache.shared();
            let counts = shared.namespaces.of(namespace);
            shared.local.keep(&name, &entry, stored, put.local, marks, &counts);
        }
        Some(entry)
    }
}

/// What there is to do.
enum Ready {
    /// Compute, and store with this ticket.
    Compute(Option<Ticket>),
    /// Nothing: it was found.
    Found(Entry),
}
