//! Follows the update channels, so that the live index contains what other instances store.
//!
//! The feed subscribes first and then loads, and the newest data win, so it misses nothing that is stored during the load. Batches are
//! numbered without gaps per partition. A gap, a number that decreases (a Redis that lost its latest writes) or a lost connection means
//! that updates may have been missed; then everything is loaded again. The same happens if the feed has fallen far behind, because its
//! queue takes memory and a load is faster.

use super::commands;
use super::lag::Lag;
use super::live::{Origin, Outcome, Update};
use super::load;
use super::shared::Shared;
use super::snapshot::{Head, Message, Record, Snapshot};
use super::unread::Unread;
use crate::clock;
use crate::ids::Id;
use crate::kind::Kind;
use crate::store::{Link, PING_EVERY, StoreError};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Why the feed ended.
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
    #[error("updates are {0:?} late")]
    Behind(Duration),
}

/// The first pause before everything is loaded again. It doubles up to the longest pause while loading fails.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A lag beyond this many times the limit for stale answers leads to a full reload.
const HOPELESS: u32 = 10;

/// The latest batch that was received, by kind and partition.
#[derive(Debug)]
struct Received(Vec<Vec<Latest>>);

#[derive(Debug, Clone, Copy)]
struct Latest {
    sequence: u64,
    /// Whether it was received on the channel. Otherwise it was read from Redis after the subscription, and batches up to it may still
    /// arrive.
    received: bool,
}

/// Follows Redis forever.
pub async fn follow(shared: Arc<Shared>, link: Link) {
    let mut received = Received::nothing(&link);
    let mut pause = FIRST_PAUSE;
    loop {
        if !link.is_up() {
            wait(&shared, &link).await;
        }
        shared.set_loading();
        let lost = match follow_once(&shared, &link, &mut received).await {
            Ok(never) => match never {},
            Err(lost) => lost,
        };
        if shared.is_synced() || matches!(lost, Lost::Asked) {
            pause = FIRST_PAUSE;
        }
        // A Redis that refuses the commands of a load is as unusable as one that is unavailable: the service answers from memory.
        let is_refused = matches!(&lost, Lost::Store(error) if error.is_refusal());
        shared.set_unsynced(&lost.to_string(), is_refused || !link.is_up());
        match lost {
            Lost::Store(StoreError::Unavailable) => {}
            lost => tracing::warn!(%lost, "the live index no longer follows Redis; it will be loaded again"),
        }
        // Without a pause, a Redis that refuses commands or drops connections would receive requests in a tight loop.
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits for Redis; until then the service answers from memory.
async fn wait(shared: &Shared, link: &Link) {
    // Redis usually answers within this time after a start; until then it is not reported as unavailable.
    if tokio::time::timeout(shared.store.timeout(), link.connected())
        .await
        .is_err()
    {
        shared.set_unsynced("Redis is unavailable", true);
        link.connected().await;
    }
}

enum Never {}

async fn follow_once(shared: &Shared, link: &Link, received: &mut Received) -> Result<Never, Lost> {
    let channels = channels(shared);
    let names: Vec<String> = channels.iter().map(|(name, _)| name.clone()).collect();
    let mut subscription = shared.store.subscribe(&names).await?;
    received.catch_up(link).await?;
    for kind in Kind::ALL {
        // Damage after this point requests another load.
        shared.live(kind).set_complete();
        shared.live(kind).begin_reload();
    }
    shared.metrics.reloads.inc();

    let mut following = Following {
        shared,
        received,
        unread: Unread::default(),
        lag: Lag::default(),
        notes_new: Rc::default(),
    };
    let is_reconciling = Rc::new(Cell::new(false));
    following.notes_new = Rc::clone(&is_reconciling);
    let mut loading = Box::pin(load::load(shared, link, &is_reconciling));
    let mut loaded = false;
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        tokio::select! {
            message = subscription.next() => {
                let message = message.ok_or(Lost::Ended)?;
                if let Some((_, kind)) = channels.iter().find(|(name, _)| name == message.get_channel_name()) {
                    following.receive(*kind, message.get_payload_bytes())?;
                }
            }
            result = &mut loading, if !loaded => {
                result?;
                loaded = true;
                following.unread.begin_now();
                shared.set_synced();
                let entities: usize = Kind::ALL.iter().map(|kind| shared.live(*kind).len()).sum();
                tracing::info!(entities, "the live index is loaded");
            }
            // Not before the load has ended: the load may still store an older reading of a profile, and a change that arrived
            // during the load must be read after it.
            read = following.unread.read(shared, link), if loaded => read?,
            () = shared.resync.notified() => return Err(Lost::Asked),
            _ = ping.tick() => {
                subscription.ping().await?;
                following.lag.tick();
            }
        }
        if loaded {
            following.check_lag()?;
        }
    }
}

/// Returns the channels of all kinds and partitions, by name.
fn channels(shared: &Shared) -> Vec<(String, Kind)> {
    let keys = shared.store.keys();
    let of_kind = |kind| (0..keys.partitions()).map(move |partition| (keys.updates(kind, partition), kind));
    Kind::ALL.into_iter().flat_map(of_kind).collect()
}

impl Received {
    fn nothing(link: &Link) -> Self {
        let nothing = Latest {
            sequence: 0,
            received: false,
        };
        let partitions = usize::from(link.store().keys().partitions());
        Self(Kind::ALL.map(|_| vec![nothing; partitions]).to_vec())
    }

    /// Starts at the current sequences of Redis. If one is lower than the latest that was received, Redis has lost its latest writes; its
    /// sequence is raised, so that the numbers of the batches held here are not used again.
    async fn catch_up(&mut self, link: &Link) -> Result<(), StoreError> {
        for kind in Kind::ALL {
            for (partition, latest) in (0_u16..).zip(&mut self.0[kind.index()]) {
                let sequence = commands::raise_sequence(link, kind, partition, latest.sequence).await?;
                *latest = Latest {
                    sequence,
                    received: false,
                };
            }
        }
        Ok(())
    }

    /// Records a batch; fails if an earlier one was missed.
    fn note(&mut self, kind: Kind, head: &Head<'_>) -> Result<(), Lost> {
        let Some(latest) = self.0[kind.index()].get_mut(usize::from(head.partition)) else {
            return Ok(());
        };
        if !latest.received && head.sequence <= latest.sequence {
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
            received: true,
        };
        Ok(())
    }
}

/// The state of one subscription.
struct Following<'a> {
    shared: &'a Shared,
    received: &'a mut Received,
    unread: Unread<'a>,
    lag: Lag,
    /// Whether the profile of a new entity has to be read here. Until the load sets this, the load reads it.
    notes_new: Rc<Cell<bool>>,
}

