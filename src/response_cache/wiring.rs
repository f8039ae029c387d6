use super::{ResponseMetrics, ResponseSettings, Shared};
use crate::wiring::{Process, SetupError, Wiring};
use std::sync::Arc;

/// The slice in a process.
#[derive(Debug)]
pub struct Slice {
    shared: Arc<Shared>,
}

impl Slice {
    /// Creates the state of the process.
    ///
    /// # Errors
    /// [`SetupError::Metrics`].
    pub fn new(process: &Process, settings: &ResponseSettings) -> Result<Self, SetupError> {
        let metrics = ResponseMetrics::register(&process.registry)?;
        Ok(Self {
            shared: Shared::new(*settings, &metrics),
        })
    }

    /// Returns the state that all workers share.
    #[must_use]
    pub const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Wiring for Slice {
    type Settings = ResponseSettings;
}
