//! Completes a batch: updates the live index, then answers the callers.
//!
//! If Redis is unavailable, or the connection is lost before the reply, fixes are stored in the live index as unsaved and answered as
//! buffered; [`super::flush`] writes them later. A batch whose outcome is unknown may so be written twice, which is harmless because the
//! newest fix wins.

use super::Kind;
use super::batches::Coalesced;
use super::commands::{Target, Verdict};
use super::live::{Origin, Outcome as Applied, Update};
use super::profiles;
use super::shared::Shared;
use super::ticket::{Outcome, Written};
use crate::clock;
use crate::ids::Id;
use crate::store::Link;

/// Applies what Redis stored to the live index, then answers. `verdicts` are those of the entities that were sent, in order.
pub(super) async fn settle(
    shared: &Shared,
    link: &Link,
    target: Target<'_>,
    entities: Vec<Coalesced>,
    verdicts: &[Verdict],
) {
    let (kind, live) = (target.kind, shared.live(target.kind));
    let mut verdicts = verdicts.iter();
    let mut updates = Vec::with_capacity(entities.len());
    let mut unread: Vec<Id> = Vec::new();
    let mut answers = Vec::with_capacity(entities.len());
    for entity in entities {
        let verdict = if entity.is_empty() { None } else { verdicts.next() };
        let verdict = verdict.copied().unwrap_or_default();
        if verdict.is_profile_changed {
            unread.push(entity.id.clone());
        }
        if verdict.is_stored {
            updates.push(Update {
                id: entity.id.clone(),
                fix: entity.fix,
            });
        }
        answers.push((entity, verdict));
    }
    let taken = live.apply_each(
        Origin::Stored,
        &updates,
        clock::now_ms(),
        |index, applied| match applied {
            // An entity that was unknown may have an earlier profile.
            Applied::Created => unread.push(updates[index].id.clone()),
            // The live index does not hold the entity, so its expiry has to be scheduled here.
            Applied::Full => shared.orphans.add(
                kind,
                &updates[index].id,
                updates[index].fix.timestamp_ms + target.ttl_ms,
            ),
            Applied::Applied | Applied::Stale => {}
        },
    );
    if taken.full > 0 {
        tracing::warn!(%kind, "the live index is full: Redis has entities that this instance does not answer with");
    }
    profiles::refresh_or_reload(shared, link, kind, target.partition, unread).await;
    for (entity, verdict) in answers {
        let outcome = if verdict.is_stored {
            Outcome::Stored
        } else {
            Outcome::Stale
        };
        let written = Written {
            outcome,
            attributes_left_out: verdict.attributes_left_out || entity.attributes_left_out,
        };
        answer(shared, kind, entity, written);
    }
}

/// Stores fixes in the live index only.
pub(super) fn buffer(shared: &Shared, kind: Kind, entities: Vec<Coalesced>) {
    let (live, now_ms) = (shared.live(kind), clock::now_ms());
    let updates: Vec<Update> = entities
        .iter()
        .map(|entity| Update {
            id: entity.id.clone(),
            fix: entity.fix,
        })
        .collect();
    let mut outcomes = vec![Outcome::Stale; updates.len()];
    live.apply_each(Origin::Local, &updates, now_ms, |index, applied| {
        outcomes[index] = match applied {
            Applied::Created | Applied::Applied => Outcome::Buffered,
            Applied::Stale => Outcome::Stale,
            Applied::Full => {
                // A batch whose answer was lost may be in Redis.
                let Update { id, fix, .. } = &updates[index];
                shared
                    .orphans
                    .add(kind, id, fix.timestamp_ms + shared.settings.ttl_ms(kind));
                Outcome::Full
            }
        };
    });
    for (mut entity, mut outcome) in entities.into_iter().zip(outcomes) {
        if outcome == Outcome::Stale && entity.change.is_some() && !live.has_record(&entity.id) {
            // There is no entity here that would keep it until Redis is available.
            outcome = Outcome::Unavailable;
        }
        let fits = entity.change.take().is_none_or(|mut change| {
            // As in the script: a member counts from its sender's time, but not from the future.
            change.not_after(now_ms);
            live.change_profile(&entity.id, &change)
        });
        let written = Written {
            outcome,
            attributes_left_out: !fits || entity.attributes_left_out,
        };
        answer(shared, kind, entity, written);
    }
}

/// Answers all callers whose fixes were coalesced, and counts the fixes.
fn answer(shared: &Shared, kind: Kind, entity: Coalesced, written: Written) {
    let counters = shared.counters(kind);
    let count = |outcome| match outcome {
        Outcome::Stored => counters.stored.inc(),
        Outcome::Stale => counters.stale.inc(),
        Outcome::Buffered => counters.buffered.inc(),
        Outcome::Full | Outcome::NoRoom | Outcome::Unavailable | Outcome::Interrupted => counters.rejected.inc(),
    };
    for (ticket, was_newest) in entity.others {
        let outcome = if was_newest { written.outcome } else { Outcome::Stale };
        count(outcome);
        ticket.answer(Written { outcome, ..written });
    }
    count(written.outcome);
    entity.ticket.answer(written);
}
