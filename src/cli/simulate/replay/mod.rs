//! Replays a recording: a first pass finds its time span and its faults, the second sends it. Rows are sent in batches over several
//! connections; an entity uses one of them, so that its fixes arrive in order. At most a few batches per
//! connection are held, however long the file.

mod options;
mod reader;
mod timeline;
mod verify;

pub use options::ReplayOptions;
pub use reader::TraceError;

use super::push::Pusher;
use super::summary::{Summary, Tally};
use super::target::Target;
use super::{SimulateError, progress_bar};
use crate::clock;
use crate::ids::Id;
use chrono::DateTime;
use fleetpulse_client::tracking::Position;
use reader::{Row, TraceReader};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::time::Duration;
use timeline::{Ledger, Survey, Timeline};
use tokio::select;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Batches waiting for a connection: enough that it never waits for the file, and few enough to take little memory.
const BATCHES_WAITING: usize = 2;

/// Positions to send in one request.
type Batch = Vec<(Id, Position)>;

/// Replays a recording to its end, or until `stop` is ready. Runs on the caller's tokio runtime.
///
/// # Errors
/// [`SimulateError::Trace`] before anything is sent, [`SimulateError::Unreachable`] if the service cannot be reached at the
/// start; later errors are counted.
pub async fn run_replay(options: ReplayOptions, stop: impl Future<Output = ()>) -> Result<Summary, SimulateError> {
    let survey = Survey::of(TraceReader::open(&options.path)?)?;
    let bar = progress_bar(options.progress, Some(survey.rows));
    let target = Target::new(&options.url, options.kind, options.timeout);
    let pushers = Pusher::open(&target, options.connections.max(1), &bar).await?;
    let start = Instant::now();
    let mut lanes = JoinSet::new();
    let mut player = Player::new(&options, &survey, start);
    for mut pusher in pushers {
        let (sender, mut batches) = mpsc::channel::<Batch>(BATCHES_WAITING);
        player.lanes.push((sender, Batch::default()));
        lanes.spawn(async move {
            while let Some(batch) = batches.recv().await {
                let fixes = batch.iter().map(|(id, position)| (id.as_str(), position));
                pusher.batch(fixes.collect()).await;
            }
            pusher.finish()
        });
    }
    let reader = TraceReader::open(&options.path)?;
    select! {
        end = player.play(reader) => end?,
        () = stop => {}
    }
    let Player {
        ledger,
        lanes: channels,
        ..
    } = player;
    // Each connection ends when it has sent its queue.
    drop(channels);
    let mut total = Tally::default();
    while let Some(tally) = lanes.join_next().await {
        total.merge(&tally.map_err(|_panicked| SimulateError::Lost)?);
    }
    bar.finish_and_clear();
    let mut summary = Summary::new(total, start.elapsed());
    if options.verify {
        summary.verified = Some(verify::verify(&options, &target, ledger).await?);
    }
    Ok(summary)
}

struct Player {
    timeline: Timeline,
    ledger: Ledger,
    /// When rows are due by the clock; `None` to send as fast as possible.
    clock: Option<(Instant, i64)>,
    start_ms: i64,
    batch: usize,
    hasher: RandomState,
    lanes: Vec<(mpsc::Sender<Batch>, Batch)>,
}

impl Player {
    fn new(options: &ReplayOptions, survey: &Survey, start: Instant) -> Self {
        let start_ms = clock::now_ms();
        let as_fast = options.as_fast || options.speed <= 0.0;
        Self {
            timeline: if as_fast {
                Timeline::compressed(survey, start_ms)
            } else {
                Timeline::played(survey, start_ms, options.speed)
            },
            ledger: Ledger::default(),
            clock: (!as_fast).then_some((start, start_ms)),
            start_ms,
            batch: options.batch.max(1) as usize,
            hasher: RandomState::new(),
            lanes: Vec::new(),
        }
    }

    async fn play(&mut self, mut reader: TraceReader) -> Result<(), SimulateError> {
        while let Some(row) = reader.next()? {
            let mapped = row.recorded_ms.map(|recorded| self.timeline.sent_ms(recorded));
            if let (Some(mapped), Some((start, start_ms))) = (mapped, self.clock) {
                let due = start + Duration::from_millis(u64::try_from(mapped - start_ms).unwrap_or(0));
                if due > Instant::now() {
                    self.flush().await?;
                    sleep_until(due).await;
                }
            }
            // A row without a time is sent without one and has the current time, in the order of the file.
            let (recorded, base) = (row.recorded_ms.unwrap_or(0), mapped.unwrap_or(self.start_ms));
            let sent = self.ledger.note(&row.id, recorded, base, row.lat, row.lon);
            #[expect(clippy::cast_possible_truncation, reason = "less than the number of lanes")]
            let nth = (self.hasher.hash_one(&row.id) % self.lanes.len() as u64) as usize;
            let batch = &mut self.lanes[nth].1;
            let position = position(&row, mapped.map(|_| sent));
            batch.push((row.id, position));
            if batch.len() >= self.batch {
                self.send(nth).await?;
            }
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), SimulateError> {
        for nth in 0..self.lanes.len() {
            if !self.lanes[nth].1.is_empty() {
                self.send(nth).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, nth: usize) -> Result<(), SimulateError> {
        let (sender, batch) = &mut self.lanes[nth];
        sender
            .send(mem::take(batch))
            .await
            .map_err(|_closed| SimulateError::Lost)
    }
}

/// Returns the position of a row. Coordinates keep all their digits, so that they can be compared afterwards.
fn position(row: &Row, sent_ms: Option<i64>) -> Position {
    #[expect(clippy::cast_possible_truncation, reason = "the client sends seven digits of these")]
    let narrow = |value: f64| value as f32;
    Position {
        timestamp: sent_ms.and_then(DateTime::from_timestamp_millis),
        speed_mps: row.speed.map(narrow),
        // Just below 360 rounds to 360, which is not a valid heading.
        heading_deg: row.heading.map(|heading| narrow(heading) % 360.0),
        ..Position::new(row.lat, row.lon)
    }
}
