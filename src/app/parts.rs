//! The state that a process has once. Its workers share it, and its background tasks use it.

use super::AppError;
use super::metrics::Metrics;
use super::settings::Settings;
use super::slices;
use super::warm::warm_path;
use crate::builtin_jobs::{self, Webhooks};
use crate::cache::{self, Cache};
use crate::health::{self, Health};
use crate::http::{AnswerLimit, Answers, Bodies, BodyTimeout, mount, not_found};
use crate::inventory::{self, Inventory, ItemCount};
use crate::jobs::worker::Registry;
use crate::jobs::{self, Jobs};
use crate::limits::{self, Gate, Limits};
use crate::locks::{self, Locks};
use crate::openapi;
use crate::outgoing::Outgoing;
use crate::response_cache;
use crate::runtime::{Budget, Phase, Supervisor};
use crate::sessions::{self, Sessions};
use crate::store::{self, Link, Store};
use crate::telemetry::{HealthRegistry, State};
use crate::tracking::{self, Writer};
use actix_web::web::{self, ServiceConfig};
use prometheus::IntCounter;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The state that a process has once.
pub(super) struct Parts {
    pub settings: Settings,
    pub supervisor: Supervisor,
    pub store: Store,
    /// The connection of everything that is not a worker.
    pub link: Link,
    metrics: Arc<Metrics>,
    health: web::Data<Health>,
    pub tracking: Arc<tracking::Shared>,
    /// The permit to follow the update feed; one worker at a time holds it.
    feed: Arc<Semaphore>,
    sessions: Arc<sessions::Shared>,
    items: ItemCount,
    pub lock_wakeups: locks::Wakeups,
    pub job_wakeups: jobs::Wakeups,
    own_jobs: Registry,
    cache: Arc<cache::Shared>,
    responses: Arc<response_cache::Shared>,
    /// The memory for answers that are not read yet.
    pub answers: Answers,
    bodies: Bodies,
}

impl Parts {
    pub fn new(
        settings: &Settings,
        store: Store,
        components: Arc<HealthRegistry>,
        metrics: &Arc<Metrics>,
        link: Link,
    ) -> Result<Self, AppError> {
        let supervisor = store.supervisor().clone();
        let tracking = tracking::Shared::new(
            settings.tracking.clone(),
            store.clone(),
            metrics.tracking.clone(),
            Arc::clone(&components),
        );
        let cache = cache::Shared::new(&store, settings.cache.clone(), &metrics.cache);
        let own_jobs = builtin_jobs::build(
            &settings.work,
            Outgoing::new(&settings.outgoing).map_err(AppError::Outgoing)?,
            Webhooks::parse(&settings.work.webhook_urls, &settings.work.webhook_secrets)?,
            &link,
            Cache::new(link.clone(), Arc::clone(&cache)),
        );
        Ok(Self {
            settings: settings.clone(),
            health: web::Data::new(Health {
                components,
                supervisor: supervisor.clone(),
                metrics: metrics.health.clone(),
                registry: metrics.registry.clone(),
                link: link.clone(),
            }),
            tracking: Arc::new(tracking),
            feed: Arc::new(Semaphore::new(1)),
            sessions: sessions::Shared::new(settings.sessions.clone(), &metrics.sessions),
            items: ItemCount::default(),
            lock_wakeups: locks::Wakeups::listen(&store),
            job_wakeups: jobs::Wakeups::listen(&store),
            own_jobs,
            cache,
            responses: response_cache::Shared::new(settings.responses, &metrics.responses),
            answers: Answers(Budget::new(
                settings.http.max_unsent_bytes,
                metrics.http.unsent_bytes.clone(),
                "answers that clients do not read",
            )),
            bodies: Bodies(Budget::new(
                settings.http.max_bodies_bytes,
                metrics.http.body_bytes.clone(),
                "bodies of other requests",
            )),
            metrics: Arc::clone(metrics),
            supervisor,
            store,
            link,
        })
    }

    /// Returns where the components of the service report their states.
    pub fn components(&self) -> &HealthRegistry {
        &self.health.components
    }

