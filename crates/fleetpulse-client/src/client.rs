use crate::attempt::Observer;
use crate::builder::ClientBuilder;
use crate::cache::Cache;
use crate::call::Call;
use crate::inventory::Inventory;
use crate::jobs::Jobs;
use crate::limits::Limits;
use crate::locks::Locks;
use crate::sessions::Sessions;
use crate::tracking::{Kind, Tracking};
use crate::{Error, RetryPolicy};
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use std::sync::Arc;
use std::time::Duration;

/// A client of one service. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
    /// The key of the caller; without one, each call that sends a key generates it.
    idempotency_key: Option<HeaderValue>,
}

#[derive(Debug)]
pub struct Inner {
    pub http: reqwest::Client,
    pub base: Url,
    pub authorization: Option<HeaderValue>,
    /// Maximum duration of one attempt.
    pub timeout: Duration,
    pub max_answer_bytes: usize,
    pub retry: RetryPolicy,
    pub observer: Option<Observer>,
}

impl Client {
    /// Creates a client with the default settings. The URL may have a path, for example behind a proxy.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn new(base_url: &str) -> Result<Self, Error> {
        Self::builder(base_url).build()
    }

    /// Creates the settings of a client.
    pub fn builder(base_url: &str) -> ClientBuilder {
        ClientBuilder::new(base_url)
    }

    pub(crate) fn of(inner: Inner) -> Self {
        let inner = Arc::new(inner);
        Self {
            inner,
            idempotency_key: None,
        }
    }

    /// Returns a client whose calls send this `Idempotency-Key` instead of a generated one, where the service supports it. Use it for one
    /// operation that may be repeated after a restart of the caller.
    ///
    /// # Errors
    /// [`Error::Argument`] if the key is empty, longer than 256 bytes, or has control characters.
    pub fn with_idempotency_key(&self, key: &str) -> Result<Self, Error> {
        let is_short = (1..=256).contains(&key.len());
        let value = HeaderValue::try_from(key).ok().filter(|_| is_short);
        let wrong =
            || Error::Argument("an idempotency key must have 1 to 256 bytes and no control characters".to_owned());
        Ok(Self {
            inner: Arc::clone(&self.inner),
            idempotency_key: Some(value.ok_or_else(wrong)?),
        })
    }

    /// Returns the calls about the positions of one kind of entity.
    #[must_use]
    pub fn tracking(&self, kind: Kind) -> Tracking<'_> {
        Tracking::new(self, kind)
    }

    /// Returns the calls about stock and reservations.
    #[must_use]
    pub fn inventory(&self) -> Inventory<'_> {
        Inventory::new(self)
    }

    /// Returns the calls about sessions.
    #[must_use]
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions::new(self)
    }

    /// Returns the calls about jobs and queues.
    #[must_use]
    pub fn jobs(&self) -> Jobs<'_> {
        Jobs::new(self)
    }

    /// Returns the calls about the cache.
    #[must_use]
    pub fn cache(&self) -> Cache<'_> {
        Cache::new(self)
    }

    /// Returns the calls about locks.
    #[must_use]
    pub fn locks(&self) -> Locks<'_> {
        Locks::new(self)
    }

    /// Returns the calls about rate limits.
    #[must_use]
    pub fn limits(&self) -> Limits<'_> {
        Limits::new(self)
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    pub(crate) fn idempotency_key(&self) -> Option<&HeaderValue> {
        self.idempotency_key.as_ref()
    }

    pub(crate) fn get(&self, path: &[&str]) -> Result<Call<'_>, Error> {
        Call::new(self, Method::GET, path)
    }

    pub(crate) fn post(&self, path: &[&str]) -> Result<Call<'_>, Error> {
        Call::new(self, Method::POST, path)
    }

    pub(crate) fn put(&self, path: &[&str]) -> Result<Call<'_>, Error> {
        Call::new(self, Method::PUT, path)
    }

    pub(crate) fn patch(&self, path: &[&str]) -> Result<Call<'_>, Error> {
        Call::new(self, Method::PATCH, path)
    }

    pub(crate) fn delete(&self, path: &[&str]) -> Result<Call<'_>, Error> {
        Call::new(self, Method::DELETE, path)
    }
}