impl Following<'_> {
    /// Applies one message to the live index.
    fn receive(&mut self, kind: Kind, message: &[u8]) -> Result<(), Lost> {
        let Ok(text) = std::str::from_utf8(message) else {
            return Ok(());
        };
        // Any client may publish; messages that cannot be parsed as ours are ignored.
        let Some(head) = Head::read(text) else { return Ok(()) };
        self.received.note(kind, &head)?;
        let now_ms = clock::now_ms();
        #[expect(clippy::cast_precision_loss, reason = "a lag of 2^52 ms does not occur")]
        let lag_s = (now_ms - head.sent_ms).max(0) as f64 / 1000.0;
        self.shared.metrics.feed_lag_seconds.observe(lag_s);
        self.lag.note(head.origin, now_ms - head.sent_ms);
        if head.is_of_fixes && head.origin == self.shared.origin {
            // The writer applied it when Redis acknowledged it. A handler may have been dropped before it could.
            return Ok(());
        }
        let Ok(message) = serde_json::from_str::<Message<'_>>(text) else {
            return Ok(());
        };
        let unread = self.take(kind, &message, now_ms);
        if self.unread.add(kind, head.partition, unread) {
            Ok(())
        } else {
            Err(Lost::Behind(self.unread.lag()))
        }
    }

    /// Applies fixes and removals to the live index. Returns the entities whose profiles have to be read.
    fn take(&self, kind: Kind, message: &Message<'_>, now_ms: i64) -> Vec<Id> {
        let live = self.shared.live(kind);
        let mut updates = Vec::with_capacity(message.fixes.len());
        let mut unread: Vec<Id> = message.profiles.iter().filter_map(|id| Id::parse(id).ok()).collect();
        for record in message
            .fixes
            .iter()
            .chain(&message.removed)
            .filter_map(Snapshot::record)
        {
            match record {
                Record::Position(id, fix) => updates.push(Update { id, fix }),
                Record::Tombstone(id, removed) => {
                    live.remove(Origin::Stored, &id, removed);
                }
            }
        }
        live.apply_each(Origin::Stored, &updates, now_ms, |index, outcome| {
            let Update { id, fix, .. } = &updates[index];
            match outcome {
                Outcome::Created if self.notes_new.get() => unread.push(id.clone()),
                Outcome::Full => {
                    let ttl_ms = self.shared.settings.ttl_ms(kind);
                    self.shared.orphans.add(kind, id, fix.timestamp_ms + ttl_ms);
                }
                Outcome::Created | Outcome::Applied | Outcome::Stale => {}
            }
        });
        unread
    }

    /// Reports how late updates are; fails if the lag requires a reload.
    fn check_lag(&self) -> Result<(), Lost> {
        let lag = self.lag.now().max(self.unread.lag());
        let most = Duration::from_millis(self.shared.settings.feed_max_lag_ms.into());
        if lag > HOPELESS * most {
            return Err(Lost::Behind(lag));
        }
        self.shared.set_lag(if lag > most { Some(lag) } else { None });
        Ok(())
    }
}
