//! Reservations whose items are in several partitions, or elsewhere than their client's name for them.
//!
//! One record in the reservation's own partition stands for all, and alone decides what became of it; the goods are taken
//! by parts, a hold in each partition where there are any, all with the same end.
//!
//! - **Making**: the record opens, the parts are taken, the record is held. On the first refusal what was taken is given back
//!   and the record forgotten. Whoever dies on the way leaves a record that is forgotten after 5 s and parts that run out.
//! - **Confirming**: every part is first made to last 30 s more (one that has run out takes its stock again). Then the record is
//!   confirmed: that is the decision. Then the parts are; whoever dies on the way is stood in for within 5 s by the sweep of any
//!   instance.
//! - **Releasing**: the record is released, then the parts, by the sweep if need be.
//! - **Extending**: the parts first, then the record. Whoever dies on the way leaves parts that outlive it by what was asked for.
//!
//! All of it runs in a task of its own, so that a caller that goes away does not leave it half done.

use super::Inventory;
use super::commands::{self, Ends, How, Op, Outcome};
use super::error::InventoryError;
use super::model::{Goods, Parts, Reservation, State, Terms};
use super::reservations::{Made, done, is_ready, made, parts_of};
use crate::ids::Id;
use crate::store::StoreError;
use futures_util::future::join_all;
use std::collections::BTreeMap;

/// How much longer the parts last at least when they are about to be confirmed, ms.
const READY_MS: u128 = 30_000;

/// Runs to its end, whether or not anybody waits for it.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, InventoryError>> + Send + 'static,
) -> Result<T, InventoryError> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        // The runtime ends.
        Err(_ended) => Err(StoreError::Away.into()),
    }
}

impl Inventory {
    pub(super) async fn reserve_parts(
        &self,
        id: Id,
        terms: Terms,
        goods: BTreeMap<u16, Vec<Goods>>,
    ) -> Result<Made, InventoryError> {
        let this = self.clone();
        whole(async move {
            let parts = parts_of(&goods);
            let opening = Op::reserve(id.as_str().to_owned(), None, Some(parts.text()), terms.text());
            let record = match this.call_home(&id, opening).await? {
                Outcome::Done(record) => record,
                outcome => return made(&id, outcome),
            };
            let taken = join_all(goods.into_iter().map(|(partition, goods)| {
                let terms = Terms { goods, ..terms.clone() };
                let op = Op::reserve(parts.id_of(&id), Some(record.expires_ms), None, terms.text());
                this.call(partition, op)
            }));
            let refused = taken.await.into_iter().find_map(|outcome| match outcome {
                Ok(Outcome::Done(_)) => None,
                Ok(outcome) => done(&id, outcome).err(),
                Err(error) => Some(error),
            });
            if let Some(refused) = refused {
                this.give_back(&id, &parts, true).await;
                return Err(refused);
            }
            let held = Op::extend(id.as_str().to_owned(), Ends::At(record.expires_ms), How::Ready);
            if let Outcome::Done(record) = this.call_home(&id, held).await? {
                return made(&id, Outcome::Done(record));
            }
            // It took so long that the record was forgotten.
            this.give_back(&id, &parts, false).await;
            Err(InventoryError::InProgress)
        })
        .await
    }

    /// Gives back what was taken, as far as Redis can be reached; the rest runs out.
    async fn give_back(&self, id: &Id, parts: &Parts, record: bool) {
        let part = parts.id_of(id);
        let releases = parts
            .partitions
            .iter()
            .map(|p| self.call(*p, Op::release(part.clone(), false)));
        join_all(releases).await;
        if record && let Err(error) = self.call_home(id, Op::release(id.as_str().to_owned(), true)).await {
            tracing::debug!(%error, "a reservation that was not made runs out");
        }
    }

    /// `undecided`: whether the record is yet to be confirmed.
    pub(super) async fn confirm_parts(
        &self,
        id: &Id,
        parts: Parts,
        undecided: bool,
    ) -> Result<Reservation, InventoryError> {
        let (this, id) = (self.clone(), id.clone());
        whole(async move {
            if undecided {
                let part = parts.id_of(&id);
                let ready = parts.partitions.iter().map(|partition| {
                    let op = Op::extend(part.clone(), Ends::In(READY_MS), How::Again);
                    this.call(*partition, op)
                });
                for outcome in join_all(ready).await {
                    let outcome = outcome?;
                    if !is_ready(&outcome) {
                        done(&id, outcome)?;
                    }
                }
            }
            let record = this.call_home(&id, Op::confirm(id.as_str().to_owned(), true)).await?;
            let confirmed = done(&id, record)?;
            // It is decided. What fails from here on the sweep makes good.
            if let Err(error) = this.look_after(&id, &parts, State::Confirmed).await {
                tracing::debug!(%error, "the parts of a reservation are left to the sweep");
            }
            Ok(confirmed)
        })
        .await
    }

    pub(super) async fn release_parts(&self, id: &Id, parts: Parts) -> Result<(), InventoryError> {
        let (this, id) = (self.clone(), id.clone());
        whole(async move { this.look_after(&id, &parts, State::Released).await }).await
    }

    pub(super) async fn extend_parts(
        &self,
        id: &Id,
        parts: Parts,
        ends_ms: i64,
    ) -> Result<Reservation, InventoryError> {
        let (this, id) = (self.clone(), id.clone());
        whole(async move {
            let part = parts.id_of(&id);
            let extend = |id: &str, how| Op::extend(id.to_owned(), Ends::At(ends_ms), how);
            let extended = parts
                .partitions
                .iter()
                .map(|p| this.call(*p, extend(&part, How::Plain)));
            for outcome in join_all(extended).await {
                done(&id, outcome?)?;
            }
            done(&id, this.call_home(&id, extend(&id, How::Ready)).await?)
        })
        .await
    }

    /// Brings the parts to where their record is; says when they are to be looked after again, and forgets the record of a
    /// reservation of which nothing is left.
    pub(super) async fn look_after(&self, id: &Id, parts: &Parts, state: State) -> Result<(), InventoryError> {
        let part = parts.id_of(id);
        let op = || match state {
            State::Confirmed => Op::confirm(part.clone(), false),
            _ => Op::release(part.clone(), false),
        };
        let outcomes = join_all(parts.partitions.iter().map(|p| self.call(*p, op()))).await;
        let mut left = false;
        for outcome in outcomes {
            match outcome? {
                Outcome::Unknown | Outcome::Absent(_) => {}
                Outcome::Done(_) => left = true,
                // Run out before the release came to it: the stock is back.
                Outcome::Wrong(_) if state == State::Released => left = true,
                outcome => {
                    done(id, outcome)?;
                }
            }
        }
        let again_ms = left.then(|| self.keep_ms());
        commands::settle(self.target_of(id), id, again_ms).await?;
        Ok(())
    }

    /// What the sweep does about a reservation that nobody has looked after in time.
    pub(super) async fn drive(&self, id: &Id) -> Result<(), InventoryError> {
        let target = self.target_of(id);
        match commands::find(target, id).await? {
            Some(record) => match (record.state, &record.parts) {
                (Some(state @ (State::Confirmed | State::Released)), Some(parts)) => {
                    self.look_after(id, parts, state).await
                }
                _ => Ok(commands::settle(target, id, Some(self.keep_ms())).await?),
            },
            None => Ok(commands::settle(target, id, None).await?),
        }
    }
}
