use super::Inventory;
use crate::Error;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A quantity of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemQuantity {
    /// The id of the item.
    pub sku: String,
    /// The quantity, at least 1.
    pub quantity: u64,
}

impl ItemQuantity {
    /// Creates a quantity of an item.
    #[must_use]
    pub fn new(sku: &str, quantity: u64) -> Self {
        let sku = sku.to_owned();
        Self { sku, quantity }
    }
}

/// A reservation of several items, to create.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NewReservation {
    /// 1 to 50 different items. Either all of them are reserved, or none.
    pub items: Vec<ItemQuantity>,
    /// How long the stock is held, seconds, 1 to 604,800.
    pub ttl_s: u32,
    /// The owner of the reservation: any text of 1 to 256 bytes.
    pub owner: Option<String>,
    /// The id of the reservation; by default the service generates one.
    pub id: Option<String>,
}

/// A reservation of one item, to create.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ItemReservation {
    /// The quantity, at least 1.
    pub quantity: u64,
    /// How long the stock is held, seconds, 1 to 604,800.
    pub ttl_s: u32,
    /// The owner of the reservation: any text of 1 to 256 bytes.
    pub owner: Option<String>,
    /// The id of the reservation; by default the service generates one.
    pub id: Option<String>,
}

impl ItemReservation {
    /// Creates a reservation of `quantity` that is held for `ttl_s` seconds.
    #[must_use]
    pub fn new(quantity: u64, ttl_s: u32) -> Self {
        Self {
            quantity,
            ttl_s,
            ..Self::default()
        }
    }
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Reservation {
    /// The id of the reservation.
    pub id: String,
    /// The state of the reservation.
    pub state: ReservationState,
    /// The items and their quantities.
    pub items: Vec<ItemQuantity>,
    /// The owner of the reservation.
    pub owner: Option<String>,
    /// When the reservation was created.
    pub created_at: DateTime<Utc>,
    /// When the hold expires or has expired.
    pub expires_at: DateTime<Utc>,
    /// When the reservation was confirmed, released or returned, or has expired.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The state of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReservationState {
    /// The stock is held until `expires_at`.
    Held,
    /// The reservation is confirmed: the stock stays reserved.
    Confirmed,
    /// The hold was released.
    Released,
    /// The confirmed stock was returned.
    Returned,
    /// The hold has expired.
    Expired,
}

/// A page of reservations.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Reservations {
    /// The reservations.
    pub reservations: Vec<Reservation>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// A part of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A quantity of its only item.
    Quantity(u64),
    /// The quantities of 1 to 50 different items.
    Items(Vec<ItemQuantity>),
}

#[derive(Serialize)]
struct Extension {
    ttl_s: u32,
}

impl Inventory<'_> {
    /// Reserves several items, all or none. The call sends an idempotency key.
    ///
    /// # Errors
    /// 409 `insufficient_stock` if too little is available, with the members `sku` and `available`; 404 `not_found` if an item does not
    /// exist; 409 `in_progress` if another call with the same key or id is in progress.
    pub async fn reserve(self, reservation: &NewReservation) -> Result<Reservation, Error> {
        let call = self.client.post(&["v1", "reservations"])?;
        call.json(reservation)?.keyed().fetch().await
    }

    /// Reserves one item. The call sends an idempotency key.
    ///
    /// # Errors
    /// 409 `insufficient_stock` if too little is available, with the member `available`; 404 `not_found` if the item does not exist.
    pub async fn reserve_item(self, sku: &str, reservation: &ItemReservation) -> Result<Reservation, Error> {
        let call = self.client.post(&["v1", "inventory", sku, "reservations"])?;
        call.json(reservation)?.keyed().fetch().await
    }

    /// Returns a reservation; `None` if there is none, or it ended more than a day ago.
    ///
    /// # Errors
    /// 422 `validation_failed` if the id is invalid; 503 `unavailable` while Redis is unavailable.
    pub async fn reservation(self, id: &str) -> Result<Option<Reservation>, Error> {
        self.client.get(&["v1", "reservations", id])?.find().await
    }

    /// Returns a page of the holds of an owner. `cursor` is [`Reservations::next`] of the previous page. A page may be empty although it is
    /// not the last one.
    ///
    /// # Errors
    /// 422 `validation_failed` if the owner or the cursor is invalid.
    pub async fn holds(self, owner: &str, cursor: Option<&str>) -> Result<Reservations, Error> {
        let call = self.client.get(&["v1", "reservations"])?;
        call.query("owner", owner).query_if("cursor", cursor).fetch().await
    }

    /// Confirms a hold. A hold that has expired takes its stock again if that is available.
    ///
    /// # Errors
    /// 404 `not_found` if the reservation does not exist; 409 `wrong_state` if it was released or returned; 409 `insufficient_stock` if it
    /// has expired and its stock is not available.
    pub async fn confirm(self, id: &str) -> Result<Reservation, Error> {
        let call = self.client.post(&["v1", "reservations", id, "confirm"])?;
        call.repeatable().fetch().await
    }

    /// Extends a hold to `ttl_s` seconds from now. It never becomes shorter.
    ///
    /// # Errors
    /// 404 `not_found` if the reservation does not exist; 409 `wrong_state` if it is not held.
    pub async fn extend(self, id: &str, ttl_s: u32) -> Result<Reservation, Error> {
        let call = self.client.post(&["v1", "reservations", id, "extend"])?;
        call.json(&Extension { ttl_s })?.repeatable().fetch().await
    }

    /// Releases a hold, or a part of it. The call sends an idempotency key.
    ///
    /// # Errors
    /// 404 `not_found` if the reservation does not exist; 409 `wrong_state` if it is confirmed; 409 `not_that_much` if the part is larger
    /// than what is held.
    pub async fn release(self, id: &str, part: Option<&Part>) -> Result<Reservation, Error> {
        self.undo(id, "release", part).await
    }

    /// Returns a confirmed reservation, or a part of it, to the available stock. The call sends an idempotency key.
    ///
    /// # Errors
    /// 404 `not_found` if the reservation does not exist; 409 `wrong_state` if it is not confirmed; 409 `has_left` if its stock was removed
    /// from the quantity; 409 `not_that_much` if the part is larger than what is confirmed.
    pub async fn return_confirmed(self, id: &str, part: Option<&Part>) -> Result<Reservation, Error> {
        self.undo(id, "return", part).await
    }

    async fn undo(self, id: &str, verb: &str, part: Option<&Part>) -> Result<Reservation, Error> {
        let call = self.client.post(&["v1", "reservations", id, verb])?.keyed();
        match part {
            Some(part) => call.json(part)?.fetch().await,
            None => call.fetch().await,
        }
    }
}
