//! Entities whose time is over, out of the live index and out of Redis's GEO index.
//!
//! Every instance holds every entity's timestamp, so each knows without asking what has expired; no scan of Redis is
//! needed. All instances of a fleet take the same entities out, which is harmless: the script removes an index entry only
//! where the snapshot has ended. What expired while no instance ran is found by the next load.

use super::Kind;
use super::commands::{self, MAX_FIXES};
use super::shared::Shared;
use crate::clock;
use crate::ids::Id;
use crate::store::Link;
use prometheus::IntGaugeVec;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a part of the index is looked through.
const TICK: Duration = Duration::from_millis(250);
/// How many ticks a look through the whole takes: so every expired entity is found within 4 s.
const TICKS_A_ROUND: usize = 16;
/// When Redis is asked to forget an entity, after it was found expired. Several times, because Redis ends the snapshot
/// by its own clock, which may be behind ours.
const ASK_AFTER: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(3),
    Duration::from_mins(1),
];
/// Entities that wait to be asked about. Beyond this they are left to the next load.
const MOST_WAITING: usize = 2_000_000;

/// Expired entities, by when Redis is to be asked about them; a queue for each of [`ASK_AFTER`].
#[derive(Debug, Default)]
struct Waiting([VecDeque<(Instant, Kind, Id)>; ASK_AFTER.len()]);

/// Sweeps for ever.
pub async fn keep_sweeping(shared: Arc<Shared>, link: Link) {
    let mut waiting = Waiting::default();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for kind in Kind::ALL {
            let live = shared.live(kind);
            let budget = 1024 + live.slots() / TICKS_A_ROUND;
            let expired = live.sweep(clock::now_ms(), budget);
            shared
                .metrics
                .expired
                .with_label_values(&[kind.as_str()])
                .inc_by(expired.len() as u64);
            gauge(&shared, kind);
            if shared.store.is_configured() {
                waiting.push(0, kind, expired);
            }
        }
        shared.measure();
        if link.is_up() {
            waiting.ask(&shared, &link).await;
        }
    }
}

/// Shows how much the live index holds; here, because this task comes by regularly.
fn gauge(shared: &Shared, kind: Kind) {
    let live = shared.live(kind);
    let show = |gauges: &IntGaugeVec, value: usize| {
        gauges
            .with_label_values(&[kind.as_str()])
            .set(i64::try_from(value).unwrap_or(i64::MAX));
    };
    show(&shared.metrics.live_entities, live.len());
    show(&shared.metrics.live_bytes, live.memory_bytes());
    show(&shared.metrics.unsaved, live.unsaved_len());
}

impl Waiting {
    fn push(&mut self, round: usize, kind: Kind, ids: impl IntoIterator<Item = Id>) {
        let Some(after) = ASK_AFTER.get(round) else { return };
        let due = Instant::now() + *after;
        let queue = &mut self.0[round];
        queue.extend(
            ids.into_iter()
                .take(MOST_WAITING.saturating_sub(queue.len()))
                .map(|id| (due, kind, id)),
        );
    }

    /// Asks about all that are due. Those about whom Redis could not be asked are asked about again.
    async fn ask(&mut self, shared: &Shared, link: &Link) {
        for round in 0..ASK_AFTER.len() {
            while let Some((kind, partition, ids)) = self.next_piece(round, shared) {
                if let Err(error) = commands::expire(link, kind, partition, &ids).await {
                    tracing::debug!(%error, "expired entities cannot be taken out of Redis yet");
                    self.push(round, kind, ids);
                    return;
                }
                self.push(round + 1, kind, ids);
            }
        }
    }

    /// The due entities at the head of a queue that share a kind and a partition.
    fn next_piece(&mut self, round: usize, shared: &Shared) -> Option<(Kind, u16, Vec<Id>)> {
        let keys = shared.store.keys();
        let now = Instant::now();
        let (kind, partition) = match self.0[round].front() {
            Some((due, kind, id)) if *due <= now => (*kind, keys.partition(id)),
            _ => return None,
        };
        let mut ids = Vec::new();
        while ids.len() < MAX_FIXES
            && let Some((_, _, id)) = self.0[round]
                .pop_front_if(|(due, other, id)| *due <= now && *other == kind && keys.partition(id) == partition)
        {
            ids.push(id);
        }
        Some((kind, partition, ids))
    }
}
