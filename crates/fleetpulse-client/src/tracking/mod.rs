//! Positions of drivers, vehicles and users: report them, find the nearest.

mod position;
mod query;

use crate::{Client, Error};
pub use position::{Entity, Position, RejectedPosition, ReportOutcome, Reported, ReportedBatch};
use query::Queries;
pub use query::{Filter, Hit, NearbyQuery, Nearest, NearestLists, Page, WithinQuery};
use std::fmt::{self, Display, Formatter};

/// A kind of entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Drivers.
    Drivers,
    /// Vehicles.
    Vehicles,
    /// Users, such as riders.
    Users,
}

impl Kind {
    /// Returns the name of the kind in the paths of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drivers => "drivers",
            Self::Vehicles => "vehicles",
            Self::Users => "users",
        }
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Calls about the positions of one kind of entity; see [`Client::tracking`].
#[derive(Debug, Clone, Copy)]
pub struct Tracking<'c> {
    client: &'c Client,
    kind: Kind,
}

impl<'c> Tracking<'c> {
    pub(crate) const fn new(client: &'c Client, kind: Kind) -> Self {
        Self { client, kind }
    }

    /// Reports a position.
    ///
    /// The call is safe to repeat: of several positions of an entity the newest one is kept. Give positions a timestamp, or a repeated one
    /// counts as of the time of its repetition.
    ///
    /// # Errors
    /// 422 `validation_failed` if the id or the place is invalid; 503 `unavailable` if the write queue of the service is full. A position
    /// that is older than the stored one is not an error: see [`ReportOutcome::Stale`].
    pub async fn report(self, id: &str, position: &Position) -> Result<Reported, Error> {
        let call = self.client.post(&["v1", self.kind.as_str(), id, "position"])?;
        let answer = call.json(position)?.repeatable().send().await?;
        if answer.status == 204 {
            return Ok(Reported {
                outcome: ReportOutcome::Stored,
                warnings: Vec::new(),
            });
        }
        answer.read()
    }

    /// Reports up to 10,000 positions, each with the id of its entity. An invalid position does not affect the others.
    ///
    /// # Errors
    /// 413 `content_too_large`; 503 `unavailable` if the write queue of the service is full: no position was accepted. Positions that are
    /// invalid are listed in [`ReportedBatch::rejected`].
    pub async fn report_many<'a>(
        self,
        positions: impl IntoIterator<Item = (&'a str, &'a Position)>,
    ) -> Result<ReportedBatch, Error> {
        let positions = positions.into_iter();
        let batch: Vec<_> = positions.map(|(id, position)| position.with_id(id)).collect();
        let call = self.client.post(&["v1", self.kind.as_str(), "positions"])?;
        call.json(&batch)?.repeatable().fetch().await
    }

    /// Returns the newest position of an entity; `None` if it has none, or the position has expired.
    ///
    /// # Errors
    /// 422 `validation_failed` if the id is invalid.
    pub async fn position(self, id: &str) -> Result<Option<Entity>, Error> {
        let path = ["v1", self.kind.as_str(), id, "position"];
        self.client.get(&path)?.find().await
    }

    /// Deletes the position of an entity. An older position that arrives later does not restore it.
    ///
    /// # Errors
    /// 422 `validation_failed` if the id is invalid; 503 `unavailable` if Redis refuses the deletion.
    pub async fn delete_position(self, id: &str) -> Result<(), Error> {
        let path = ["v1", self.kind.as_str(), id, "position"];
        self.client.delete(&path)?.done().await
    }

    /// Finds the entities that are nearest to a place, nearest first.
    ///
    /// # Errors
    /// 422 `validation_failed` if a value is out of range; 503 `unavailable` if too many large searches wait.
    pub async fn nearby(self, query: &NearbyQuery) -> Result<Nearest, Error> {
        let call = self.client.get(&["v1", self.kind.as_str(), "nearby"])?;
        query.add_to(call).fetch().await
    }

    /// Finds the nearest entities of up to 1,000 queries in one call. Their limits must not add up to more than 50,000.
    ///
    /// # Errors
    /// As [`Self::nearby`]. If one query is invalid, none is answered.
    pub async fn nearby_many(self, queries: &[NearbyQuery]) -> Result<NearestLists, Error> {
        let call = self.client.post(&["v1", self.kind.as_str(), "nearby"])?;
        call.json(&Queries { queries })?.repeatable().fetch().await
    }

    /// Returns a page of the entities in a box, in order of id. Repeat the call with [`Page::cursor`] until it is `None`.
    ///
    /// # Errors
    /// 422 `validation_failed` if a value is out of range, or the cursor belongs to another box; 503 `unavailable` if too many large
    /// searches wait.
    pub async fn within(self, query: &WithinQuery) -> Result<Page, Error> {
        let call = self.client.get(&["v1", self.kind.as_str(), "within"])?;
        query.add_to(call).fetch().await
    }
}
