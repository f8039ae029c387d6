use prometheus::core::Collector;
use prometheus::{
    Error, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Makes instruments and registers them.
pub(super) struct Make<'a>(pub(super) &'a Registry);

impl Make<'_> {
    pub(super) fn add<T: Collector + Clone + 'static>(&self, instrument: Result<T, Error>) -> Result<T, Error> {
        let instrument = instrument?;
        self.0.register(Box::new(instrument.clone()))?;
        Ok(instrument)
    }

    pub(super) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, Error> {
        self.add(Histogram::with_opts(
            HistogramOpts::new(name, help).buckets(buckets.to_vec()),
        ))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, Error> {
        self.add(IntGauge::new(name, help))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn float(&self, name: &str, help: &str) -> Result<Gauge, Error> {
        self.add(Gauge::new(name, help))
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.add(IntCounter::new(name, help))
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }
}
