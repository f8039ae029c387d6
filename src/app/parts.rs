//! What a process has once: its workers share it, and its background tasks work on it.

use super::warm::warm_path;
use super::{AppError, own_work};
use crate::cache::{self, Cache};
use crate::config::Settings;
use crate::health::{self, Health};
use crate::http::BodyTimeout;
use crate::inventory::{self, Inventory};
use crate::jobs::worker::Registry;
use crate::jobs::{self, Jobs};
use crate::limits::Limits;
use crate::locks::{self, Locks};
use crate::openapi;
use crate::routes;
use crate::sessions::{self, Sessions};
use crate::store::{self, Link, Store};
use crate::telemetry::{Board, Metrics};
use crate::tracking::{self, Writer};
use actix_web::rt;
use actix_web::web::{self, ServiceConfig};
use futures_util::FutureExt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// See the module.
pub(super) struct Parts {
    settings: Settings,
    pub store: Store,
    /// For whatever is not a worker.
    pub link: Link,
    metrics: Arc<Metrics>,
    health: web::Data<Health>,
    pub tracking: Arc<tracking::Shared>,
    /// Whether a worker follows Redis.
    feed: Arc<AtomicBool>,
    sessions: Arc<sessions::Shared>,
    pub lock_wakeups: locks::Wakeups,
    pub job_wakeups: jobs::Wakeups,
    own_jobs: Registry,
    cache: Arc<cache::Shared>,
    responses: Arc<cache::response::Shared>,
}

impl Parts {
    pub fn new(settings: &Settings, store: Store, metrics: &Arc<Metrics>, link: Link) -> Result<Self, AppError> {
        let board = Arc::new(Board::default());
        let tracking = tracking::Shared::new(
            settings.tracking.clone(),
            store.clone(),
            Arc::clone(metrics),
            Arc::clone(&board),
        );
        let cache = cache::Shared::new(&store, settings.cache.clone(), metrics);
        let own_jobs = own_work::registry(settings, &link, Cache::new(link.clone(), Arc::clone(&cache)))?;
        Ok(Self {
            settings: settings.clone(),
            health: web::Data::new(Health {
                board,
                metrics: Arc::clone(metrics),
                link: link.clone(),
            }),
            tracking: Arc::new(tracking),
            feed: Arc::new(AtomicBool::new(false)),
            sessions: sessions::Shared::new(settings.sessions.clone(), metrics),
            lock_wakeups: locks::Wakeups::listen(&store),
            job_wakeups: jobs::Wakeups::listen(&store),
            own_jobs,
            cache,
            responses: cache::response::Shared::new(settings.responses, metrics),
            metrics: Arc::clone(metrics),
            store,
            link,
        })
    }

    /// Sets up one worker. Runs on the worker's own thread: what it starts, and its connection, stay there.
    pub fn worker(&self, app: &mut ServiceConfig) {
        let Self { settings, metrics, .. } = self;
        let link = Link::open(&self.store);
        let cache = Cache::new(link.clone(), Arc::clone(&self.cache));
        let jobs = self.jobs(&link);
        let jobs = jobs.with_validator(own_work::validator(&settings.work, &self.own_jobs));
        let document = openapi::kept(&cache, &self.responses);
        app.app_data(web::Data::new(Writer::start(&self.tracking, &link)))
            .app_data(web::Data::new(Inventory::start(&link, &settings.inventory)))
            .app_data(web::Data::new(Sessions::new(link.clone(), Arc::clone(&self.sessions))))
            .app_data(web::Data::new(Limits::new(&link, &settings.limits.policies, metrics)))
            .app_data(web::Data::new(locks::handlers::State {
                locks: Locks::new(link.clone(), self.lock_wakeups.clone(), settings.locks),
                metrics: Arc::clone(metrics),
            }))
            .app_data(web::Data::new(jobs::handlers::State {
                jobs: jobs.with_usual(own_work::usual(&settings.work, &self.own_jobs)),
                metrics: Arc::clone(metrics),
            }))
            .app_data(web::Data::new(cache))
            .app_data(self.health.clone())
            .app_data(BodyTimeout(settings.http.request_timeout()));
        if self.store.is_configured() {
            self.follow(link);
        }
        routes::configure(app, metrics, document);
        app.default_service(web::to(routes::not_found));
    }

