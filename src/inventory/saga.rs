//! Reservations whose items are in several partitions, or in another partition than their record.
//!
//! One record in the partition of the reservation decides its state. The goods are taken by parts: a hold in each partition that has some
//! of the items. Before a decision the parts last 30 s at most, and no longer than the hold. After a decision the parts follow it. Each
//! decision lists the reservation for a check of its parts, so if the instance fails after the decision, the sweep of any instance
//! completes it within 5 s. If the instance fails before the decision, the parts expire.
//!
//! - **Create**: the record opens, the parts are taken for 30 s, the record becomes held: that is the decision. Then the parts are
//!   extended to the end of the hold. If one part is refused, the others are released and the record is forgotten. A record that stays
//!   open is forgotten after 5 s.
//! - **Confirm**: every part is extended by 30 s. An expired part takes its stock again; if another part cannot, it is expired again. Then
//!   the record is confirmed: that is the decision. Then the parts are confirmed.
//! - **Release**: the record is released, then the parts.
//! - **Return**: the record is returned, then the parts, whatever their states are: a concurrent confirmation finds them returned, and
//!   takes no stock again.
//! - **Release or return a portion**: the record, then the parts. The parts are reduced to what is left, so the step can be repeated.
//! - **Consume**: the record decides that goods are removed from the stock, then their part is consumed (see `consume`).
//! - **Extend**: the parts for 30 s, then the record, which decides, then the parts to the end.
//!
//! A decision can lose its stock: if Redis becomes unavailable after the decision and before the parts have followed, for longer than they
//! last. Then another client may take the expired stock. Therefore a confirmation is acknowledged only after all its parts are confirmed.
//! A missing part is tried again every ten minutes.
//!
//! The parts of one creation have a nonce (`Parts::nonce`), and every decision names the parts that it is about: a record that was
//! forgotten and created again under the same id is not changed.
//!
//! `follow` lets the parts follow a decision. A saga runs in a task of its own, so that it is completed even if the caller is dropped.

use super::Inventory;
use super::commands::{ExtendMode, NewEnd, Op, OpOutcome};
use super::error::InventoryError;
use super::follow::leave_to_sweep;
use super::model::{Goods, Reservation, State, Terms};
use super::record::{Parts, Record};
use super::reservations::{Made, done, made, parts_of};
use super::steps::{SAGA, all_steps};
use crate::ids::Id;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;

/// The time that parts last before their record decides, ms.
const READY_MS: u32 = 30_000;
/// The most attempts at a decision: its parts may expire before it, or the record may be created again under the same id.
const MOST_TRIES: usize = 3;
/// Later than every stored time.
const FOR_EVER_MS: i64 = (1 << 53) - 1;

/// A part whose end was moved, and its new end.
type Moved = (u16, i64);

impl Inventory {
    pub(super) async fn reserve_parts(
        &self,
        id: Id,
        terms: Terms,
        goods: BTreeMap<u16, Vec<Goods>>,
    ) -> Result<Made, InventoryError> {
        let this = self.clone();
        all_steps(SAGA, async move {
            let parts = parts_of(&goods);
            let opening = Op::reserve(id.as_str().to_owned(), None, Some(parts.text()), terms.text());
            let record = match this.call_home(&id, opening).await? {
                OpOutcome::Done(record) => record,
                outcome => return made(&id, outcome),
            };
            let until_ms = record.expires_ms.min(record.created_ms + i64::from(READY_MS));
            let taken = join_all(goods.into_iter().map(|(partition, goods)| {
                let terms = Terms { goods, ..terms.clone() };
                let op = Op::reserve(parts.id_of(&id), Some(until_ms), None, terms.text());
                this.call(partition, op)
            }));
            let refused = taken.await.into_iter().find_map(|outcome| match outcome {
                Ok(OpOutcome::Done(_)) => None,
                Ok(outcome) => done(&id, outcome).err(),
                Err(error) => Some(error),
            });
            if let Some(refused) = refused {
                this.give_back(&id, &parts).await;
                if let Err(error) = this.undo(&id, &parts).await {
                    tracing::debug!(%error, "a reservation that was not created expires");
                }
                return Err(refused);
            }
            let short = record.expires_ms > until_ms;
            let how = if short {
                ExtendMode::Soon(&parts)
            } else {
                ExtendMode::Ready(&parts)
            };
            let held = Op::extend(id.as_str().to_owned(), NewEnd::At(record.expires_ms), how);
            let decided = match this.call_home(&id, held).await {
                Ok(OpOutcome::Done(record)) => Some(record),
                // It took so long that the record was forgotten, or is being created again.
                Ok(_) => None,
                // The record may be held. If that cannot be read either, the sweep completes the parts if it is held, and they expire if
                // it is not.
                Err(error) => match this.undo(&id, &parts).await {
                    Ok(Some(record)) => Some(record),
                    Ok(None) => {
                        this.give_back(&id, &parts).await;
                        return Err(error);
                    }
                    Err(_) => return Err(error),
                },
            };
            let Some(record) = decided else {
                this.give_back(&id, &parts).await;
                return Err(InventoryError::InProgress);
            };
            if short {
                leave_to_sweep(this.complete_parts(&id, &record).await);
            }
            made(&id, OpOutcome::Done(record))
        })
        .await
    }

