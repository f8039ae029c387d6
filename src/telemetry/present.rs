use prometheus::IntGauge;

/// Increments a gauge while it exists: the gauge is decremented when this is dropped.
#[derive(Debug)]
pub struct Present<'a>(&'a IntGauge);

impl<'a> Present<'a> {
    /// Increments the gauge.
    #[must_use]
    pub fn count(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
