//! Reservations whose items are in several partitions, or elsewhere than their client's name for them.
//!
//! One record in the reservation's own partition stands for all, and alone decides what became of it; the goods are taken
//! by parts, a hold in each partition where there are any. Before a decision the parts last half a minute at most, and no longer
//! than the hold that they are of; what was decided is carried to them afterwards. Each decision leaves an entry in the list of
//! those whose parts are looked after, so whoever dies behind it is stood in for within 5 s by the sweep of any instance. Whoever
//! dies before it leaves parts that run out by themselves.
//!
//! - **Making**: the record opens, the parts are taken for the half minute, the record is held: that is the decision. Then the parts
//!   are made to last as long. On the first refusal what was taken is given back and the record forgotten; a record that is
//!   left open is forgotten after 5 s.
//! - **Confirming**: every part is made to last half a minute more (one that has run out takes its stock again; if another one
//!   cannot, it is put back). Then the record is confirmed: that is the decision. Then the parts are.
//! - **Releasing**: the record is released, then the parts.
//! - **Returning**: the record is returned, then the parts, whatever states they are in: a confirmation that is on its way finds
//!   them returned, and takes nothing again.
//! - **Giving back in part**: the record, then the parts. They are told how much is left, so it may be said twice.
//! - **Leaving**: the record says that goods leave, then their part lets them (`leaving`).
//! - **Extending**: the parts for the half minute, then the record, which decides, then the parts to the end.
//!
//! So a decision can be left without its stock: if Redis goes away behind it, before the parts have heard of it, and for longer than
//! they last. Then another may take what has run out. A confirmation is therefore not acknowledged before all its parts are
//! confirmed. A part that is missing is looked for again every ten minutes.
//!
//! The parts of one making have a name of their own (`Parts::nonce`), and every decision says which parts it is about: a record that
//! was forgotten and made anew under the same id meanwhile is left as it is.
//!
//! All of it runs in a task of its own, so that a caller that goes away does not leave it half done.

use super::Inventory;
use super::commands::{self, Again, Ends, How, Op, Outcome};
use super::error::InventoryError;
use super::model::{Goods, Parts, Record, Reservation, State, Terms};
use super::reservations::{Made, done, made, parts_of};
use crate::ids::Id;
use crate::runtime::{Panicked, failpoint, to_its_end};
use crate::store::StoreError;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long parts last while their record has not decided, ms.
const READY_MS: u32 = 30_000;
/// How soon a part is asked for again that ran out before what was decided came to it, ms: nobody knows when its stock is there
/// again, or whether it ever is.
const MISSING_MS: u64 = 600_000;
/// How often a decision is tried anew whose parts did not last until it, or that met a record made anew.
const MOST_TRIES: usize = 3;
/// Later than every time.
const FOR_EVER_MS: i64 = (1 << 53) - 1;

/// Runs a saga to its end, whether or not anybody waits for it. If it panics, or the runtime ends, the sweep completes what was begun,
/// or it expires.
fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, InventoryError>> + Send + 'static,
) -> impl Future<Output = Result<T, InventoryError>> + Send {
    let whole = to_its_end("inventory.saga", async {
        failpoint("inventory.saga");
        work.await
    });
    async {
        whole
            .await
            .unwrap_or_else(|Panicked| Err(StoreError::Interrupted.into()))
    }
}

fn leave_to_sweep(looked_after: Result<(), InventoryError>) {
    if let Err(error) = looked_after {
        tracing::debug!(%error, "the parts of a reservation are left to the sweep");
    }
}

