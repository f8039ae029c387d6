//! Takes tickets, ends their leases, and finds the versions that a computed value depends on.

use super::Cache;
use super::commands::{self, Asked};
use super::entry::Nonce;
use super::error::CacheError;
use super::keys::Placed;
use super::model::{Name, Put, Tag};
use super::settings::MAX_TAGS;
use super::ticket::{TICKET_LIFE, Ticket};
use crate::ids::Id;
use crate::runtime::{GiveBack, Undelivered};
use crate::store::StoreError;
use std::time::{Duration, Instant};

/// The answer to a request for a ticket.
#[derive(Debug)]
pub(super) enum Ticketing {
    Granted(Undelivered<Ticket>),
    /// Another caller has the lease, for at most this time.
    Leased(Duration),
}

impl Cache {
    /// Takes a ticket before a value is computed: [`Self::store`] then writes the value only if the key was neither written nor
    /// deleted since then, and readers use it only as long as nothing that it depends on was invalidated since. A ticket is
    /// valid for five minutes.
    ///
    /// # Errors
    /// [`CacheError::Store`], [`CacheError::Key`], [`CacheError::TooManyTags`].
    pub async fn ticket(&self, namespace: &Id, key: &str, tags: &[Tag]) -> Result<Ticket, CacheError> {
        let name = Name::new(namespace, key)?;
        match self.ticket_for(&name, tags, TICKET_LIFE, None).await? {
            Ticketing::Granted(ticket) => Ok(ticket.deliver()),
            // Not requested.
            Ticketing::Leased(_) => Err(CacheError::Busy),
        }
    }

    pub(super) async fn ticket_for(
        &self,
        name: &Name<'_>,
        tags: &[Tag],
        life: Duration,
        lease: Option<Duration>,
    ) -> Result<Ticketing, CacheError> {
        if tags.len() > MAX_TAGS {
            return Err(CacheError::TooManyTags);
        }
        self.link().store().room()?;
        let (taken, life) = (Instant::now(), life + TICKET_LIFE);
        let lease = lease.map(|lasting| (Nonce::random(), lasting));
        // Also if the answer is lost, or this is dropped because the client has disconnected.
        let mut give_back = lease.map_or_else(GiveBack::nothing, |(token, lasting)| {
            self.give_up_unless_delivered(name, token, lasting)
        });
        let was_up = self.link().is_up();
        let keys = self.version_keys(name.namespace, tags);
        let both = tokio::try_join!(
            commands::ticket(self.link(), name, TICKET_LIFE, lease),
            commands::versions(self.link(), &keys, life),
        );
        let (asked, versions) = match both {
            Ok(both) => both,
            Err(error) => {
                // If Redis is unavailable, nothing was sent. Otherwise each call would leave a task until Redis is available again.
                if matches!(error, StoreError::Unavailable) && !was_up {
                    give_back.settle();
                }
                return Err(error.into());
            }
        };
        let granted = Instant::now();
        let (nonce, now_ms, was_nothing) = match asked {
            Asked::Granted {
                nonce,
                now_ms,
                was_nothing,
            } => (nonce, now_ms, was_nothing),
            Asked::Leased(left) => {
                give_back.settle();
                return Ok(Ticketing::Leased(left));
            }
        };
        let mut nonces = versions.all.iter().map(|version| version.nonce);
        let namespace = nonces.next().ok_or(CacheError::Busy)?;
        let ticket = Ticket {
            nonce,
            was_nothing,
            made_ms: now_ms.min(versions.now_ms),
            taken,
            granted,
            namespace,
            tags: tags.iter().cloned().zip(nonces).collect(),
            life,
            lease: lease.map(|(token, _)| token),
        };
        Ok(Ticketing::Granted(Undelivered::new(ticket, give_back)))
    }

    /// Returns the versions that the tags of a computed value had before the computation; `None` if they changed or are unknown.
    pub(super) async fn depending(
        &self,
        name: &Name<'_>,
        put: &Put,
        ticket: &Ticket,
    ) -> Result<Option<Vec<(Tag, Nonce)>>, CacheError> {
        let known = |tag: &Tag| {
            ticket
                .tags
                .iter()
                .find(|(other, _)| other == tag)
                .map(|(_, nonce)| *nonce)
        };
        let lives_on = ticket.taken.elapsed() + put.life() <= ticket.life;
        if lives_on && put.tags.iter().all(|tag| known(tag).is_some()) {
            let tags = put.tags.iter().map(|tag| Some((tag.clone(), known(tag)?)));
            return Ok(tags.collect());
        }
        let keys = self.version_keys(name.namespace, &put.tags);
        let versions = commands::versions(self.link(), &keys, put.life()).await?.all;
        let Some((namespace, of_tags)) = versions.split_first() else {
            return Ok(None);
        };
        if namespace.nonce != ticket.namespace {
            return Ok(None);
        }
        let tags = put.tags.iter().zip(of_tags).map(|(tag, version)| {
            let is_upheld = match known(tag) {
                Some(nonce) => nonce == version.nonce,
                None => version.born_ms < ticket.made_ms,
            };
            is_upheld.then(|| (tag.clone(), version.nonce))
        });
        Ok(tags.collect())
    }

    /// Ends the lease of a ticket whose value is not stored, if it has one; in the background if Redis does not answer, or this is
    /// dropped.
    pub(super) async fn give_up(&self, name: &Name<'_>, ticket: &Ticket) {
        let Some(token) = ticket.lease else { return };
        let mut give_back = self.give_up_unless_settled(name, ticket);
        match commands::give_up(self.link(), name, token).await {
            Ok(()) => give_back.settle(),
            Err(error) => tracing::debug!(%error, "a lease of the cache is released later"),
        }
    }

    /// Ends the lease of a ticket in the background, if it has one, unless that is settled.
    pub(super) fn give_up_unless_settled(&self, name: &Name<'_>, ticket: &Ticket) -> GiveBack {
        ticket.lease.map_or_else(GiveBack::nothing, |token| {
            // No lease lasts longer.
            self.give_up_unless_delivered(name, token, TICKET_LIFE)
        })
    }

    /// Ends a lease in the background whose caller may not have received it; otherwise it blocks other callers until it expires.
    fn give_up_unless_delivered(&self, name: &Name<'_>, token: Nonce, lasting: Duration) -> GiveBack {
        let (link, namespace, key) = (self.link().clone(), name.namespace.clone(), name.key.to_owned());
        GiveBack::new(move || {
            link.give_back("cache.give_up", lasting, move |link| {
                let (namespace, key) = (namespace.clone(), key.clone());
                async move {
                    match Name::new(&namespace, &key) {
                        Ok(name) => commands::give_up(&link, &name, token).await,
                        // It has been one.
                        Err(_) => Ok(()),
                    }
                }
            });
        })
    }

    pub(super) fn version_keys(&self, namespace: &Id, tags: &[Tag]) -> Vec<Placed> {
        let keys = self.link().store().keys();
        let tags = tags.iter().map(|tag| keys.cache_tag(tag));
        [keys.cache_namespace(namespace)].into_iter().chain(tags).collect()
    }
}
