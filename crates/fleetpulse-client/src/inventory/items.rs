use super::Inventory;
use crate::Error;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The quantity of an item, to set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stock {
    /// The quantity on hand, up to 2^53 − 1.
    pub quantity: u64,
    /// The group of the item. Items of one group are reserved together in one atomic step.
    pub group: Option<String>,
    /// Whether the quantity may be less than what is held and confirmed; by default it may not.
    pub allow_oversold: Option<bool>,
    /// The expected version of the item; 0 if the item must not exist.
    pub version: Option<u64>,
}

impl Stock {
    /// Creates a quantity without an expected version.
    #[must_use]
    pub fn new(quantity: u64) -> Self {
        Self {
            quantity,
            ..Self::default()
        }
    }
}

/// A change of the quantity of an item.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Adjustment {
    /// What is added to the quantity; negative for what is removed. Not 0.
    pub delta: i64,
    /// A confirmed reservation whose quantity of the item is removed. `delta` must be this quantity with a minus sign.
    pub reservation: Option<String>,
    /// The expected version of the item.
    pub version: Option<u64>,
}

impl Adjustment {
    /// Creates a change by `delta` without an expected version.
    #[must_use]
    pub fn new(delta: i64) -> Self {
        Self {
            delta,
            ..Self::default()
        }
    }
}

/// An item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Item {
    /// The id of the item.
    pub sku: String,
    /// The quantity on hand, including what is held and confirmed.
    pub quantity: u64,
    /// The quantity that is held or confirmed.
    pub reserved: u64,
    /// The quantity that is held.
    pub held: u64,
    /// The quantity that is confirmed and still on hand.
    pub confirmed: u64,
    /// The quantity that can be reserved.
    pub available: u64,
    /// The quantity by which `reserved` exceeds `quantity`.
    #[serde(default)]
    pub oversold: u64,
    /// The group of the item.
    pub group: Option<String>,
    /// The version of the item. It increases with each change of the quantity; reservations do not change it.
    pub version: u64,
    /// When the quantity was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A page of items.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Items {
    /// The items.
    pub items: Vec<Item>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<String>,
}

impl Inventory<'_> {
    /// Sets the quantity of an item, and creates the item if there is none. A call with an expected version is not repeated after a lost
    /// answer, because the first attempt may have changed the version.
    ///
    /// # Errors
    /// 409 `below_reserved` if more is reserved; 409 `version_conflict` if the item has another version; 409 `other_group` if it has
    /// another group; 429 `too_many_items` if there are as many items as there may be.
    pub async fn put_item(self, sku: &str, stock: &Stock) -> Result<Item, Error> {
        let call = self.client.put(&["v1", "inventory", sku])?.json(stock)?;
        let call = if stock.version.is_some() {
            call.not_repeatable()
        } else {
            call
        };
        call.fetch().await
    }

    /// Adds to the quantity of an item, or removes what a reservation has confirmed. The call sends an idempotency key.
    ///
    /// # Errors
    /// 404 `not_found` if the item or the reservation does not exist; 409 `below_reserved` if more is reserved; 409 `version_conflict` if
    /// the item has another version; 409 `wrong_state` if the reservation is not confirmed.
    pub async fn adjust_item(self, sku: &str, adjustment: &Adjustment) -> Result<Item, Error> {
        let call = self.client.post(&["v1", "inventory", sku, "adjust"])?;
        call.json(adjustment)?.keyed().fetch().await
    }

    /// Returns an item; `None` if there is none.
    ///
    /// # Errors
    /// 422 `validation_failed` if the id is invalid; 503 `unavailable` while Redis is unavailable.
    pub async fn item(self, sku: &str) -> Result<Option<Item>, Error> {
        self.client.get(&["v1", "inventory", sku])?.find().await
    }

    /// Returns a page of all items, in no particular order. `limit` is the size of the page. `cursor` is [`Items::next`] of the previous
    /// page.
    ///
    /// # Errors
    /// 422 `validation_failed` if the limit or the cursor is invalid.
    pub async fn items(self, limit: Option<u32>, cursor: Option<&str>) -> Result<Items, Error> {
        let call = self.client.get(&["v1", "inventory"])?;
        call.query_if("limit", limit).query_if("cursor", cursor).fetch().await
    }

    /// Deletes an item.
    ///
    /// # Errors
    /// 409 `held` while some of it is held. To delete an item that does not exist is not an error.
    pub async fn delete_item(self, sku: &str) -> Result<(), Error> {
        self.client.delete(&["v1", "inventory", sku])?.done().await
    }
}
