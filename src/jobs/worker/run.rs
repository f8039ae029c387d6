//! The loop of a pool.

use super::Pool;
use super::work::Work;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// How long the last settlements may take after all handlers have ended.
const LAST_SETTLEMENTS_WITHIN: Duration = Duration::from_secs(2);

impl Pool {
    /// Runs jobs until `stop`, then drains. If the future is dropped, the leases of its jobs expire.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let lease = self.settings.lease;
        let drain = self.settings.drain;
        let mut work = Work::new(self);
        let mut stop = pin!(stop);
        let mut stopped_at = None;
        let mut lease_check = interval((lease / 6).clamp(Duration::from_millis(20), Duration::from_secs(1)));
        lease_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let more = work.begin();
            work.call();
            if stopped_at.is_some() && work.is_over() {
                return;
            }
            let alarm = work.pause_until().unwrap_or_else(|| Instant::now() + lease);
            let end = stopped_at.map_or(alarm + lease, |at: Instant| at + drain);
            tokio::select! {
                () = work.next() => {}
                () = tokio::task::yield_now(), if more => {}
                () = sleep_until(alarm), if work.pause_until().is_some() => work.resume(),
                _ = lease_check.tick() => work.maintain_leases(),
                () = sleep_until(end), if stopped_at.is_some() && !work.is_cut_off() => work.cut_off(),
                () = sleep_until(end + LAST_SETTLEMENTS_WITHIN), if stopped_at.is_some() => {
                    tracing::warn!("some jobs could not be settled; their leases expire");
                    return;
                }
                () = &mut stop, if stopped_at.is_none() => {
                    stopped_at = Some(Instant::now());
                    work.stop();
                }
            }
        }
    }
}