    /// Sets up one worker. Runs on the thread of the worker, because its tasks and its connection stay there.
    pub fn worker(&self, app: &mut ServiceConfig) {
        let Self { settings, metrics, .. } = self;
        let link = Link::open(&self.store);
        let cache = Cache::new(link.clone(), Arc::clone(&self.cache));
        let jobs = self.jobs(&link);
        let jobs = jobs.with_validator(builtin_jobs::validator(&settings.work, &self.own_jobs));
        let kept = openapi::kept(&cache, &self.responses);
        app.app_data(web::Data::new(Writer::start(&self.tracking, &link)))
            .app_data(web::Data::new(self.inventory(&link)))
            .app_data(web::Data::new(Sessions::new(link.clone(), Arc::clone(&self.sessions))))
            .app_data(web::Data::new(Limits::new(
                &link,
                &settings.limits.policies,
                &metrics.limits,
            )))
            .app_data(web::Data::new(locks::handlers::State {
                locks: Locks::new(link.clone(), self.lock_wakeups.clone(), settings.locks),
                metrics: metrics.locks.clone(),
            }))
            .app_data(web::Data::new(jobs::handlers::State {
                jobs: jobs.with_job_defaults(builtin_jobs::defaults(&settings.work, &self.own_jobs)),
                metrics: metrics.jobs.clone(),
            }))
            .app_data(web::Data::new(cache))
            .app_data(self.health.clone())
            .app_data(BodyTimeout(settings.http.request_timeout()))
            .app_data(self.bodies.clone())
            .app_data(self.answers.clone())
            .app_data(AnswerLimit(settings.http.max_answer_bytes));
        if self.store.is_configured() {
            self.follow(&link);
        }
        app.app_data(web::Data::new(openapi::Document(slices::document)));
        mount(app, &slices::of_slices(), &metrics.http);
        openapi::configure(app, &metrics.http, kept);
        app.default_service(web::to(not_found));
    }

    /// Returns the counter of clients that were disconnected because they did not read.
    pub fn write_timeouts(&self) -> &IntCounter {
        &self.metrics.http.write_timeouts
    }

    /// Follows the update feed on this worker, unless another worker does so already. It runs on a worker and not on a thread of its
    /// own, because most messages are this instance's own batches: they arrive when the worker is awake for their answers anyway, and
    /// waking a thread for each costs more than reading it.
    fn follow(&self, link: &Link) {
        let (turn, tracking, link) = (Arc::clone(&self.feed), Arc::clone(&self.tracking), link.clone());
        self.supervisor.spawn_local("tracking.feed", move || {
            let (turn, tracking, link) = (Arc::clone(&turn), Arc::clone(&tracking), link.clone());
            async move {
                // The permit is returned when the task or its thread ends, for the next worker.
                if let Ok(_turn) = turn.acquire_owned().await {
                    tracking::feed::follow(tracking, link).await;
                }
            }
        });
    }

    fn inventory(&self, link: &Link) -> Inventory {
        Inventory::start_with(link, &self.settings.inventory, self.items.clone())
    }

    fn jobs(&self, link: &Link) -> Jobs {
        Jobs::new(link.clone(), self.job_wakeups.clone(), self.settings.jobs)
    }

    /// Starts the background tasks.
    pub fn start_tasks(&self, address: SocketAddr, gate: Option<&Arc<Gate>>) {
        self.start_watch();
        self.start_tracking();
        if let Some(gate) = gate {
            self.start_settling(gate);
        }
        if self.store.is_configured() {
            self.start_life();
            self.start_sweeps();
            self.start_warming(address);
            self.start_own_work();
        }
    }

