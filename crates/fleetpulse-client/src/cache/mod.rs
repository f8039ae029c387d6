//! The shared cache: entries with tags, tickets, events, and counters.

mod entry;

use crate::{Client, Error};
use chrono::{DateTime, Utc};
pub use entry::{Batch, BatchAnswer, BatchEntry, BatchState, Entry, EntryState, KeyedEntry, NewEntry, TtlClass};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Permission to store a value that is computed after the ticket was taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Ticket {
    /// The ticket, for [`NewEntry::ticket`].
    pub ticket: String,
    /// How long the ticket can be used, milliseconds.
    pub expires_in_ms: u64,
}

/// An event of an entity. Rules of the service (`CACHE_RULES`) define what it invalidates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// The type of the event, such as `product.updated`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The id of the entity.
    pub entity_id: String,
    /// The type of the entity.
    pub entity_type: Option<String>,
    /// Other data of the event. Rules may use its strings, integers and booleans.
    pub data: Option<Map<String, Value>>,
    /// When the event happened; by default when the service receives it.
    pub timestamp: Option<DateTime<Utc>>,
}

impl Event {
    /// Creates an event of a type and an entity that happens now.
    #[must_use]
    pub fn new(event_type: &str, entity_id: &str) -> Self {
        Self {
            event_type: event_type.to_owned(),
            entity_id: entity_id.to_owned(),
            entity_type: None,
            data: None,
            timestamp: None,
        }
    }
}

/// The effect of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct EventEffect {
    /// The number of tags, namespaces and keys that the rules name for the event.
    pub targets: u64,
    /// The number of these that the event changed.
    pub invalidated: u64,
}

/// A counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Counter {
    /// The value of the counter.
    pub value: i64,
    /// The time until the counter expires, milliseconds.
    pub ends_in_ms: u64,
}

#[derive(Serialize)]
struct Tags<'a> {
    tags: &'a [&'a str],
}

#[derive(Serialize)]
struct TicketRequest<'a> {
    tags: &'a [&'a str],
    lease_ms: Option<u32>,
}

#[derive(Serialize)]
struct Touch {
    ttl_s: u32,
}

#[derive(Serialize)]
struct Addition {
    by: i64,
    ttl_s: Option<u32>,
}

/// Calls about the cache; see [`Client::cache`].
#[derive(Debug, Clone, Copy)]
pub struct Cache<'c> {
    client: &'c Client,
}

impl<'c> Cache<'c> {
    pub(crate) const fn new(client: &'c Client) -> Self {
        Self { client }
    }

    /// Writes an entry. A write with a ticket is not repeated after a lost answer, because the first attempt uses up the ticket.
    ///
    /// # Errors
    /// 409 `cache_superseded` if the ticket does not hold any more: nothing is stored. 422 `validation_failed` for an invalid member, such
    /// as a TTL of 0.
    pub async fn put(self, namespace: &str, key: &str, entry: &NewEntry) -> Result<(), Error> {
        let call = self.client.put(&["v1", "cache", namespace, key])?.json(entry)?;
        let call = if entry.ticket.is_some() {
            call.not_repeatable()
        } else {
            call
        };
        call.done().await
    }

    /// Returns an entry; `None` if there is none.
    ///
    /// # Errors
    /// 409 `cache_corrupt` if Redis holds something else under the key.
    pub async fn get(self, namespace: &str, key: &str) -> Result<Option<Entry>, Error> {
        self.client.get(&["v1", "cache", namespace, key])?.find().await
    }

    /// Extends the TTL of an entry: it is fresh for `ttl_s` seconds from now on.
    ///
    /// # Errors
    /// 404 `not_found` if there is no entry; 409 `cache_corrupt` if Redis holds something else under the key.
    pub async fn touch(self, namespace: &str, key: &str, ttl_s: u32) -> Result<(), Error> {
        let call = self.client.patch(&["v1", "cache", namespace, key])?;
        call.json(&Touch { ttl_s })?.repeatable().done().await
    }

