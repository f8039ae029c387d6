//! Writes, deletions and invalidations. Each publishes what it changed, so that every instance removes it from its memory.

use super::Cache;
use super::commands::{self, Written};
use super::entry::{Head, Nonce};
use super::error::CacheError;
use super::key_state::Found;
use super::local::Marks;
use super::model::{Name, Put, Stored, Tag};
use super::settings::MAX_TTL;
use super::subject::{Message, Subject};
use super::ticket::{TICKET_LIFE, Ticket};
use crate::clock::whole_ms;
use crate::ids::Id;
use crate::store::{Listener as _, StoreError};
use serde::Serialize;
use std::time::{Duration, Instant};

impl Cache {
    /// Stores a value: with a ticket, if the ticket still holds; without one unconditionally, as a value of now.
    ///
    /// The version of a tag that the ticket does not cover must be older than the ticket. Otherwise the tag may have been invalidated since,
    /// and the value is superseded; the next value with the tag is stored.
    ///
    /// # Errors
    /// [`CacheError::TooBig`], [`CacheError::Ttl`], [`CacheError::TooManyTags`], [`CacheError::Key`]: nothing is stored.
    /// [`CacheError::Store`].
    pub async fn store(
        &self,
        namespace: &Id,
        key: &str,
        bytes: &[u8],
        put: &Put,
        ticket: Option<Ticket>,
    ) -> Result<Stored, CacheError> {
        let name = Name::new(namespace, key)?;
        if let Some(ticket) = ticket {
            return self.store_computed(&name, bytes, put, &ticket, None).await;
        }
        put.check()?;
        self.check_size(bytes.len())?;
        self.put_all(&[name], &[bytes], put).await?;
        Ok(Stored::Stored)
    }

    /// Writes a value under a ticket. Updates `marks` to those under which the value may be kept in this process.
    pub(super) async fn store_computed(
        &self,
        name: &Name<'_>,
        bytes: &[u8],
        put: &Put,
        ticket: &Ticket,
        marks: Option<&mut Marks>,
    ) -> Result<Stored, CacheError> {
        let checked = put
            .check()
            .and_then(|()| self.check_size(bytes.len()))
            .and_then(|()| Ok(self.link().store().room()?));
        if let Err(error) = checked {
            self.give_up(name, ticket).await;
            return Err(error);
        }
        let stored = self.store_with(name, bytes, put, ticket).await;
        // In every case, so that this process no longer serves the old value.
        self.shared().local.forget(name.subject, marks);
        stored
    }

    async fn store_with(
        &self,
        name: &Name<'_>,
        bytes: &[u8],
        put: &Put,
        ticket: &Ticket,
    ) -> Result<Stored, CacheError> {
        let cost = ticket.taken.elapsed();
        // Also if this future is dropped because the client has disconnected.
        let mut give_back = self.give_up_unless_settled(name, ticket);
        let stored = match self.depending(name, put, ticket).await {
            Ok(Some(tags)) => {
                // By Redis's clock, and never ahead of it, so that no entry is fresh for longer than requested.
                let now_ms = ticket.made_ms.saturating_add(whole_ms(ticket.granted.elapsed()));
                let head = head(put, now_ms, ticket.made_ms, cost, ticket.namespace, tags);
                let written = Written::new(&head, bytes, now_ms);
                let stored = commands::store(self.link(), name, ticket.nonce, &written, ticket.lease).await;
                stored.map_err(CacheError::from)
            }
            Ok(None) => Ok(Stored::Superseded),
            Err(error) => Err(error),
        };
        let namespaces = &self.shared().namespaces;
        match stored {
            Ok(Stored::Stored) => {
                let counts = namespaces.of(name.namespace);
                counts.stored.add(1);
                counts.stored_bytes.add(bytes.len() as u64);
            }
            Ok(Stored::Superseded) => {
                namespaces.if_named(name.namespace).superseded.add(1);
                self.give_up(name, ticket).await;
            }
            Err(_) => self.give_up(name, ticket).await,
        }
        give_back.settle();
        stored
    }

    /// Stores a value unconditionally.
    ///
    /// # Errors
    /// As [`Self::store`], and [`CacheError::NotJson`].
    pub async fn set<T: Serialize + ?Sized>(
        &self,
        namespace: &Id,
        key: &str,
        value: &T,
        put: &Put,
    ) -> Result<(), CacheError> {
        let bytes = json(value)?;
        self.store(namespace, key, &bytes, put, None).await.map(drop)
    }