/// A part whose end was moved, and to when.
type Moved = (u16, i64);

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
            let until_ms = record.expires_ms.min(record.created_ms + i64::from(READY_MS));
            let taken = join_all(goods.into_iter().map(|(partition, goods)| {
                let terms = Terms { goods, ..terms.clone() };
                let op = Op::reserve(parts.id_of(&id), Some(until_ms), None, terms.text());
                this.call(partition, op)
            }));
            let refused = taken.await.into_iter().find_map(|outcome| match outcome {
                Ok(Outcome::Done(_)) => None,
                Ok(outcome) => done(&id, outcome).err(),
                Err(error) => Some(error),
            });
            if let Some(refused) = refused {
                this.give_back(&id, &parts).await;
                if let Err(error) = this.undo(&id, &parts).await {
                    tracing::debug!(%error, "a reservation that was not made runs out");
                }
                return Err(refused);
            }
            let short = record.expires_ms > until_ms;
            let how = if short { How::Soon(&parts) } else { How::Ready(&parts) };
            let held = Op::extend(id.as_str().to_owned(), Ends::At(record.expires_ms), how);
            let decided = match this.call_home(&id, held).await {
                Ok(Outcome::Done(record)) => Some(record),
                // It took so long that the record was forgotten, or is being made anew.
                Ok(_) => None,
                // Nobody knows whether it is held. If not even that can be found out, the parts are left to the sweep if it is,
                // and run out if it is not.
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
                leave_to_sweep(this.look_after(&id, &record).await);
            }
            made(&id, Outcome::Done(record))
        })
        .await
    }

    /// Gives back what was taken, as far as Redis can be reached; the rest runs out.
    async fn give_back(&self, id: &Id, parts: &Parts) {
        let releases = self.each(parts, |_| Op::release(parts.id_of(id)));
        for outcome in releases.await {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a part of a reservation that was not made runs out");
            }
        }
    }

    /// Forgets a record that is still being made with these parts; the record if it has been made.
    async fn undo(&self, id: &Id, parts: &Parts) -> Result<Option<Record>, InventoryError> {
        match self.call_home(id, Op::undo(id.as_str().to_owned(), parts)).await? {
            Outcome::Wrong(record) if record.parts.as_ref() == Some(parts) => Ok(Some(record)),
            _ => Ok(None),
        }
    }

    /// Says the same to every part.
    pub(super) async fn each(&self, parts: &Parts, op: impl Fn(u16) -> Op) -> Vec<Result<Outcome, InventoryError>> {
        join_all(parts.partitions.iter().map(|p| self.call(*p, op(*p)))).await
    }

    /// Lets parts run out whose ends were moved for nothing, unless others have moved them since.
    async fn put_back(&self, id: &Id, parts: &Parts, moved: Vec<Moved>) {
        let part = parts.id_of(id);
        let back = moved.into_iter().map(|(partition, expires_ms)| {
            let op = Op::extend(part.clone(), Ends::At(expires_ms), How::Back);
            self.call(partition, op)
        });
        for outcome in join_all(back).await {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a part that was taken again runs out");
            }
        }
    }

    /// `record`: one that is held or has run out, with its parts.
    pub(super) async fn confirm_parts(&self, id: &Id, record: Record) -> Result<Reservation, InventoryError> {
        let (this, id) = (self.clone(), id.clone());
        whole(async move {
            let mut record = record;
            for _ in 0..MOST_TRIES {
                let Some(parts) = record.parts.clone() else { break };
                let (until_ms, retaken) = this.make_ready(&id, &parts, &record.remaining()).await?;
                let decision = Op::decide(id.as_str().to_owned(), &parts, until_ms);
                match this.call_home(&id, decision).await? {
                    Outcome::Done(record) => return this.carry(&id, record).await,
                    Outcome::Parts(anew) => {
                        if anew.parts.as_ref() != Some(&parts) {
                            this.put_back(&id, &parts, retaken).await;
                        }
                        record = anew;
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

    /// Makes every part last until it can be confirmed: until when they do, and which of them had run out and took their stock
    /// again. If one of them cannot, those are put back. One that is forgotten, because it ran out long before its record, is made anew.
    async fn make_ready(&self, id: &Id, parts: &Parts, terms: &Terms) -> Result<(i64, Vec<Moved>), InventoryError> {
        let part = parts.id_of(id);
        let ready = || Op::extend(part.clone(), Ends::In(READY_MS.into()), How::Again);
        let outcomes = self.each(parts, |_| ready()).await;
        let (mut until_ms, mut retaken, mut refused) = (FOR_EVER_MS, Vec::new(), None);
        for (partition, mut outcome) in parts.partitions.iter().copied().zip(outcomes) {
            if matches!(outcome, Ok(Outcome::Unknown)) && refused.is_none() {
                outcome = self.make_anew(&part, partition, terms).await;
            }
            match outcome {
                Ok(Outcome::Done(part)) => until_ms = until_ms.min(part.expires_ms),
                Ok(Outcome::Again(part)) => {
                    until_ms = until_ms.min(part.expires_ms);
                    retaken.push((partition, part.expires_ms));
                }
                Ok(Outcome::Wrong(part)) if part.state == Some(State::Confirmed) => {}
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

    /// Takes the stock of a forgotten part again, for as long as parts are made ready for.
    async fn make_anew(&self, part: &str, partition: u16, terms: &Terms) -> Result<Outcome, InventoryError> {
        self.relearn_groups(&terms.goods).await?;
        let is_there = |goods: &&Goods| self.place(&goods.sku) == partition;
        let terms = Terms {
            ttl: Duration::from_millis(READY_MS.into()),
            owner: terms.owner.clone(),
            goods: terms.goods.iter().filter(is_there).cloned().collect(),
        };
        if terms.goods.is_empty() {
            // Deleted there, or made anew elsewhere.
            return Ok(Outcome::Unknown);
        }
        let reserve = Op::reserve(part.to_owned(), None, None, terms.text());
        Ok(match self.call(partition, reserve).await? {
            Outcome::Done(part) => Outcome::Again(part),
            // Another confirmation has made it just now.
            Outcome::There(_) => Outcome::Opening,
            outcome => outcome,
        })
    }

    /// `record`: as it would be, with the end that its parts are to reach first.
    pub(super) async fn extend_parts(&self, id: &Id, record: Record) -> Result<Reservation, InventoryError> {
        let (this, id) = (self.clone(), id.clone());
        whole(async move {
            let (ends_ms, mut record) = (record.expires_ms, record);
            for _ in 0..MOST_TRIES {
                let Some(parts) = record.parts.clone() else { break };
                let (part, ends) = (parts.id_of(&id), Ends::Within(READY_MS.into(), ends_ms));
                let lasting = this.each(&parts, |_| Op::extend(part.clone(), ends, How::Plain));
                let mut moved = Vec::new();
                for (partition, outcome) in parts.partitions.iter().copied().zip(lasting.await) {
                    let lasts = match outcome? {
                        // It ran out so long ago that it is forgotten.
                        Outcome::Unknown => {
                            return Err(InventoryError::WrongState { state: State::Expired });
                        }
                        outcome => done(&id, outcome)?,
                    };
                    moved.push((partition, lasts.expires_ms));
                }
                let decision = Op::extend(id.as_str().to_owned(), Ends::At(ends_ms), How::Soon(&parts));
                match this.call_home(&id, decision).await? {
                    Outcome::Done(record) => return this.carry(&id, record).await,
                    Outcome::Parts(anew) => record = anew,
                    // It has run out meanwhile, and its parts would have.
                    outcome => {
                        if let Outcome::Wrong(Record {
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

    /// Carries to the parts what their record has decided.
    pub(super) async fn follow(&self, id: &Id, record: Record) -> Result<Reservation, InventoryError> {
        let (this, id) = (self.clone(), id.clone());
        whole(async move { this.carry(&id, record).await }).await
    }

    /// The same. A confirmation is answered only when all parts have it, because what was acknowledged must not lose its stock;
    /// what fails of anything else the sweep makes good.
    async fn carry(&self, id: &Id, record: Record) -> Result<Reservation, InventoryError> {
        let carried = self.look_after(id, &record).await;
        if record.state == Some(State::Confirmed) {
            carried?;
        } else {
            leave_to_sweep(carried);
        }
        Ok(record.reservation(id))
    }

    /// Brings the parts to where their record is; says when they are to be looked after again, and forgets the record of a
    /// reservation of which nothing is left. If a part is missing, the others are brought there all the same.
    pub(super) async fn look_after(&self, id: &Id, record: &Record) -> Result<(), InventoryError> {
        if let (Some(State::Held | State::Confirmed), Some(parts)) = (record.state, &record.parts) {
            self.reduce_parts(id, record, parts).await?;
        }
        let (mut missing, mut seen) = (None, record.seen());
        let again = match (record.state, &record.parts) {
            (Some(State::Held), Some(parts)) => {
                let ends = Ends::At(record.expires_ms);
                let lengthened = self.each(parts, |_| Op::extend(parts.id_of(id), ends, How::Plain));
                for outcome in lengthened.await {
                    match outcome? {
                        Outcome::Wrong(Record {
                            state: Some(State::Confirmed | State::Released),
                            ..
                        }) => {}
                        // Never again by itself: what took its place may have been sold. A confirmation asks for it.
                        outcome => missing = missing.or(done(id, outcome).err()),
                    }
                }
                Again::Never
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
                        Outcome::Unknown | Outcome::Absent(_) => {}
                        Outcome::Done(_) => left = true,
                        // Run out before the release came to it: the stock is back.
                        Outcome::Wrong(_) if !confirmed => left = true,
                        outcome => missing = missing.or(done(id, outcome).err()),
                    }
                }
                if confirmed && left {
                    let rest = self.consume_rest(id, record, parts).await?;
                    seen = rest.0;
                    missing = missing.or(rest.1);
                }
                if left { Again::In(self.keep_ms()) } else { Again::Forget }
            }
            (Some(State::Returned), Some(parts)) => {
                let part = parts.id_of(id);
                let taking = parts.partitions.iter().map(|p| self.take_part_back(*p, &part));
                let mut left = false;
                for taken in join_all(taking).await {
                    left |= taken?;
                }
                if left { Again::In(self.keep_ms()) } else { Again::Forget }
            }
            // Its parts have run out with it, or it has none.
            _ => Again::Never,
        };
        let again = if missing.is_some() {
            Again::In(MISSING_MS)
        } else {
            again
        };
        commands::settle(self.target_of(id), id, &seen, again).await?;
        missing.map_or(Ok(()), Err)
    }

    /// What the sweep does about a reservation that nobody has looked after in time.
    pub(super) async fn drive(&self, id: &Id) -> Result<(), InventoryError> {
        let target = self.target_of(id);
        match commands::find(target, id).await? {
            Some(record) => self.look_after(id, &record).await,
            None => Ok(commands::settle(target, id, "", Again::Never).await?),
        }
    }
}
