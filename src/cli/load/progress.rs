//! The progress of a load, on standard error if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The interval of drawing: long enough not to affect the measurement.
const EVERY: Duration = Duration::from_millis(250);

/// Answered requests of one thread. One for each thread, so that threads do not contend for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(super) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Draws the progress of a load until it is dropped.
pub(super) async fn show(counters: Vec<Counter>, duration: Duration) {
    let bar = ProgressBar::new(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{wide_bar} {elapsed} {msg}");
    let bar = match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    };
    let _cleared = Cleared(bar.clone());
    let (start, mut ticks) = (Instant::now(), interval(EVERY));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut before, mut at) = (0, start);
    loop {
        let now = ticks.tick().await;
        let requests: u64 = counters.iter().map(Counter::get).sum();
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let rate = (requests - before) as f64 / (now - at).as_secs_f64().max(1e-3);
        (before, at) = (requests, now);
        bar.set_position(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
        bar.set_message(format!("{requests} requests · {rate:.0}/s"));
    }
}

struct Cleared(ProgressBar);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