    /// Stores values under keys of a namespace unconditionally; those of a partition in one call.
    ///
    /// # Errors
    /// As [`Self::set`]: nothing is stored. After [`CacheError::Store`] some of them may be.
    pub async fn set_many<T: Serialize>(
        &self,
        namespace: &Id,
        values: &[(&str, T)],
        put: &Put,
    ) -> Result<(), CacheError> {
        let bytes: Vec<Vec<u8>> = values.iter().map(|(_, value)| json(value)).collect::<Result<_, _>>()?;
        let keys = values.iter().map(|(key, _)| *key);
        let values: Vec<_> = keys.zip(bytes.iter().map(Vec::as_slice)).collect();
        self.store_many(namespace, &values, put).await
    }

    /// Stores bytes, as [`Self::set_many`] does.
    ///
    /// # Errors
    /// As [`Self::set_many`].
    pub async fn store_many(&self, namespace: &Id, values: &[(&str, &[u8])], put: &Put) -> Result<(), CacheError> {
        let names = values.iter().map(|(key, _)| Name::new(namespace, key));
        let names: Vec<Name<'_>> = names.collect::<Result<_, _>>()?;
        put.check()?;
        for (_, bytes) in values {
            self.check_size(bytes.len())?;
        }
        let bytes: Vec<&[u8]> = values.iter().map(|(_, bytes)| *bytes).collect();
        self.put_all(&names, &bytes, put).await
    }