    /// Watches whether Redis was flushed or replaced, and then discards what is cached about it. Code that compares the generation by itself
    /// is not listed here.
    fn start_life(&self) {
        let link = self.link.clone();
        self.supervisor
            .spawn_local("redis.life", move || store::watch_life(link.clone()));
        let generations = self.store.generations();
        let (tracking, cache) = (Arc::clone(&self.tracking), Arc::clone(&self.cache));
        let (locks, jobs) = (self.lock_wakeups.clone(), self.job_wakeups.clone());
        self.supervisor.spawn_local("redis.forgetting", move || {
            let mut generations = generations.clone();
            let (tracking, cache) = (Arc::clone(&tracking), Arc::clone(&cache));
            let (locks, jobs) = (locks.clone(), jobs.clone());
            async move {
                while generations.changed().await.is_ok() {
                    cache.forget_all();
                    tracking.resync.notify_one();
                    locks.ask_again();
                    jobs.ask_again();
                }
            }
        });
    }

    fn start_watch(&self) {
        self.health.components.set("redis", State::Starting, None);
        let (link, health) = (self.link.clone(), self.health.clone());
        let full_percent = self.settings.redis.full_percent;
        self.supervisor.spawn_local("health.redis", move || {
            health::watch(
                link.clone(),
                Arc::clone(&health.components),
                health.metrics.clone(),
                full_percent,
            )
        });
    }

    fn start_tracking(&self) {
        let tracking = Arc::clone(&self.tracking);
        self.supervisor.spawn_local("tracking.rebuild", move || {
            tracking::rebuild::keep_rebuilding(Arc::clone(&tracking))
        });
        let (tracking, link) = (Arc::clone(&self.tracking), self.link.clone());
        self.supervisor.spawn_local("tracking.expiry", move || {
            tracking::expiry::keep_sweeping(Arc::clone(&tracking), link.clone())
        });
        if self.store.is_configured() {
            let (tracking, link) = (Arc::clone(&self.tracking), self.link.clone());
            self.supervisor.spawn_local("tracking.flush", move || {
                tracking::flush::keep_flushing(Arc::clone(&tracking), link.clone())
            });
        }
    }

    /// Exchanges the counts of the request limits with the other instances, a last time when tasks end.
    fn start_settling(&self, gate: &Arc<Gate>) {
        let (share, link) = (Arc::clone(gate.share()), self.link.clone());
        self.supervisor
            .spawn_draining("limits.settling", Phase::StoppingTasks, move |stopping| {
                limits::keep_settling(Arc::clone(&share), link.clone(), stopping)
            });
    }

    fn start_sweeps(&self) {
        let inventory = self.inventory(&self.link);
        self.supervisor.spawn_local("inventory.sweep", move || {
            inventory::sweep::keep_sweeping(inventory.clone())
        });
        let (sessions, link) = (Arc::clone(&self.sessions), self.link.clone());
        self.supervisor.spawn_local("sessions.stats", move || {
            sessions::stats::keep_measuring(Arc::clone(&sessions), link.clone())
        });
        let jobs = self.jobs(&self.link);
        self.supervisor
            .spawn_local("jobs.schedules", move || jobs::schedules::keep_firing(jobs.clone()));
        let jobs = self.jobs(&self.link);
        self.supervisor
            .spawn_local("jobs.sweep", move || jobs::sweep::keep_sweeping(jobs.clone()));
    }

    /// Warms the cache once, then ends.
    fn start_warming(&self, address: SocketAddr) {
        let cache = Cache::new(self.link.clone(), Arc::clone(&self.cache));
        if self.settings.responses.response_cache {
            cache.add_warmer("/openapi.json", move |_| warm_path(address, "/openapi.json"));
        }
        self.supervisor
            .spawn_local("cache.warming", move || cache::warm_at_start(cache.clone()));
    }

    /// Runs the service's own jobs, if they are enabled. They end in the same phase as requests.
    fn start_own_work(&self) {
        let (settings, counters) = (&self.settings.work, &self.metrics.jobs.attempts);
        let Some(pool) = builtin_jobs::pool(settings, self.jobs(&self.link), self.own_jobs.clone(), counters) else {
            return;
        };
        self.supervisor
            .spawn_draining("jobs.pool", Phase::Finishing, move |stopping| {
                pool.clone().run(stopping)
            });
    }
}
