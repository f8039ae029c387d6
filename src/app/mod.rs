//! Settings → store → slices → workers → HTTP server. [`Application::build`] gives a service that knows the port it bound;
//! [`Application::run`] serves until it is told to stop, then drains.

mod own_work;
mod parts;
mod warm;

use crate::config::{HttpSettings, RedisSource, RedisSourceError, RuleError, Settings};
use crate::http::remember_connection;
use crate::jobs::presets::webhook::WebhookError;
use crate::limits::{self, Gate, Guard};
use crate::outgoing::CallError;
use crate::store::embedded::{Embedded, EmbeddedError, EmbeddedSettings};
use crate::store::{Keys, Link, Store, StoreError};
use crate::telemetry::Metrics;
use crate::tracking;
use actix_web::dev::Server;
use actix_web::{App, HttpServer, rt};
use futures_util::FutureExt;
use parts::Parts;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long unsaved fixes may take to be written when the service stops.
const LAST_FLUSH: Duration = Duration::from_secs(5);
/// How long the limits on requests may take to be settled when the service stops.
const LAST_SETTLEMENT: Duration = Duration::from_secs(2);

/// A service that is ready to run.
pub struct Application {
    server: Server,
    address: SocketAddr,
    redis: Redis,
    parts: Arc<Parts>,
    background: Vec<JoinHandle<()>>,
    /// Runs the service's own jobs; drains once the sender is dropped.
    work: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    /// Settles the limits on requests; ends, with a last time, once the sender is dropped.
    settling: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application")
            .field("address", &self.address)
            .field("redis", &self.redis)
            .finish_non_exhaustive()
    }
}

/// What is behind the store.
#[derive(Debug)]
enum Redis {
    Embedded(Box<Embedded>),
    Elsewhere,
    NotInstalled,
}