    async fn put_all(&self, names: &[Name<'_>], values: &[&[u8]], put: &Put) -> Result<(), CacheError> {
        let Some(first) = names.first() else { return Ok(()) };
        self.link().store().room()?;
        let version_keys = self.version_keys(first.namespace, &put.tags);
        let versions = commands::versions(self.link(), &version_keys, put.life() + TICKET_LIFE).await?;
        let answered = Instant::now();
        let mut nonces = versions.all.iter().map(|version| version.nonce);
        let namespace = nonces.next().ok_or(CacheError::Busy)?;
        let tags: Vec<_> = put.tags.iter().cloned().zip(nonces).collect();
        // By Redis's clock, and never ahead of it, so that no entry is fresh for longer than requested.
        let now_ms = versions.now_ms.saturating_add(whole_ms(answered.elapsed()));
        let written = values.iter().map(|value| {
            let head = head(put, now_ms, versions.now_ms, Duration::ZERO, namespace, tags.clone());
            Written::new(&head, value, now_ms)
        });
        let written: Vec<_> = written.collect();
        let keys = self.link().store().keys();
        let keys: Vec<_> = names
            .iter()
            .map(|name| keys.cache_entry(name.namespace, name.key))
            .collect();
        let message = Message::of(names.iter().map(|name| name.subject));
        // The clock of Redis is past this when the callers have stopped waiting for an answer.
        let until_ms = now_ms.saturating_add(whole_ms(self.link().store().timeout()));
        let answer = commands::put(self.link(), &keys, &written, until_ms, &message).await;
        // Also after an error: if the answer was lost, the values may have been written.
        self.shared().local.receive(message.bytes());
        answer?;
        let counts = self.shared().namespaces.of(first.namespace);
        counts.stored.add(names.len() as u64);
        counts
            .stored_bytes
            .add(values.iter().map(|value| value.len() as u64).sum());
        Ok(())
    }

    /// Deletes the entry of a key. The value of a computation in progress is not stored.
    ///
    /// # Errors
    /// [`CacheError::Store`], [`CacheError::Key`].
    pub async fn delete(&self, namespace: &Id, key: &str) -> Result<(), CacheError> {
        self.delete_many(namespace, &[key]).await
    }

    /// Deletes the entries of many keys of a namespace; those of a partition in one call.
    ///
    /// # Errors
    /// As [`Self::delete`]; some of them may be deleted.
    pub async fn delete_many(&self, namespace: &Id, keys: &[&str]) -> Result<(), CacheError> {
        self.drop_many(namespace, keys).await.map(drop)
    }

    /// Deletes the entries of many keys. Returns how many there were.
    pub(super) async fn drop_many(&self, namespace: &Id, keys: &[&str]) -> Result<u64, CacheError> {
        let names = keys.iter().map(|key| Name::new(namespace, key));
        let names: Vec<Name<'_>> = names.collect::<Result<_, _>>()?;
        let message = Message::of(names.iter().map(|name| name.subject));
        let keys = self.link().store().keys();
        let keys: Vec<_> = names
            .iter()
            .map(|name| keys.cache_entry(name.namespace, name.key))
            .collect();
        let answer = commands::drop_all(self.link(), &keys, &message).await;
        self.forget(&message, answer)
    }

    /// Makes the entry of a key fresh for `ttl` from now on. Returns whether there is one.
    ///
    /// # Errors
    /// As [`Self::get`], and [`CacheError::Ttl`].
    pub async fn touch(&self, namespace: &Id, key: &str, ttl: Duration) -> Result<bool, CacheError> {
        Put::fresh_for(ttl).check()?;
        let name = Name::new(namespace, key)?;
        let look = self.read_key(&name, &[]).await?;
        let head = match look.found {
            Found::Live(head, entry) if !entry.stale_for.is_zero() => head,
            Found::Live(..) | Found::Nothing => return Ok(false),
            Found::Corrupt => return Err(CacheError::Corrupt),
        };
        let life = ttl + Duration::from_millis(head.afterlife_ms());
        let tags: Vec<Tag> = head.tags.iter().map(|(tag, _)| tag.clone()).collect();
        let keys = self.version_keys(namespace, &tags);
        let versions = commands::versions(self.link(), &keys, life + TICKET_LIFE).await?;
        let fresh_until_ms = versions.now_ms.saturating_add(whole_ms(ttl));
        let answer = commands::touch(self.link(), &name, head.nonce, fresh_until_ms, life).await;
        self.shared().local.receive(Message::of([name.subject]).bytes());
        Ok(answer?)
    }

    /// Invalidates everything in a namespace, by one write.
    ///
    /// # Errors
    /// [`CacheError::Store`].
    pub async fn clear(&self, namespace: &Id) -> Result<(), CacheError> {
        let key = self.link().store().keys().cache_namespace(namespace);
        let message = Message::of([Subject::namespace(namespace)]);
        let answer = commands::drop_all(self.link(), &[key], &message).await;
        self.forget(&message, answer).map(drop)
    }

    /// Invalidates everything with one of these tags, by one write for each tag.
    ///
    /// # Errors
    /// [`CacheError::Store`]; some of them may be invalidated.
    pub async fn invalidate(&self, tags: &[Tag]) -> Result<(), CacheError> {
        let keys = self.link().store().keys();
        let keys: Vec<_> = tags.iter().map(|tag| keys.cache_tag(tag)).collect();
        let message = Message::of(tags.iter().map(Subject::tag));
        let answer = commands::drop_all(self.link(), &keys, &message).await;
        self.forget(&message, answer).map(drop)
    }

    /// Removes the subjects from the memory of this process. Also after an error: if the answer was lost, they may be invalidated.
    pub(super) fn forget<T>(&self, message: &Message, answer: Result<T, StoreError>) -> Result<T, CacheError> {
        self.shared().local.receive(message.bytes());
        self.shared().counted.invalidations.inc();
        Ok(answer?)
    }

    pub(super) fn check_size(&self, bytes: usize) -> Result<(), CacheError> {
        let most = usize::try_from(self.shared().settings().max_value_bytes).unwrap_or(usize::MAX);
        if bytes > most {
            return Err(CacheError::TooBig { bytes, most });
        }
        Ok(())
    }
}

/// Returns the header of an entry that is stored at `now_ms`, ms of Redis's clock.
fn head(put: &Put, now_ms: u64, made_ms: u64, cost: Duration, namespace: Nonce, tags: Vec<(Tag, Nonce)>) -> Head {
    let ms = |duration: Duration| u32::try_from(duration.min(MAX_TTL).as_millis()).unwrap_or(u32::MAX);
    Head {
        nonce: Nonce::random(),
        made_ms,
        fresh_until_ms: now_ms.saturating_add(whole_ms(put.drawn_ttl())),
        stale_ms: ms(put.stale_while_revalidate),
        error_ms: ms(put.stale_if_error),
        cost_us: u32::try_from(cost.as_micros()).unwrap_or(u32::MAX),
        local_ms: ms(put.local),
        namespace,
        tags,
    }
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CacheError> {
    serde_json::to_vec(value).map_err(|error| CacheError::NotJson(error.to_string()))
}
