use super::cause::{Cause, Troubles};
use super::error::StoreError;
use super::generation::Generation;
use super::keys::Keys;
use super::peer::Peer;
use super::phase::Phase;
use super::rejection::rejection;
use crate::runtime::Supervisor;
use hashbrown::HashMap;
use parking_lot::Mutex;
use redis::aio::{AsyncPushSender, MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, ProtocolVersion, RedisError};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// The maximum number of releases in progress under one name. What is not released then is left to expire.
const MOST_GIVEN_BACK_AT_ONCE: usize = 10_000;
/// How long after a refused command the refusal is reported. This is longer than the pause between two attempts to write buffered
/// positions, so that a permanent refusal is reported without interruption.
const REFUSES_FOR: Duration = Duration::from_secs(3);

/// The address and state of Redis, shared by everything that opens connections.
#[derive(Debug, Clone)]
pub struct Store(pub(super) Arc<Inner>, Supervisor);

#[derive(Debug)]
pub(super) struct Inner {
    /// `None` without Redis; then no link ever connects.
    clients: Option<Clients>,
    keys: Keys,
    timeout: Duration,
    generation: Generation,
    troubles: Troubles,
    /// Whether Redis is nearly full by the last measurement, so that nothing new is stored.
    pub(super) is_nearly_full: AtomicBool,
    /// The phases of all links of this store that may be in use.
    links: Mutex<Vec<watch::Receiver<Phase>>>,
    /// Bounds the releases in progress by name, so that those of one slice do not use up the permits of another.
    giving_back: Mutex<HashMap<&'static str, Arc<Semaphore>>>,
}

#[derive(Debug)]
struct Clients {
    /// Uses RESP3, because only then the client library reports the end of a connection.
    commands: Client,
    subscriptions: Client,
}

impl Store {
    /// Creates a store for an address; opens nothing yet. `timeout` bounds a connection attempt and a reply.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the client library refuses the address.
    pub fn new(address: ConnectionInfo, keys: Keys, timeout: Duration) -> Result<Self, StoreError> {
        let keys = keys.in_database(address.redis_settings().db());
        let tcp = address.tcp_settings().clone().set_nodelay(true);
        let address = address.set_tcp_settings(tcp);
        let login = address.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let commands = Client::open(address.clone().set_redis_settings(login)).map_err(StoreError::Refused)?;
        let subscriptions = Client::open(address).map_err(StoreError::Refused)?;
        let inner = Inner {
            clients: Some(Clients {
                commands,
                subscriptions,
            }),
            keys,
            timeout,
            generation: Generation::new(),
            troubles: Troubles::default(),
            is_nearly_full: AtomicBool::new(false),
            links: Mutex::default(),
            giving_back: Mutex::default(),
        };
        Ok(Self(Arc::new(inner), Supervisor::default()))
    }

    /// Creates a store without Redis: every call fails with [`StoreError::Unavailable`].
    #[must_use]
    pub fn absent(keys: Keys) -> Self {
        let inner = Inner {
            clients: None,
            keys,
            timeout: Duration::ZERO,
            generation: Generation::new(),
            troubles: Troubles::default(),
            is_nearly_full: AtomicBool::new(false),
            links: Mutex::default(),
            giving_back: Mutex::default(),
        };
        Self(Arc::new(inner), Supervisor::default())
    }

    /// Returns the same store with its tasks under `supervisor`. By default a store has a supervisor of its own.
    #[must_use]
    pub fn supervised_by(self, supervisor: &Supervisor) -> Self {
        Self(self.0, supervisor.clone())
    }

