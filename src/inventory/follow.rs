//! Lets the parts of a reservation follow the decision of its record; see `saga`.

use super::Inventory;
use super::commands::{self, ExtendMode, NewEnd, NextCheck, Op, OpOutcome};
use super::error::InventoryError;
use super::model::{Reservation, State};
use super::record::Record;
use super::reservations::done;
use super::steps::{SAGA, all_steps};
use crate::ids::Id;
use futures_util::future::join_all;

/// The interval of attempts to take the stock of a part that expired before it followed a decision, ms.
const MISSING_MS: u64 = 600_000;

/// Logs a failure, after which the sweep completes the parts.
pub(super) fn leave_to_sweep(completed: Result<(), InventoryError>) {
    if let Err(error) = completed {
        tracing::debug!(%error, "the parts of a reservation are left to the sweep");
    }
}

impl Inventory {
    /// Lets the parts follow the decision of their record, in a task of its own.
    pub(super) async fn follow(&self, id: &Id, record: Record) -> Result<Reservation, InventoryError> {
        let (this, id) = (self.clone(), id.clone());
        all_steps(SAGA, async move { this.complete_or_leave(&id, record).await }).await
    }

    /// Lets the parts follow the decision of their record. A confirmation fails unless all parts have followed, because an acknowledged
    /// confirmation must not lose its stock. Other failures are left to the sweep.
    pub(super) async fn complete_or_leave(&self, id: &Id, record: Record) -> Result<Reservation, InventoryError> {
        let completed = self.complete_parts(id, &record).await;
        if record.state == Some(State::Confirmed) {
            completed?;
        } else {
            leave_to_sweep(completed);
        }
        Ok(record.reservation(id))
    }

    /// Lets the parts follow their record, sets the time of the next check, and forgets the record if nothing is left of the reservation. A
    /// missing part does not keep the others from following.
    pub(super) async fn complete_parts(&self, id: &Id, record: &Record) -> Result<(), InventoryError> {
        if let (Some(State::Held | State::Confirmed), Some(parts)) = (record.state, &record.parts) {
            self.reduce_parts(id, record, parts).await?;
        }
        let (mut missing, mut seen) = (None, record.seen());
        let again = match (record.state, &record.parts) {
            (Some(State::Held), Some(parts)) => {
                let ends = NewEnd::At(record.expires_ms);
                let lengthened = self.each(parts, |_| Op::extend(parts.id_of(id), ends, ExtendMode::Plain));
                for outcome in lengthened.await {
                    match outcome? {
                        OpOutcome::Wrong(Record {
                            state: Some(State::Confirmed | State::Released),
                            ..
                        }) => {}
                        // A missing part of a hold is not taken again here, but by a confirmation.
                        outcome => missing = missing.or(done(id, outcome).err()),
                    }
                }
                NextCheck::Never
            }
            (Some(state @ (State::Confirmed | State::Released)), Some(parts)) => {
                let confirmed = state == State::Confirmed;
                let op = || {
                    if confirmed {
                        Op::confirm(parts.id_of(id))
                    } else {
                        Op::release(parts.id_of(id))
                    }
                };
                let mut left = false;
                for outcome in self.each(parts, |_| op()).await {
                    match outcome? {
                        OpOutcome::Unknown | OpOutcome::Absent(_) => {}
                        OpOutcome::Done(_) => left = true,
                        // It expired before the release: the stock is given back already.
                        OpOutcome::Wrong(_) if !confirmed => left = true,
                        outcome => missing = missing.or(done(id, outcome).err()),
                    }
                }
                if confirmed && left {
                    let rest = self.consume_rest(id, record, parts).await?;
                    seen = rest.0;
                    missing = missing.or(rest.1);
                }
                if left {
                    NextCheck::In(self.keep_ms())
                } else {
                    NextCheck::Forget
                }
            }
            (Some(State::Returned), Some(parts)) => {
                let part = parts.id_of(id);
                let taking = parts.partitions.iter().map(|p| self.take_part_back(*p, &part));
                let mut left = false;
                for taken in join_all(taking).await {
                    left |= taken?;
                }
                if left {
                    NextCheck::In(self.keep_ms())
                } else {
                    NextCheck::Forget
                }
            }
            // Its parts expired as well, or it has none.
            _ => NextCheck::Never,
        };
        let again = if missing.is_some() {
            NextCheck::In(MISSING_MS)
        } else {
            again
        };
        commands::settle(self.target_of(id), id, &seen, again).await?;
        missing.map_or(Ok(()), Err)
    }

    /// Completes a reservation whose parts have not followed in time; for the sweep.
    pub(super) async fn complete_one(&self, id: &Id) -> Result<(), InventoryError> {
        let target = self.target_of(id);
        match commands::find(target, id).await? {
            Some(record) => self.complete_parts(id, &record).await,
            None => Ok(commands::settle(target, id, "", NextCheck::Never).await?),
        }
    }
}
