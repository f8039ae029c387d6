//! What all workers of a process have in common, and what a flight brings.

use super::flight::Flights;
use super::metrics::ResponseMetrics;
use super::settings::ResponseSettings;
use super::shelf::Silence;
use crate::cache::Marks;
use crate::ids::Id;
use actix_web::http::StatusCode;
use bytes::Bytes;
use std::sync::Arc;

/// What is fetched: in this namespace, under this key.
pub type FlightKey = (Id, String);

/// What all workers of a process have in common.
#[derive(Debug)]
pub struct Shared {
    settings: ResponseSettings,
    pub(super) flights: Arc<Flights<FlightKey, Outcome>>,
    pub(super) metrics: ResponseMetrics,
}

/// What a flight brings.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// An answer for all who wait.
    Answer(Answer),
    /// An answer for the one alone that asked for it.
    Alone,
    /// Nothing that those who wait may have as it is: it may have been invalidated before they came, or vary on what differs
    /// between them. They look again.
    Again,
}

/// An answer for several.
#[derive(Debug, Clone)]
pub struct Answer {
    /// As it is stored.
    pub bytes: Bytes,
    /// The status that the handler answered with.
    pub answered: StatusCode,
    /// Whether it is stored.
    pub stored: bool,
    /// What this process had heard when it began to be made; none of what is stored, or a failure.
    pub(super) begun: Option<Begun>,
}

/// What this process had heard of invalidations before the handler was asked.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub marks: Marks,
    /// How Redis was silent already, if it was.
    pub silence: Option<Silence>,
}

impl Shared {
    /// For one process.
    #[must_use]
    pub fn new(settings: ResponseSettings, metrics: &ResponseMetrics) -> Arc<Self> {
        Arc::new(Self {
            settings,
            flights: Arc::default(),
            metrics: metrics.clone(),
        })
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &ResponseSettings {
        &self.settings
    }
}
