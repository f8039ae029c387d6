//! Pushes fixes through a client of its own, and counts their outcomes and the attempts of its requests.

use super::SimulateError;
use super::summary::Tally;
use super::target::Target;
use fleetpulse_client::Client;
use fleetpulse_client::tracking::{Kind, Position, ReportOutcome};
use indicatif::ProgressBar;
use parking_lot::Mutex;
use std::mem;
use std::sync::Arc;

/// A client that pushes fixes, one request at a time, so over one connection.
#[derive(Debug)]
pub(super) struct Pusher {
    client: Client,
    kind: Kind,
    bar: ProgressBar,
    /// The outcomes so far. The client counts its attempts here too.
    tally: Arc<Mutex<Tally>>,
}

impl Pusher {
    /// Checks that the service can be reached, and creates `count` clients.
    pub(super) async fn open(target: &Target, count: u32, bar: &ProgressBar) -> Result<Vec<Self>, SimulateError> {
        target.reach().await?;
        (0..count).map(|_| Self::new(target, bar)).collect()
    }

    fn new(target: &Target, bar: &ProgressBar) -> Result<Self, SimulateError> {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let attempts = Arc::clone(&tally);
        let builder = target
            .builder()
            .observe(move |attempt| attempts.lock().attempt(attempt));
        Ok(Self {
            client: builder.build().map_err(|error| target.error(error))?,
            kind: target.kind,
            bar: bar.clone(),
            tally,
        })
    }

    /// Counts fixes that were sent and not answered as lost.
    pub(super) fn give_up(&mut self) {
        let mut tally = self.tally.lock();
        let answered = tally.accepted + tally.stale + tally.buffered + tally.rejected;
        tally.lost = tally.sent.saturating_sub(answered);
    }

    /// Returns the counts.
    pub(super) fn finish(self) -> Tally {
        mem::take(&mut *self.tally.lock())
    }

    /// Pushes one fix; returns whether it was accepted.
    pub(super) async fn single(&mut self, id: &str, position: &Position) -> bool {
        self.start(1);
        let reported = self.client.tracking(self.kind).report(id, position).await;
        let mut tally = self.tally.lock();
        match &reported {
            Ok(reported) => match reported.outcome {
                ReportOutcome::Stored => tally.accepted += 1,
                ReportOutcome::Buffered => tally.buffered += 1,
                _ => tally.stale += 1,
            },
            Err(error) => tally.failure(error, 1),
        }
        reported.is_ok()
    }

    /// Pushes fixes in one request; returns whether the request was accepted.
    pub(super) async fn batch(&mut self, fixes: Vec<(&str, &Position)>) -> bool {
        let count = fixes.len() as u64;
        self.start(count);
        let reported = self.client.tracking(self.kind).report_many(fixes).await;
        let mut tally = self.tally.lock();
        match &reported {
            Ok(batch) => {
                tally.accepted += batch.accepted;
                tally.stale += batch.stale;
                tally.buffered += batch.buffered;
                tally.rejected += batch.rejected.len() as u64;
                for rejected in &batch.rejected {
                    tally.error(&format!("rejected: {}", rejected.detail), 1);
                }
            }
            Err(error) => tally.failure(error, count),
        }
        reported.is_ok()
    }

    fn start(&self, count: u64) {
        self.tally.lock().sent += count;
        self.bar.inc(count);
    }
}