    /// Releases the parts, if Redis is available; otherwise they expire.
    async fn give_back(&self, id: &Id, parts: &Parts) {
        let releases = self.each(parts, |_| Op::release(parts.id_of(id)));
        for outcome in releases.await {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a part of a reservation that was not created expires");
            }
        }
    }

    /// Forgets a record that is being created with these parts. Returns the record if it is created already.
    async fn undo(&self, id: &Id, parts: &Parts) -> Result<Option<Record>, InventoryError> {
        match self.call_home(id, Op::undo(id.as_str().to_owned(), parts)).await? {
            OpOutcome::Wrong(record) if record.parts.as_ref() == Some(parts) => Ok(Some(record)),
            _ => Ok(None),
        }
    }

    /// Runs an operation on every part.
    pub(super) async fn each(&self, parts: &Parts, op: impl Fn(u16) -> Op) -> Vec<Result<OpOutcome, InventoryError>> {
        join_all(parts.partitions.iter().map(|p| self.call(*p, op(*p)))).await
    }

    /// Expires parts again whose extension failed as a whole, unless another call has moved their ends since.
    async fn put_back(&self, id: &Id, parts: &Parts, moved: Vec<Moved>) {
        let part = parts.id_of(id);
        let back = moved.into_iter().map(|(partition, expires_ms)| {
            let op = Op::extend(part.clone(), NewEnd::At(expires_ms), ExtendMode::Back);
            self.call(partition, op)
        });
        for outcome in join_all(back).await {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a part that was taken again expires");
            }
        }
    }

    /// Confirms a reservation with parts. `record` is held or expired.
    pub(super) async fn confirm_parts(&self, id: &Id, record: Record) -> Result<Reservation, InventoryError> {
        let (this, id) = (self.clone(), id.clone());
        all_steps(SAGA, async move {
            let mut record = record;
            for _ in 0..MOST_TRIES {
                let Some(parts) = record.parts.clone() else { break };
                let (until_ms, retaken) = this.make_ready(&id, &parts, &record.remaining()).await?;
                let decision = Op::decide(id.as_str().to_owned(), &parts, until_ms);
                match this.call_home(&id, decision).await? {
                    OpOutcome::Done(record) => return this.complete_or_leave(&id, record).await,
                    OpOutcome::Parts(updated) => {
                        if updated.parts.as_ref() != Some(&parts) {
                            this.put_back(&id, &parts, retaken).await;
                        }
                        record = updated;
                    }
                    outcome => {
                        this.put_back(&id, &parts, retaken).await;
                        return done(&id, outcome);
                    }
                }
            }
            Err(InventoryError::Busy)
        })
        .await
    }

    /// Extends every part so that it can be confirmed. Returns until when the parts last, and which of them had expired and took their stock
    /// again. If one part cannot, those are expired again. A part that is forgotten, because it expired long before its record, is created
    /// again.
    async fn make_ready(&self, id: &Id, parts: &Parts, terms: &Terms) -> Result<(i64, Vec<Moved>), InventoryError> {
        let part = parts.id_of(id);
        let ready = || Op::extend(part.clone(), NewEnd::In(READY_MS.into()), ExtendMode::Again);
        let outcomes = self.each(parts, |_| ready()).await;
        let (mut until_ms, mut retaken, mut refused) = (FOR_EVER_MS, Vec::new(), None);
        for (partition, mut outcome) in parts.partitions.iter().copied().zip(outcomes) {
            if matches!(outcome, Ok(OpOutcome::Unknown)) && refused.is_none() {
                outcome = self.create_again(&part, partition, terms).await;
            }
            match outcome {
                Ok(OpOutcome::Done(part)) => until_ms = until_ms.min(part.expires_ms),
                Ok(OpOutcome::Again(part)) => {
                    until_ms = until_ms.min(part.expires_ms);
                    retaken.push((partition, part.expires_ms));
                }
                Ok(OpOutcome::Wrong(part)) if part.state == Some(State::Confirmed) => {}
                Ok(outcome) => refused = refused.or(done(id, outcome).err()),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            None => Ok((until_ms, retaken)),
            Some(refused) => {
                self.put_back(id, parts, retaken).await;
                Err(refused)
            }
        }
    }

    /// Creates a forgotten part again, for the time that parts last before a decision.
    async fn create_again(&self, part: &str, partition: u16, terms: &Terms) -> Result<OpOutcome, InventoryError> {
        self.relearn_groups(&terms.goods).await?;
        let is_there = |goods: &&Goods| self.place(&goods.sku) == partition;
        let terms = Terms {
            ttl: Duration::from_millis(READY_MS.into()),
            owner: terms.owner.clone(),
            goods: terms.goods.iter().filter(is_there).cloned().collect(),
        };
        if terms.goods.is_empty() {
            // The items were deleted, or are in other partitions now.
            return Ok(OpOutcome::Unknown);
        }
        let reserve = Op::reserve(part.to_owned(), None, None, terms.text());
        Ok(match self.call(partition, reserve).await? {
            OpOutcome::Done(part) => OpOutcome::Again(part),
            // A concurrent confirmation has created it.
            OpOutcome::There(_) => OpOutcome::Opening,
            outcome => outcome,
        })
    }

    /// Extends a reservation with parts. `record` has the new end, which its parts must reach first.
    pub(super) async fn extend_parts(&self, id: &Id, record: Record) -> Result<Reservation, InventoryError> {
        let (this, id) = (self.clone(), id.clone());
        all_steps(SAGA, async move {
            let (ends_ms, mut record) = (record.expires_ms, record);
            for _ in 0..MOST_TRIES {
                let Some(parts) = record.parts.clone() else { break };
                let (part, ends) = (parts.id_of(&id), NewEnd::Within(READY_MS.into(), ends_ms));
                let lasting = this.each(&parts, |_| Op::extend(part.clone(), ends, ExtendMode::Plain));
                let mut moved = Vec::new();
                for (partition, outcome) in parts.partitions.iter().copied().zip(lasting.await) {
                    let lasts = match outcome? {
                        // It expired so long ago that it is forgotten.
                        OpOutcome::Unknown => {
                            return Err(InventoryError::WrongState { state: State::Expired });
                        }
                        outcome => done(&id, outcome)?,
                    };
                    moved.push((partition, lasts.expires_ms));
                }
                let decision = Op::extend(id.as_str().to_owned(), NewEnd::At(ends_ms), ExtendMode::Soon(&parts));
                match this.call_home(&id, decision).await? {
                    OpOutcome::Done(record) => return this.complete_or_leave(&id, record).await,
                    OpOutcome::Parts(updated) => record = updated,
                    // It expired in the meantime, and its parts must as well.
                    outcome => {
                        if let OpOutcome::Wrong(Record {
                            state: Some(State::Expired),
                            ..
                        }) = &outcome
                        {
                            this.put_back(&id, &parts, moved).await;
                        }
                        return done(&id, outcome);
                    }
                }
            }
            Err(InventoryError::Busy)
        })
        .await
    }
}
