use prometheus::IntGauge;

/// One of those that a gauge counts, for as long as this lives: however it ends, it is counted out.
#[derive(Debug)]
pub struct Present<'a>(&'a IntGauge);

impl<'a> Present<'a> {
    /// Counts one in.
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