    /// Follows Redis on this worker, unless another one does. On a worker and not on a thread of its own, because most of
    /// what is heard are this instance's own batches: they come when the worker is awake for their answers anyway, and
    /// waking a thread for each costs more than reading it.
    fn follow(&self, link: Link) {
        /// Gives the feed back when its worker ends, for the one that takes the worker's place.
        struct Claim(Arc<AtomicBool>);
        impl Drop for Claim {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        if self.feed.swap(true, Ordering::AcqRel) {
            return;
        }
        let claim = Claim(Arc::clone(&self.feed));
        let tracking = Arc::clone(&self.tracking);
        rt::spawn(async move {
            let _claim = claim;
            tracking::feed::follow(tracking, link).await;
        });
    }

    fn jobs(&self, link: &Link) -> Jobs {
        Jobs::new(link.clone(), self.job_wakeups.clone(), self.settings.jobs)
    }

    /// Runs the service's own jobs until the sender is dropped, if it is to run any.
    pub fn spawn_own_work(&self) -> Option<(oneshot::Sender<()>, JoinHandle<()>)> {
        if !self.store.is_configured() {
            return None;
        }
        let metrics = &self.metrics.worker_jobs;
        let pool = own_work::pool(
            &self.settings.work,
            self.jobs(&self.link),
            self.own_jobs.clone(),
            metrics,
        )?;
        let (until, stopped) = oneshot::channel();
        Some((until, rt::spawn(pool.run(stopped.map(|_: Result<(), _>| ())))))
    }

    /// Forgets what is remembered of Redis whenever that is another one; what asks for the generation itself is not named here.
    fn forget_with_redis(&self) -> impl Future<Output = ()> + 'static {
        let mut generations = self.store.generations();
        let (tracking, cache) = (Arc::clone(&self.tracking), Arc::clone(&self.cache));
        let (locks, jobs) = (self.lock_wakeups.clone(), self.job_wakeups.clone());
        async move {
            while generations.changed().await.is_ok() {
                cache.forget_all();
                tracking.resync.notify_one();
                locks.ask_again();
                jobs.ask_again();
            }
        }
    }

    /// Starts what goes on beside the requests, until it is aborted.
    pub fn spawn_background(&self, address: SocketAddr) -> Vec<JoinHandle<()>> {
        let Self {
            settings,
            tracking,
            link,
            health,
            ..
        } = self;
        let watching = health::watch(link.clone(), Arc::clone(&health.board), Arc::clone(&self.metrics));
        let mut tasks = vec![
            rt::spawn(watching),
            rt::spawn(tracking::expiry::keep_sweeping(Arc::clone(tracking), link.clone())),
        ];
        if self.store.is_configured() {
            let inventory = Inventory::start(link, &settings.inventory);
            let sessions = Arc::clone(&self.sessions);
            let cache = Cache::new(link.clone(), Arc::clone(&self.cache));
            if settings.responses.response_cache {
                cache.add_warmer("/openapi.json", move |_| warm_path(address, "/openapi.json"));
            }
            let jobs = self.jobs(link);
            tasks.extend([
                rt::spawn(store::watch_life(link.clone())),
                rt::spawn(self.forget_with_redis()),
                rt::spawn(tracking::flush::keep_flushing(Arc::clone(tracking), link.clone())),
                rt::spawn(inventory::sweep::keep_sweeping(inventory)),
                rt::spawn(sessions::stats::keep_measuring(sessions, link.clone())),
                rt::spawn(cache::warm_at_start(cache)),
                rt::spawn(jobs::schedules::keep_firing(jobs.clone())),
                rt::spawn(jobs::sweep::keep_sweeping(jobs)),
            ]);
        }
        tasks
    }
}
