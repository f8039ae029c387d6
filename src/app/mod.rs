//! Settings → store → slices → workers → HTTP server. [`Application::build`] returns a service that knows the port it bound;
//!  [`Application::run`] serves until a stop is requested, then stops in phases (`stop`).

mod error;
mod listen;
mod metrics;
mod parts;
mod settings;
mod slices;
mod stop;

pub use error::AppError;
pub use settings::Settings;
pub use slices::{SliceSettings, document, routes};

use crate::http::Edge;
use crate::runtime::{Connections, Phases, StopReason, Supervisor};
use crate::store::embedded::{Embedded, EmbeddedError, EmbeddedSettings, half_of_memory};
use crate::store::{Keys, Link, RedisSource, Store};
use crate::telemetry::HealthRegistry;
use crate::wiring::Process;
use actix_web::dev::Server;
use listen::Http;
use metrics::Metrics;
use parts::Parts;
use slices::Slices;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A service that is ready to run.
pub struct Application {
    server: Server,
    address: SocketAddr,
    redis: Redis,
    parts: Arc<Parts>,
    connections: Connections,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application")
            .field("address", &self.address)
            .field("redis", &self.redis)
            .finish_non_exhaustive()
    }
}

/// The Redis server behind the store.
#[derive(Debug)]
enum Redis {
    Embedded(Box<Embedded>),
    Elsewhere,
    NotInstalled,
}

impl Application {
    /// Starts the embedded Redis if there is one, and binds the port. It serves nothing yet.
    ///
    /// # Errors
    /// [`AppError`]. An unavailable Redis is not an error.
    pub async fn build(settings: &Settings) -> Result<Self, AppError> {
        Self::check(settings)?;
        let metrics = Metrics::register()?;
        let keys = Keys::new(&settings.redis.key_prefix, 1);
        let components = Arc::new(HealthRegistry::default());
        let supervisor = Supervisor::new(Phases::default(), Arc::clone(&components), metrics.task_restarts);
        let (store, redis) = open_store(settings, keys).await?;
        let store = store.supervised_by(&supervisor);
        let link = Link::open(&store);
        check_layout(&link, store.timeout()).await?;

        let process = Process {
            store,
            link,
            components,
            registry: metrics.registry,
            redis_full_percent: settings.redis.full_percent,
        };
        let parts = Arc::new(Parts::new(settings, process, Arc::clone(&metrics.http))?);
        let connections = Connections::default();
        let http = Http {
            settings: settings.http.clone(),
            parts: Arc::clone(&parts),
            edge: Edge::new(settings.http.rules(), &metrics.http.refused_requests),
            connections: connections.clone(),
            refused: metrics.http.refused_requests.clone(),
        };
        let (server, address) = http.serve()?;
        parts.start_tasks();
        Ok(Self {
            server,
            address,
            redis,
            parts,
            connections,
        })
    }

    /// Checks that settings do not contradict each other, without opening anything.
    ///
    /// # Errors
    /// An [`AppError`] that [is of settings](AppError::is_of_settings).
    pub fn check(settings: &Settings) -> Result<(), AppError> {
        settings.redis.source()?;
        Slices::check(&settings.slices)?;
        Ok(())
    }

    /// Returns the address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the folder of the embedded Redis, if there is one.
    #[must_use]
    pub fn data_folder(&self) -> Option<&std::path::Path> {
        match &self.redis {
            Redis::Embedded(embedded) => Some(embedded.folder()),
            Redis::Elsewhere | Redis::NotInstalled => None,
        }
    }

    /// Returns whether it runs without Redis.
    #[must_use]
    pub const fn is_without_redis(&self) -> bool {
        matches!(self.redis, Redis::NotInstalled)
    }

    /// Serves until `stop` resolves, then stops in phases: see [`Phase`](crate::runtime::Phase).
    ///
    /// # Errors
    /// [`AppError::Server`].
    pub async fn run(self, stop: impl Future<Output = StopReason>) -> Result<(), AppError> {
        let embedded = match self.redis {
            Redis::Embedded(embedded) => Some(*embedded),
            Redis::Elsewhere | Redis::NotInstalled => None,
        };
        stop::serve_until(self.server, embedded, &self.parts, &self.connections, stop).await
    }
}

async fn open_store(settings: &Settings, keys: Keys) -> Result<(Store, Redis), AppError> {
    let timeout = settings.redis.timeout();
    let open = |address, keys| Store::new(address, keys, timeout).map_err(AppError::Store);
    match settings.redis.source()? {
        RedisSource::Standalone(address) => Ok((open(*address, keys)?, Redis::Elsewhere)),
        RedisSource::Embedded => {
            let embedded = EmbeddedSettings {
                binary: settings.redis.server_bin.clone(),
                append_fsync: settings.redis.append_fsync.unwrap_or_default(),
                max_memory_bytes: settings.redis.max_memory.unwrap_or_else(half_of_memory),
                ..EmbeddedSettings::new(&settings.data_dir)
            };
            match Embedded::start(&embedded).await {
                Ok(embedded) => Ok((
                    open(embedded.connection_info(), keys)?,
                    Redis::Embedded(Box::new(embedded)),
                )),
                Err(EmbeddedError::NotInstalled) => {
                    tracing::warn!("{}", EmbeddedError::NotInstalled);
                    tracing::warn!("running without Redis, in memory only: positions are lost when the service stops");
                    Ok((Store::absent(keys), Redis::NotInstalled))
                }
                Err(error) => Err(AppError::Embedded(error)),
            }
        }
    }
}

/// Writes the number of partitions at the first start, and compares it with the settings at later starts. Does not wait for an unavailable
/// Redis.
async fn check_layout(link: &Link, timeout: Duration) -> Result<(), AppError> {
    if tokio::time::timeout(timeout, link.connected()).await.is_err() {
        return Ok(());
    }
    let keys = link.store().keys();
    let mut cmd = redis::cmd("SET");
    cmd.arg(keys.layout()).arg(keys.partitions()).arg("NX").arg("GET");
    match link.query::<Option<u16>>(&cmd).await {
        Ok(Some(found)) if found != keys.partitions() => Err(AppError::Layout {
            found,
            wanted: keys.partitions(),
        }),
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "the layout of the data could not be checked");
            Ok(())
        }
    }
}
