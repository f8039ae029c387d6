//! Redis: its address, its connections, the names of keys, and scripts. Slices use [`Link`], [`Script`] and [`Keys`], which work the same
//! way in all modes (embedded, standalone). No command, pipeline or script uses keys of several slots.

mod batch;
mod cause;
pub mod embedded;
mod error;
mod give_back;
mod keys;
mod life;
mod link;
mod listen;
mod peer;
mod rejection;
mod room;
mod script;
mod settings;
mod subscription;
mod waiters;

pub use batch::{Batcher, QueueFull};
pub use cause::Cause;
pub use error::StoreError;
pub use keys::Keys;
pub(crate) use keys::fnv1a;
pub use life::watch_life;
pub use link::Link;
pub use listen::{Listener, PING_EVERY};
pub use room::Memory;
pub use script::{Script, deferred};
pub use settings::{RedisSettings, RedisSource, RedisSourceError};
pub use subscription::Subscription;
pub use waiters::{Waiter, Waiting};

use crate::runtime::Supervisor;
use cause::Troubles;
use hashbrown::HashMap;
use life::Life;
use link::WeakLink;
use parking_lot::Mutex;
use peer::Peer;
use redis::aio::{AsyncPushSender, MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, ProtocolVersion};
use rejection::rejection;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The address and state of Redis, shared by everything that opens connections.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>, Supervisor);

#[derive(Debug)]
struct Inner {
    /// `None` without Redis; then no link ever connects.
    clients: Option<Clients>,
    keys: Keys,
    timeout: Duration,
    life: Life,
    troubles: Troubles,
    /// Whether Redis is nearly full by the last measurement, so that nothing new is stored.
    is_nearly_full: AtomicBool,
    /// All links of this store that may be in use.
    links: Mutex<Vec<WeakLink>>,
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
            life: Life::new(),
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
            life: Life::new(),
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

    fn troubles(&self) -> &Troubles {
        &self.0.troubles
    }

    fn add_link(&self, link: WeakLink) {
        let mut links = self.0.links.lock();
        links.retain(WeakLink::is_held);
        links.push(link);
    }

    fn has_link_down(&self) -> bool {
        self.0.links.lock().iter().any(WeakLink::is_down)
    }

    fn giving_back(&self, name: &'static str) -> Arc<Semaphore> {
        let mut all = self.0.giving_back.lock();
        let of_name = all
            .entry(name)
            .or_insert_with(|| Arc::new(Semaphore::new(give_back::MOST_AT_ONCE)));
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
    async fn connect(
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
    async fn subscriber(&self) -> Result<PubSub, StoreError> {
        let Clients { subscriptions, .. } = self.0.clients.as_ref().ok_or(StoreError::Unavailable)?;
        subscriptions.get_async_pubsub().await.map_err(StoreError::classify)
    }
}