    /// Deletes an entry. The value of a computation in progress is not stored.
    ///
    /// # Errors
    /// 422 `validation_failed` if a name is invalid. To delete an entry that does not exist is not an error.
    pub async fn delete(self, namespace: &str, key: &str) -> Result<(), Error> {
        self.client.delete(&["v1", "cache", namespace, key])?.done().await
    }

    /// Deletes, writes and reads many entries. The batch is not atomic.
    ///
    /// # Errors
    /// 422 `validation_failed` if a member is invalid: nothing is done.
    pub async fn batch(self, namespace: &str, batch: &Batch) -> Result<BatchAnswer, Error> {
        let call = self.client.post(&["v1", "cache", namespace])?;
        call.json(batch)?.repeatable().fetch().await
    }

    /// Invalidates all entries of a namespace.
    ///
    /// # Errors
    /// 422 `validation_failed` if the name is invalid.
    pub async fn invalidate_namespace(self, namespace: &str) -> Result<(), Error> {
        self.client.delete(&["v1", "cache", namespace])?.done().await
    }

    /// Invalidates all entries that have one of the tags.
    ///
    /// # Errors
    /// 422 `validation_failed` if a tag is invalid.
    pub async fn invalidate_tags(self, tags: &[&str]) -> Result<(), Error> {
        let call = self.client.post(&["v1", "cache", "tags", "invalidate"])?;
        call.json(&Tags { tags })?.repeatable().done().await
    }

    /// Reports an event, which invalidates what the rules of the service define.
    ///
    /// # Errors
    /// 422 `validation_failed` if a member is invalid.
    pub async fn report_event(self, event: &Event) -> Result<EventEffect, Error> {
        let call = self.client.post(&["v1", "cache", "events"])?;
        call.json(event)?.repeatable().fetch().await
    }

    /// Takes a ticket before a value is computed. `tags` are the tags that the value will have. With `lease_ms` (up to 300,000 ms) no other
    /// caller gets a ticket with a lease for the key for this time. The call is not repeated after a lost answer, because the first
    /// attempt may have the lease.
    ///
    /// # Errors
    /// 409 `cache_leased` if another caller has the lease, for at most the member `retry_after_ms`.
    pub async fn take_ticket(
        self,
        namespace: &str,
        key: &str,
        tags: &[&str],
        lease_ms: Option<u32>,
    ) -> Result<Ticket, Error> {
        let call = self.client.post(&["v1", "cache", "tickets", namespace, key])?;
        call.json(&TicketRequest { tags, lease_ms })?.fetch().await
    }

    /// Adds `by` to a counter. A counter begins at 0 and then expires after `ttl_s` seconds; later calls do not change its expiry. The call
    /// sends an idempotency key.
    ///
    /// # Errors
    /// 409 `counter_range` if the value would exceed ±(2^53 − 1); 409 `no_counter` if Redis holds something else under the key.
    pub async fn add_to_counter(
        self,
        namespace: &str,
        key: &str,
        by: i64,
        ttl_s: Option<u32>,
    ) -> Result<Counter, Error> {
        let call = self.client.post(&["v1", "cache", "counters", namespace, key])?;
        call.json(&Addition { by, ttl_s })?.keyed().fetch().await
    }

    /// Returns a counter; `None` if there is none.
    ///
    /// # Errors
    /// 409 `no_counter` if Redis holds something else under the key.
    pub async fn counter(self, namespace: &str, key: &str) -> Result<Option<Counter>, Error> {
        let path = ["v1", "cache", "counters", namespace, key];
        self.client.get(&path)?.find().await
    }

    /// Deletes a counter.
    ///
    /// # Errors
    /// 422 `validation_failed` if a name is invalid. To delete a counter that does not exist is not an error.
    pub async fn delete_counter(self, namespace: &str, key: &str) -> Result<(), Error> {
        let path = ["v1", "cache", "counters", namespace, key];
        self.client.delete(&path)?.done().await
    }
}
