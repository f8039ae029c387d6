//! Tickets: what is noted before a value is computed, so that whatever happens meanwhile shows when it is stored.

use super::Cache;
use super::commands::{self, Asked};
use super::entry::Nonce;
use super::error::CacheError;
use super::model::{MAX_TAGS, Name, Put, Tag};
use crate::ids::Id;
use crate::runtime::caught;
use crate::store::{Placed, StoreError};
use std::time::{Duration, Instant};
use tokio::time::timeout_at;

/// For how long what lies under a key is kept for the sake of a ticket: a computation that takes longer is not stored.
pub(super) const TICKET_LIFE: Duration = Duration::from_mins(5);

/// What lay under a key, and what its value will depend on, before the value is computed.
#[derive(Debug, Clone)]
pub struct Ticket {
    pub(super) nonce: Nonce,
    /// Nothing lay there, and the nonce is of the ticket's own mark.
    pub(super) was_nothing: bool,
    /// Redis's clock, ms.
    pub(super) made_ms: u64,
    /// Before Redis was asked for it, and when it had answered.
    pub(super) taken: Instant,
    pub(super) granted: Instant,
    pub(super) namespace: Nonce,
    pub(super) tags: Vec<(Tag, Nonce)>,
    /// For how long what depends on the versions may live, from when the ticket was taken.
    pub(super) life: Duration,
    pub(super) lease: Option<Nonce>,
}

impl Ticket {
    /// Whether it notes the version of a tag.
    pub(super) fn knows(&self, tag: &Tag) -> bool {
        self.tags.iter().any(|(other, _)| other == tag)
    }
}

/// What came of asking for a ticket.
#[derive(Debug)]
pub(super) enum Ticketing {
    Granted(Ticket),
    /// Somebody else has it, for at most so long.
    Leased(Duration),
}

impl Cache {
    /// To be taken before a value is computed: [`Self::store`] then writes the value only if the key was neither written nor
    /// deleted meanwhile, and readers take it only for as long as nothing that it depends on was invalidated since. Good
    /// for five minutes.
    ///
    /// # Errors
    /// [`CacheError::Store`], [`CacheError::Key`], [`CacheError::TooManyTags`].
    pub async fn ticket(&self, namespace: &Id, key: &str, tags: &[Tag]) -> Result<Ticket, CacheError> {
        let name = Name::new(namespace, key)?;
        match self.ticket_for(&name, tags, TICKET_LIFE, None).await? {
            Ticketing::Granted(ticket) => Ok(ticket),
            // Not asked for.
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
        let (taken, life) = (Instant::now(), life + TICKET_LIFE);
        let lease = lease.map(|lasting| (Nonce::random(), lasting));
        let keys = self.version_keys(name.namespace, tags);
        let both = tokio::try_join!(
            commands::ticket(self.link(), name, TICKET_LIFE, lease),
            commands::versions(self.link(), &keys, life),
        );
        let (asked, versions) = match both {
            Ok(both) => both,
            Err(error) => {
                // The lease may have been taken all the same, by a call whose answer was lost or not waited for. With Redis away
                // none was sent; else each call would leave a task behind until it is there again.
                if let Some((token, lasting)) = lease
                    && !matches!(error, StoreError::Away)
                {
                    self.give_up_behind(name, token, lasting);
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
            Asked::Leased(left) => return Ok(Ticketing::Leased(left)),
        };
        let mut nonces = versions.all.iter().map(|version| version.nonce);
        let namespace = nonces.next().ok_or(CacheError::Busy)?;
        Ok(Ticketing::Granted(Ticket {
            nonce,
            was_nothing,
            made_ms: now_ms.min(versions.now_ms),
            taken,
            granted,
            namespace,
            tags: tags.iter().cloned().zip(nonces).collect(),
            life,
            lease: lease.map(|(token, _)| token),
        }))
    }

    /// The versions of the tags of a computed value, as they were before it was computed; `None` if they are not, or nobody
    /// knows.
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

    /// Ends the lease of a ticket whose value is not stored, if it has one.
    pub(super) async fn give_up(&self, name: &Name<'_>, ticket: &Ticket) {
        if let Some(token) = ticket.lease
            && let Err(error) = commands::give_up(self.link(), name, token).await
        {
            tracing::debug!(%error, "a lease of the cache is left to end by itself");
        }
    }

    /// Ends a lease that nobody may know of, in the background: else nobody would compute before its time is over. Once more
    /// if that fails, when Redis is there again; then it is left to end by itself.
    fn give_up_behind(&self, name: &Name<'_>, token: Nonce, lasting: Duration) {
        let (cache, namespace, key) = (self.clone(), name.namespace.clone(), name.key.to_owned());
        let giving_up = async move {
            let ends = Instant::now() + lasting;
            let Ok(name) = Name::new(&namespace, &key) else { return };
            let given_up = commands::give_up(cache.link(), &name, token).await;
            if given_up.is_err()
                && timeout_at(ends.into(), cache.link().connected()).await.is_ok()
                && let Err(error) = commands::give_up(cache.link(), &name, token).await
            {
                tracing::debug!(%error, "a lease of the cache is left to end by itself");
            }
        };
        tokio::spawn(caught("cache.give_up", giving_up));
    }

    pub(super) fn version_keys(&self, namespace: &Id, tags: &[Tag]) -> Vec<Placed> {
        let keys = self.link().store().keys();
        let tags = tags.iter().map(|tag| keys.cache_tag(tag));
        [keys.cache_namespace(namespace)].into_iter().chain(tags).collect()
    }
}
