//! The replica's supply: what other instances store, heard on the update channels.
//!
//! Subscribe first, then load, the newest wins: whatever is stored while the load runs is heard as well. Batches are
//! numbered without gaps per partition; a gap, a number that goes back (a Redis that lost its tail) or a lost connection
//! means that something may have been missed, and the whole is loaded anew.

use super::commands;
use super::live::{Origin, Outcome, Update};
use super::load;
use super::profiles;
use super::shared::{Shared, now_ms};
use super::snapshot::{Head, Message, Snapshot, Word};
use crate::ids::Id;
use crate::kind::Kind;
use crate::store::{Link, StoreError};
use futures_util::StreamExt;
use redis::Msg;
use std::sync::Arc;
use std::time::Duration;

/// How often the subscription is asked whether it still lives; a frozen Redis is noticed within twice this.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Why following ended.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the subscription ended")]
    Ended,
    #[error("the subscription does not answer")]
    Silent,
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
    loop {
        if !link.is_up() {
            wait(&shared, &link).await;
        }
        shared.set_loading();
        let lost = follow_once(&shared, &link).await;
        shared.set_unsynced(&lost.to_string());
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
        shared.set_unsynced("Redis is away");
        link.connected().await;
    }
}

async fn follow_once(shared: &Shared, link: &Link) -> Lost {
    match try_follow(shared, link).await {
        Ok(never) => match never {},
        Err(lost) => lost,
    }
}

enum Never {}

async fn try_follow(shared: &Shared, link: &Link) -> Result<Never, Lost> {
    let (mut sink, mut messages) = shared.store.subscriber().await?.split();
    let channels: Vec<String> = Kind::ALL
        .iter()
        .map(|kind| shared.store.keys().updates(*kind))
        .collect();
    let subscribing = tokio::time::timeout(shared.store.timeout(), sink.subscribe(&channels)).await;
    subscribing
        .map_err(|_elapsed| Lost::Silent)?
        .map_err(|error| Lost::Store(StoreError::Lost(error)))?;
    let mut heard = Heard::now(link).await?;
    for kind in Kind::ALL {
        shared.live(kind).begin_reload();
    }
    shared.metrics.reloads.inc();

    let mut loading = Box::pin(load::load(shared, link));
    let mut loaded = false;
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        tokio::select! {
            message = messages.next() => hear(shared, link, &channels, &mut heard, &message.ok_or(Lost::Ended)?).await?,
            result = &mut loading, if !loaded => {
                result?;
                loaded = true;
                shared.set_synced();
                tracing::info!(entities = Kind::ALL.map(|kind| shared.live(kind).len()).iter().sum::<usize>(), "the live index is loaded");
            }
            _ = ping.tick() => {
                let answer = tokio::time::timeout(shared.store.timeout(), sink.ping::<redis::Value>()).await;
                answer.map_err(|_elapsed| Lost::Silent)?.map_err(|error| Lost::Store(StoreError::Lost(error)))?;
            }
        }
    }
}

impl Heard {
    async fn now(link: &Link) -> Result<Self, StoreError> {
        let mut heard = Vec::with_capacity(Kind::ALL.len());
        for kind in Kind::ALL {
            let mut partitions = Vec::new();
            for partition in 0..link.store().keys().partitions() {
                let sequence = commands::sequence(link, kind, partition).await?;
                partitions.push(Latest { sequence, heard: false });
            }
            heard.push(partitions);
        }
        Ok(Self(heard))
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
async fn hear(
    shared: &Shared,
    link: &Link,
    channels: &[String],
    so_far: &mut Heard,
    message: &Msg,
) -> Result<(), Lost> {
    let Some(kind) = Kind::ALL
        .into_iter()
        .find(|kind| channels[kind.index()] == message.get_channel_name())
    else {
        return Ok(());
    };
    let Ok(text) = std::str::from_utf8(message.get_payload_bytes()) else {
        return Ok(());
    };
    // Somebody else may publish what he likes; only what reads as a message of ours is one.
    let Some(head) = Head::read(text) else { return Ok(()) };
    so_far.note(kind, &head)?;
    let now_ms = now_ms();
    #[expect(clippy::cast_precision_loss, reason = "a lag of 2^52 ms does not occur")]
    shared
        .metrics
        .feed_lag_seconds
        .observe((now_ms - head.sent_ms).max(0) as f64 / 1000.0);
    if head.origin == shared.origin {
        // The writer took it in when Redis acknowledged it.
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
    profiles::refresh(shared, link, kind, head.partition, changed).await;
    Ok(())
}
