//! The replica's supply: what other instances store, heard on the update channels.
//!
//! Subscribe first, then load, the newest wins: whatever is stored while the load runs is heard as well. Batches are
//! numbered without gaps per partition; a gap, a number that goes back (a Redis that lost its tail) or a lost connection
//! means that something may have been missed, and the whole is loaded anew.

use super::commands;
use super::live::{Origin, Outcome, Update};
use super::load;
use super::profiles;
use super::shared::Shared;
use super::snapshot::{Head, Message, Snapshot, Word};
use crate::clock;
use crate::ids::Id;
use crate::kind::Kind;
use crate::store::{Link, PING_EVERY, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// Why following ended.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the subscription ended")]
    Ended,
    #[error("something could not be read")]
    Asked,
    #[error("updates of {kind} were missed between batch {last} and {next}")]
    Gap { kind: Kind, last: u64, next: u64 },
}

/// The latest batch heard of each partition of each kind.
#[derive(Debug)]
struct Heard(Vec<Vec<Latest>>);

#[derive(Debug, Clone, Copy)]
struct Latest {
    sequence: u64,
    /// Whether it was heard; before that it is what Redis said after the subscription, and batches up to it may still come.
    heard: bool,
}

/// Follows Redis for ever.
pub async fn follow(shared: Arc<Shared>, link: Link) {
    let mut heard = Heard::nothing(&link);
    loop {
        if !link.is_up() {
            wait(&shared, &link).await;
        }
        shared.set_loading();
        let lost = match follow_once(&shared, &link, &mut heard).await {
            Ok(never) => match never {},
            Err(lost) => lost,
        };
        shared.set_unsynced(&lost.to_string(), !link.is_up());
        match lost {
            Lost::Store(StoreError::Away) => {}
            lost => tracing::warn!(%lost, "the live index no longer follows Redis; it will be loaded anew"),
        }
        // Without a pause a Redis that accepts and drops connections would be hammered.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for Redis; without it the service goes on from memory.
async fn wait(shared: &Shared, link: &Link) {
    // At a start Redis usually answers within this; until then nobody should be told that it does not.
    if tokio::time::timeout(shared.store.timeout(), link.connected())
        .await
        .is_err()
    {
        shared.set_unsynced("Redis is away", true);
        link.connected().await;
    }
}

enum Never {}

async fn follow_once(shared: &Shared, link: &Link, heard: &mut Heard) -> Result<Never, Lost> {
    let channels = channels(shared);
    let names: Vec<String> = channels.iter().map(|(name, _)| name.clone()).collect();
    let mut subscription = shared.store.subscribe(&names).await?;
    heard.catch_up(link).await?;
    for kind in Kind::ALL {
        shared.live(kind).begin_reload();
    }
    shared.metrics.reloads.inc();

    let mut loading = Box::pin(load::load(shared, link));
    let mut loaded = false;
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        tokio::select! {
            message = subscription.next() => {
                let message = message.ok_or(Lost::Ended)?;
                if let Some((_, kind)) = channels.iter().find(|(name, _)| name == message.get_channel_name()) {
                    hear(shared, link, *kind, heard, message.get_payload_bytes()).await?;
                }
            }
            result = &mut loading, if !loaded => {
                result?;
                loaded = true;
                shared.set_synced();
                let entities: usize = Kind::ALL.iter().map(|kind| shared.live(*kind).len()).sum();
                tracing::info!(entities, "the live index is loaded");
            }
            () = shared.resync.notified() => return Err(Lost::Asked),
            _ = ping.tick() => subscription.ping().await?,
        }
    }
}

/// The channels of all kinds and partitions, by name.
fn channels(shared: &Shared) -> Vec<(String, Kind)> {
    let keys = shared.store.keys();
    let of_kind = |kind| (0..keys.partitions()).map(move |partition| (keys.updates(kind, partition), kind));
    Kind::ALL.into_iter().flat_map(of_kind).collect()
}

impl Heard {
    fn nothing(link: &Link) -> Self {
        let nothing = Latest {
            sequence: 0,
            heard: false,
        };
        let partitions = usize::from(link.store().keys().partitions());
        Self(Kind::ALL.map(|_| vec![nothing; partitions]).to_vec())
    }

    /// Begins anew at what Redis has reached. A Redis that has fallen behind what was heard before lost its tail; it is
    /// made to count on from there, because what is held was numbered so.
    async fn catch_up(&mut self, link: &Link) -> Result<(), StoreError> {
        for kind in Kind::ALL {
            for (partition, latest) in (0_u16..).zip(&mut self.0[kind.index()]) {
                let sequence = commands::raise_sequence(link, kind, partition, latest.sequence).await?;
                *latest = Latest { sequence, heard: false };
            }
        }
        Ok(())
    }

    /// Notes a batch; an error if one before it was missed.
    fn note(&mut self, kind: Kind, head: &Head<'_>) -> Result<(), Lost> {
        let Some(latest) = self.0[kind.index()].get_mut(usize::from(head.partition)) else {
            return Ok(());
        };
        if !latest.heard && head.sequence <= latest.sequence {
            return Ok(());
        }
        if head.sequence != latest.sequence + 1 {
            return Err(Lost::Gap {
                kind,
                last: latest.sequence,
                next: head.sequence,
            });
        }
        *latest = Latest {
            sequence: head.sequence,
            heard: true,
        };
        Ok(())
    }
}

/// Takes one message into the live index.
async fn hear(shared: &Shared, link: &Link, kind: Kind, so_far: &mut Heard, message: &[u8]) -> Result<(), Lost> {
    let Ok(text) = std::str::from_utf8(message) else {
        return Ok(());
    };
    // Somebody else may publish what he likes; only what reads as a message of ours is one.
    let Some(head) = Head::read(text) else { return Ok(()) };
    so_far.note(kind, &head)?;
    let now_ms = clock::now_ms();
    #[expect(clippy::cast_precision_loss, reason = "a lag of 2^52 ms does not occur")]
    let lag_s = (now_ms - head.sent_ms).max(0) as f64 / 1000.0;
    shared.metrics.feed_lag_seconds.observe(lag_s);
    if head.is_of_fixes && head.origin == shared.origin {
        // The writer took it in when Redis acknowledged it. A handler may have been dropped before it could.
        return Ok(());
    }
    let Ok(message) = serde_json::from_str::<Message<'_>>(text) else {
        return Ok(());
    };
    let live = shared.live(kind);
    let mut updates = Vec::with_capacity(message.fixes.len());
    let mut changed: Vec<Id> = message.profiles.iter().filter_map(|id| Id::parse(id).ok()).collect();
    for word in message.fixes.iter().chain(&message.removed).filter_map(Snapshot::word) {
        match word {
            Word::At(id, fix) => updates.push(Update {
                id,
                fix,
                seq: head.sequence,
            }),
            Word::Removed(id, at_ms) => {
                live.remove(Origin::Stored, &id, at_ms, head.sequence);
            }
        }
    }
    live.apply_each(Origin::Stored, &updates, now_ms, |index, outcome| {
        if outcome == Outcome::Created {
            changed.push(updates[index].id.clone());
        }
    });
    profiles::refresh(shared, link, kind, head.partition, changed).await?;
    Ok(())
}
