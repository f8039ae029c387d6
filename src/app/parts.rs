//! The state that a process has once. Its workers share it, and its background tasks use it.

use super::error::AppError;
use super::settings::Settings;
use super::slices::{self, Slices};
use crate::http::{AnswerLimit, Answers, Bodies, BodyTimeout, HttpMetrics, mount, not_found};
use crate::openapi;
use crate::runtime::Budget;
use crate::store::{self, Link};
use crate::wiring::Process;
use actix_web::web::{self, ServiceConfig};
use std::sync::Arc;

/// The state that a process has once.
pub(super) struct Parts {
    pub settings: Settings,
    pub process: Process,
    pub slices: Arc<Slices>,
    pub metrics: Arc<HttpMetrics>,
    document: web::Data<openapi::Served>,
    /// The memory for answers that are not read yet.
    pub answers: Answers,
    bodies: Bodies,
}

impl Parts {
    pub fn new(settings: &Settings, process: Process, metrics: Arc<HttpMetrics>) -> Result<Self, AppError> {
        Ok(Self {
            settings: settings.clone(),
            slices: Arc::new(Slices::new(&process, &settings.slices)?),
            process,
            document: web::Data::new(openapi::Served::new(&slices::document())),
            answers: Answers(Budget::new(
                settings.http.max_unsent_bytes,
                metrics.unsent_bytes.clone(),
                "answers that clients do not read",
            )),
            bodies: Bodies(Budget::new(
                settings.http.max_bodies_bytes,
                metrics.body_bytes.clone(),
                "bodies of other requests",
            )),
            metrics,
        })
    }

    /// Sets up one worker. Runs on the thread of the worker, because its tasks and its connection stay there.
    pub fn worker(&self, app: &mut ServiceConfig) {
        let Self { settings, slices, .. } = self;
        let link = Link::open(&self.process.store);
        app.app_data(BodyTimeout(settings.http.request_timeout()))
            .app_data(self.bodies.clone())
            .app_data(self.answers.clone())
            .app_data(AnswerLimit(settings.http.max_answer_bytes))
            .app_data(self.document.clone());
        slices.set_up_worker(&link, app);
        mount(app, &slices::of_slices(), &self.metrics);
        openapi::configure(app, &self.metrics);
        app.default_service(web::to(not_found));
    }

    /// Starts the background tasks.
    pub fn start_tasks(&self) {
        if self.process.store.is_configured() {
            self.watch_store();
        }
        self.slices.start_tasks(&self.process);
    }

    /// Watches whether Redis was flushed or replaced, and then discards what is cached about it.
    fn watch_store(&self) {
        let (link, supervisor) = (self.process.link.clone(), self.process.supervisor());
        supervisor.spawn_local("redis.life", move || store::watch_life(link.clone()));
        let (generations, slices) = (self.process.store.generations(), Arc::clone(&self.slices));
        supervisor.spawn_local("redis.forgetting", move || {
            let (mut generations, slices) = (generations.clone(), Arc::clone(&slices));
            async move {
                while generations.changed().await.is_ok() {
                    slices.forget();
                }
            }
        });
    }
}