/// Why the service cannot start, or ended in failure.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The settings contradict each other.
    #[error(transparent)]
    Settings(#[from] RedisSourceError),
    /// A limit on requests names a policy that it cannot have.
    #[error(transparent)]
    Limits(#[from] RuleError),
    /// The webhooks are not what they should be.
    #[error(transparent)]
    Webhooks(#[from] WebhookError),
    /// Calls to other hosts cannot be set up.
    #[error("outgoing calls cannot be set up")]
    Outgoing(#[source] CallError),
    /// The embedded Redis does not start.
    #[error("the embedded Redis does not start")]
    Embedded(#[source] EmbeddedError),
    /// The address of Redis is not one.
    #[error("the address of Redis is not understood")]
    Store(#[source] StoreError),
    /// The address to listen on is taken or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The data in Redis are laid out for another number of partitions.
    #[error("the data in Redis are laid out in {found} partitions, this service is set to {wanted}")]
    Layout {
        /// What Redis says.
        found: u16,
        /// What was asked for.
        wanted: u16,
    },
    /// The instruments cannot be made.
    #[error("the metrics cannot be set up")]
    Metrics(#[from] prometheus::Error),
    /// The server broke.
    #[error("the HTTP server failed")]
    Server(#[source] io::Error),
}

impl Application {
    /// Starts what is to be started and binds the port; serves nothing yet.
    ///
    /// # Errors
    /// [`AppError`]. A Redis that is away is none.
    pub async fn build(settings: &Settings) -> Result<Self, AppError> {
        let metrics = Arc::new(Metrics::new()?);
        let gate = Gate::new(&settings.limits, &metrics)?;
        let keys = Keys::new(&settings.redis.key_prefix, 1);
        let (store, redis) = open_store(settings, keys).await?;
        let link = Link::open(&store);
        check_layout(&link, store.timeout()).await?;

        let parts = Arc::new(Parts::new(settings, store, &metrics, link.clone())?);
        let (server, address) = serve(&settings.http, &parts, Guard(gate.clone()))?;
        let background = parts.spawn_background(address);
        let work = parts.spawn_own_work();
        let settling = gate.map(|gate| spawn_settling(&gate, link));
        Ok(Self {
            server,
            address,
            redis,
            parts,
            background,
            work,
            settling,
        })
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of the embedded Redis, if there is one.
    #[must_use]
    pub fn data_folder(&self) -> Option<&std::path::Path> {
        match &self.redis {
            Redis::Embedded(embedded) => Some(embedded.folder()),
            Redis::Elsewhere | Redis::NotInstalled => None,
        }
    }

    /// Whether it runs without any Redis.
    #[must_use]
    pub const fn is_without_redis(&self) -> bool {
        matches!(self.redis, Redis::NotInstalled)
    }

    /// Serves until `stop`, then lets requests under way end, writes what is unsaved and stops what it started.
    ///
    /// # Errors
    /// [`AppError::Server`].
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        let Self {
            server,
            redis,
            parts,
            background,
            work,
            settling,
            address: _,
        } = self;
        let (own_work, working) = work.unzip();
        let handle = server.handle();
        let mut serving = rt::spawn(server);
        let ended = tokio::select! {
            ended = &mut serving => Some(ended),
            () = stop => None,
        };
        // The pool is to end whether the server was told to or ended by itself: it is waited for below.
        drop(own_work);
        let ended = if let Some(ended) = ended {
            ended
        } else {
            tracing::info!("stopping: requests under way may end");
            // They would wait for as long as the drain lasts, and then be cut off without an answer.
            parts.lock_wakeups.close();
            parts.job_wakeups.close();
            handle.stop(true).await;
            serving.await
        };
        if let Some(working) = working {
            // Ends by itself, in the time that it was given. Of its panic the log has told.
            let _ = working.await;
        }
        for task in &background {
            task.abort();
        }
        if let Some((until, settling)) = settling {
            drop(until);
            if tokio::time::timeout(LAST_SETTLEMENT, settling).await.is_err() {
                tracing::warn!("what was admitted last could not all be settled with the other instances in time");
            }
        }
        last_flush(&parts.tracking, &parts.link).await;
        if let Redis::Embedded(embedded) = redis {
            embedded.stop().await;
        }
        match ended {
            Ok(result) => result.map_err(AppError::Server),
            Err(panic) => Err(AppError::Server(io::Error::other(panic))),
        }
    }
}

/// Binds the port. Workers start, and connections are taken, once the server is polled.
fn serve(settings: &HttpSettings, parts: &Arc<Parts>, guard: Guard) -> Result<(Server, SocketAddr), AppError> {
    let parts = Arc::clone(parts);
    let mut server = HttpServer::new(move || App::new().configure(|app| parts.worker(app)).wrap(guard.clone()))
        .disable_signals()
        .shutdown_timeout(settings.drain_s)
        .max_connections(settings.max_connections.get())
        .client_request_timeout(settings.request_timeout())
        .on_connect(remember_connection)
        .keep_alive(Duration::from_secs(75));
    if let Some(workers) = settings.workers {
        server = server.workers(workers.get());
    }
    let server = server.bind(settings.bind).map_err(|source| AppError::Bind {
        address: settings.bind,
        source,
    })?;
    let address = server.addrs().first().copied().unwrap_or(settings.bind);
    Ok((server.run(), address))
}

/// Starts to settle the limits on requests with the other instances.
fn spawn_settling(gate: &Gate, link: Link) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let (until, stopped) = oneshot::channel();
    let stopped = stopped.map(|_: Result<(), _>| ());
    let settling = limits::keep_settling(Arc::clone(gate.share()), link, stopped);
    (until, rt::spawn(settling))
}

async fn open_store(settings: &Settings, keys: Keys) -> Result<(Store, Redis), AppError> {
    let timeout = settings.redis.timeout();
    let open = |address, keys| Store::new(address, keys, timeout).map_err(AppError::Store);
    match settings.redis.source()? {
        RedisSource::Standalone(address) => Ok((open(*address, keys)?, Redis::Elsewhere)),
        RedisSource::Embedded => {
            let embedded = EmbeddedSettings {
                binary: settings.redis.server_bin.clone(),
                append_fsync: settings.redis.append_fsync,
                ..EmbeddedSettings::new(&settings.data_dir)
            };
            match Embedded::start(&embedded).await {
                Ok(embedded) => Ok((
                    open(embedded.connection_info(), keys)?,
                    Redis::Embedded(Box::new(embedded)),
                )),
                Err(EmbeddedError::NotInstalled) => {
                    tracing::warn!("{}", EmbeddedError::NotInstalled);
                    tracing::warn!("running with the live index alone: positions are lost when the service stops");
                    Ok((Store::absent(keys), Redis::NotInstalled))
                }
                Err(error) => Err(AppError::Embedded(error)),
            }
        }
    }
}

/// Writes the number of partitions at the first start and holds it against the settings at every other. A Redis that is
/// away is not waited for.
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

async fn last_flush(tracking: &tracking::Shared, link: &Link) {
    let flushing = async {
        for kind in tracking::Kind::ALL {
            if let Err(error) = tracking::flush::flush(tracking, link, kind).await {
                let lost = tracking.live(kind).unsaved_len();
                if lost > 0 {
                    tracing::warn!(%kind, %error, lost, "unsaved fixes are lost with this process");
                }
            }
        }
    };
    if tokio::time::timeout(LAST_FLUSH, flushing).await.is_err() {
        tracing::warn!("unsaved fixes could not all be written in time");
    }
}
