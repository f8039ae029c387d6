use crate::Error;
use crate::json::{self, RawValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// An entry to write. At most one of `ttl_s`, `ttl_ms` and `ttl_class` sets how long it is fresh; by default the class `default` does.
#[derive(Debug, Clone, Serialize)]
pub struct NewEntry {
    /// The value: any JSON; see [`json::raw`].
    pub value: Box<RawValue>,
    /// How long the entry is fresh, seconds, up to 2,678,400 (31 days).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u32>,
    /// How long the entry is fresh, milliseconds, up to 2,678,400,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// How long the entry is fresh, by the settings of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_class: Option<TtlClass>,
    /// How long after the TTL the entry is served as stale, seconds; by default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_s: Option<u32>,
    /// How long after the TTL callers may serve the entry if computing it again fails, seconds; by default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_if_error_s: Option<u32>,
    /// Up to 32 tags. To invalidate one of them invalidates the entry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How long an instance may answer from its own memory, milliseconds, up to 60,000; by default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_ms: Option<u32>,
    /// A ticket that was taken before the value was computed; see [`super::Cache::take_ticket`]. It is not allowed in a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

impl NewEntry {
    /// Creates an entry that is fresh for `ttl_s` seconds.
    ///
    /// # Errors
    /// [`Error::Encode`] if the value cannot be written as JSON.
    pub fn new(value: &(impl Serialize + ?Sized), ttl_s: u32) -> Result<Self, Error> {
        Ok(Self {
            value: json::raw(value)?,
            ttl_s: Some(ttl_s),
            ttl_ms: None,
            ttl_class: None,
            stale_s: None,
            stale_if_error_s: None,
            tags: Vec::new(),
            local_ms: None,
            ticket: None,
        })
    }
}

/// A class of TTLs. The settings of the service define how long each is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TtlClass {
    /// `CACHE_TTL_DEFAULT_S`, by default 5 minutes.
    Default,
    /// `CACHE_TTL_STATIC_S`, by default 1 day.
    Static,
    /// `CACHE_TTL_DYNAMIC_S`, by default 5 minutes.
    Dynamic,
    /// `CACHE_TTL_SESSION_S`, by default 30 minutes.
    Session,
    /// `CACHE_TTL_REALTIME_S`, by default 1 minute.
    Realtime,
}

/// An entry of the cache.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// The value as it was written; see [`Entry::read`].
    pub value: Box<RawValue>,
    /// Whether the entry is fresh.
    pub state: EntryState,
    /// The time since the entry was written or its computation began, milliseconds.
    pub age_ms: u64,
    /// How long the entry stays fresh, milliseconds; 0 if it is stale.
    pub ttl_ms: u64,
    /// How long the entry is served, milliseconds.
    pub ends_in_ms: u64,
}

impl Entry {
    /// Reads the value.
    ///
    /// # Errors
    /// [`Error::Decode`] if the value is not a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        json::parse(&self.value)
    }
}

/// Whether an entry is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntryState {
    /// The TTL of the entry is not over.
    Fresh,
    /// The TTL of the entry has ended, and it is still served.
    Stale,
}

/// Many operations in one call: first deletions, then writes, then reads, up to 1,000 of each.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Batch {
    /// The keys to delete.
    pub delete: Vec<String>,
    /// The entries to write.
    pub set: Vec<KeyedEntry>,
    /// The keys to read.
    pub get: Vec<String>,
}

/// An entry to write in a batch.
#[derive(Debug, Clone, Serialize)]
pub struct KeyedEntry {
    /// The key.
    pub key: String,
    /// The entry.
    #[serde(flatten)]
    pub entry: NewEntry,
}

/// What a batch has read.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct BatchAnswer {
    /// One result for each key of [`Batch::get`], in its order.
    pub results: Vec<BatchEntry>,
    /// Whether the results of the last keys are missing because the answer would be too large. Read these keys again.
    #[serde(default)]
    pub truncated: bool,
}

/// The result of one key of a batch.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct BatchEntry {
    /// The key.
    pub key: String,
    /// Whether there is an entry.
    pub state: BatchState,
    /// The value, if there is an entry; see [`BatchEntry::read`].
    pub value: Option<Box<RawValue>>,
}

impl BatchEntry {
    /// Reads the value; `None` if there is no entry.
    ///
    /// # Errors
    /// [`Error::Decode`] if the value is not a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        self.value.as_deref().map(json::parse).transpose()
    }
}

/// Whether there is an entry for a key of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BatchState {
    /// There is an entry whose TTL is not over.
    Fresh,
    /// There is an entry whose TTL has ended, and it is still served.
    Stale,
    /// There is no entry.
    Miss,
    /// Redis holds something else under the key.
    Corrupt,
}