    /// Returns the supervisor of the long-lived tasks that work on this store.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.1
    }

    /// Returns whether the settings name a Redis.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.0.clients.is_some()
    }

    /// Returns the builder of key and channel names.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Adds a link by its phase.
    pub(super) fn add_link(&self, phase: watch::Receiver<Phase>) {
        let mut links = self.0.links.lock();
        links.retain(is_in_use);
        links.push(phase);
    }

    fn has_link_down(&self) -> bool {
        let links = self.0.links.lock();
        links
            .iter()
            .any(|phase| is_in_use(phase) && *phase.borrow() == Phase::Down)
    }

    pub(super) fn giving_back(&self, name: &'static str) -> Arc<Semaphore> {
        let mut all = self.0.giving_back.lock();
        let of_name = all
            .entry(name)
            .or_insert_with(|| Arc::new(Semaphore::new(MOST_GIVEN_BACK_AT_ONCE)));
        Arc::clone(of_name)
    }

    /// Returns how long a reply may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Opens a connection and checks that Redis answers commands, which it does not while it loads its data.
    /// `pushed` receives the push messages of the server and of the client library, finally the disconnection. `before` are abandoned
    /// connections: Redis is requested to close them, so that no command in transit on one of them is executed any more.
    pub(super) async fn connect(
        &self,
        pushed: impl AsyncPushSender,
        before: &[Peer],
    ) -> Result<(MultiplexedConnection, Option<Peer>), StoreError> {
        let Clients { commands: client, .. } = self.0.clients.as_ref().ok_or(StoreError::Unavailable)?;
        let config = AsyncConnectionConfig::new()
            .set_push_sender(pushed)
            .set_connection_timeout(Some(self.0.timeout))
            .set_response_timeout(Some(self.0.timeout));
        let mut connection = match client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => connection,
            Err(error) if error.is_connection_dropped() && !error.is_connection_refusal() => {
                let rejected = rejection(client.get_connection_info().addr()).await;
                return Err(StoreError::classify(rejected.unwrap_or(error)));
            }
            Err(error) => return Err(StoreError::classify(error)),
        };
        let _: () = redis::cmd("PING")
            .query_async(&mut connection)
            .await
            .map_err(StoreError::classify)?;
        for peer in before {
            peer.close(&mut connection).await?;
        }
        let peer = Peer::of(&mut connection).await?;
        Ok((connection, peer))
    }

    /// Opens a connection for subscriptions.
    pub(super) async fn subscriber(&self) -> Result<PubSub, StoreError> {
        let Clients { subscriptions, .. } = self.0.clients.as_ref().ok_or(StoreError::Unavailable)?;
        subscriptions.get_async_pubsub().await.map_err(StoreError::classify)
    }
}

impl Store {
    /// Returns the generation: how often Redis was found flushed or replaced. What was cached under another number is outdated.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation.current()
    }

    /// Notifies of each change of [`Self::generation`].
    #[must_use]
    pub fn generations(&self) -> watch::Receiver<u64> {
        self.0.generation.changes()
    }

    pub(super) fn begin_generation(&self) {
        self.0.generation.begin();
    }
}

impl Store {
    /// Notes that Redis refused a command that the service needs.
    pub(super) fn note_refusal(&self, error: &RedisError) {
        tracing::debug!(%error, "Redis refused a command");
        *self.0.troubles.refused.lock() = Some((Instant::now(), Cause::of(error)));
    }

    /// Notes why an attempt to connect failed.
    pub(super) fn note_unreachable(&self, error: &StoreError) {
        if let StoreError::Lost(error) | StoreError::Refused(error) = error {
            *self.0.troubles.unreachable.lock() = Some((Instant::now(), Cause::of(error)));
        }
    }

    /// Returns why a call failed.
    #[must_use]
    pub fn cause(&self, error: &StoreError) -> Cause {
        match error {
            StoreError::Lost(error) | StoreError::Refused(error) => Cause::of(error),
            StoreError::Unavailable => self
                .unreachable()
                .unwrap_or(Cause::without_code("Redis is unavailable")),
            StoreError::Full | StoreError::Interrupted | StoreError::Answer(_) => {
                Cause::without_code(error.to_string())
            }
        }
    }

    /// Returns why connections cannot be made. A failure that is older than the time of two attempts does not count.
    fn unreachable(&self) -> Option<Cause> {
        let failed = self.0.troubles.unreachable.lock().clone();
        let lately = 2 * self.timeout() + REFUSES_FOR;
        failed.filter(|(at, _)| at.elapsed() < lately).map(|(_, cause)| cause)
    }

    /// Returns why calls of this process fail though others succeed: a command was refused within the last seconds, or a connection
    /// cannot be made.
    #[must_use]
    pub fn trouble(&self) -> Option<Cause> {
        let refused = self.0.troubles.refused.lock().clone();
        let recent = refused.filter(|(at, _)| at.elapsed() < REFUSES_FOR);
        recent
            .map(|(_, cause)| cause)
            .or_else(|| self.has_link_down().then(|| self.cause(&StoreError::Unavailable)))
    }
}

/// Returns whether the link with this phase is still in use. The sender is dropped with its link.
fn is_in_use(phase: &watch::Receiver<Phase>) -> bool {
    phase.has_changed().is_ok()
}
