//! The bodies of requests and responses, as the `OpenAPI` document shows them.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]

use super::model::{Goods, Item, Reservation};
use crate::http::Stamp;
use crate::ids::{ExternalId, Id};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// An item of the stock.
#[derive(Serialize, ToSchema)]
pub(super) struct ItemAnswer<'a> {
    sku: &'a str,
    /// The quantity on hand, including what is held and confirmed.
    quantity: u64,
    /// The quantity that is held or confirmed.
    reserved: u64,
    /// The quantity that is held.
    held: u64,
    /// The quantity that is confirmed and still on hand.
    confirmed: u64,
    /// The quantity that can be reserved.
    available: u64,
    /// The quantity that is held or confirmed beyond the quantity on hand; absent if 0.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    oversold: u64,
    /// Increases by one with every change of the quantity. Reservations do not change it.
    version: u64,
    /// When the quantity was last changed, RFC 3339.
    #[schema(format = DateTime, value_type = String)]
    updated_at: Stamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
}

impl<'a> From<&'a Item> for ItemAnswer<'a> {
    fn from(item: &'a Item) -> Self {
        Self {
            sku: &item.sku,
            quantity: item.quantity,
            reserved: item.reserved(),
            held: item.held,
            confirmed: item.confirmed,
            available: item.available(),
            oversold: item.oversold(),
            version: item.version,
            updated_at: Stamp(item.updated_ms),
            group: item.group.as_deref(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A page of items.
#[derive(Serialize, ToSchema)]
pub(super) struct ItemsAnswer<'a> {
    pub items: Vec<ItemAnswer<'a>>,
    /// The cursor of the next page; `null` on the last page.
    pub next: Option<String>,
}

/// A quantity of an item.
#[derive(Serialize, ToSchema)]
pub(super) struct GoodsAnswer<'a> {
    sku: &'a str,
    quantity: u64,
}

impl<'a> From<&'a Goods> for GoodsAnswer<'a> {
    fn from(goods: &'a Goods) -> Self {
        Self {
            sku: &goods.sku,
            quantity: goods.quantity,
        }
    }
}

/// The state of a reservation.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "shown in the document")]
pub(super) enum ReservationState {
    Held,
    Confirmed,
    Released,
    Expired,
    Returned,
}

/// A reservation.
#[derive(Serialize, ToSchema)]
pub(super) struct ReservationAnswer<'a> {
    id: &'a str,
    /// `held`, `confirmed`, `released`, `expired` or `returned`.
    #[schema(value_type = ReservationState)]
    state: &'static str,
    items: Vec<GoodsAnswer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    /// RFC 3339, like the following.
    #[schema(format = DateTime, value_type = String)]
    created_at: Stamp,
    /// When the hold expires or expired.
    #[schema(format = DateTime, value_type = String)]
    expires_at: Stamp,
    /// When it was confirmed, released, returned or expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, value_type = Option<String>)]
    ended_at: Option<Stamp>,
}

impl<'a> From<&'a Reservation> for ReservationAnswer<'a> {
    fn from(reservation: &'a Reservation) -> Self {
        Self {
            id: &reservation.id,
            state: reservation.state.as_str(),
            items: reservation.goods.iter().map(Into::into).collect(),
            owner: reservation.owner.as_deref(),
            created_at: Stamp(reservation.created_ms),
            expires_at: Stamp(reservation.expires_ms),
            ended_at: reservation.ended_ms.map(Stamp),
        }
    }
}

/// A page of the holds of an owner.
#[derive(Serialize, ToSchema)]
pub(super) struct ReservationsAnswer<'a> {
    pub reservations: Vec<ReservationAnswer<'a>>,
    /// The cursor of the next page; `null` on the last page.
    pub next: Option<String>,
}

/// The result of releasing the holds of an owner.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"released": 100, "next": "3.1700000000000.r3.n0a1b"}))]
pub(super) struct ReleasedAnswer {
    /// The number of holds that this call released.
    pub released: u64,
    /// The cursor of the next page; `null` on the last page.
    pub next: Option<String>,
}

/// The query of a page of items.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "shown in the document")]
pub(super) struct ItemsParams {
    /// Maximum number of items.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next` of the previous page.
    #[param(format = "cursor")]
    cursor: Option<String>,
}

/// The query of a page of holds.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "shown in the document")]
pub(super) struct OwnedParams {
    /// The `owner` of the reservations.
    #[param(value_type = ExternalId)]
    owner: String,
    /// Maximum number of holds.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next` of the previous page.
    #[param(format = "cursor")]
    cursor: Option<String>,
}

/// A part of a reservation; the whole reservation if neither member is given.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"quantity": 1}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct PortionBody {
    /// The quantity of its only item, 1 to 2⁵³ − 1.
    #[schema(minimum = 1, maximum = 9007199254740991.0)]
    quantity: Option<u64>,
    /// The quantities of 1 to 50 different items.
    #[schema(min_items = 1, max_items = 50)]
    items: Option<Vec<WishBody>>,
}

/// The quantity of an item.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"quantity": 100}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct PutBody {
    /// 0 to 2⁵³ − 1, not less than what is held and confirmed.
    #[schema(maximum = 9007199254740991.0)]
    quantity: u64,
    /// Whether the quantity may be less than what is held and confirmed, because a count found less. Then the item is `oversold`, and
    /// cannot be reserved until the quantity is large enough.
    #[schema(default = false)]
    allow_oversold: Option<bool>,
    /// The expected version; 0 if the item must not exist. A mismatch is a 409.
    #[schema(maximum = 9007199254740991.0)]
    version: Option<u64>,
    /// The group of the item. Items of one group are reserved together in one atomic step. It is fixed while the item exists.
    group: Option<Id>,
}

/// A change of the quantity of an item.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"delta": -3}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct AdjustBody {
    /// Not 0.
    #[schema(minimum = -9007199254740991.0, maximum = 9007199254740991.0)]
    delta: i64,
    /// The expected version. A mismatch is a 409.
    #[schema(minimum = 1, maximum = 9007199254740991.0)]
    version: Option<u64>,
    /// A confirmed reservation whose goods of this item are removed from the stock. The quantity must be all that it has of the item.
    /// Repeating the call changes nothing.
    reservation: Option<Id>,
}

/// A reservation of one item.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"quantity": 2, "ttl_s": 120, "owner": "rider-7"}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct ReserveItemBody {
    /// 1 to 2⁵³ − 1.
    #[schema(minimum = 1, maximum = 9007199254740991.0)]
    quantity: u64,
    /// Duration of the hold, seconds: 1 to 604,800.
    #[schema(minimum = 1, maximum = 604800)]
    ttl_s: u32,
    owner: Option<ExternalId>,
    /// The id of the reservation, if the client chooses it. A repeated call with the same id gets the same answer.
    id: Option<Id>,
}

/// A reservation of several items.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"items": [{"sku": "seat-a", "quantity": 1}, {"sku": "bike-b", "quantity": 1}], "ttl_s": 120}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct ReserveBody {
    /// 1 to 50 different items.
    #[schema(min_items = 1, max_items = 50)]
    items: Vec<WishBody>,
    /// Duration of the hold, seconds: 1 to 604,800.
    #[schema(minimum = 1, maximum = 604800)]
    ttl_s: u32,
    owner: Option<ExternalId>,
    /// The id of the reservation, if the client chooses it. A repeated call with the same id gets the same answer.
    id: Option<Id>,
}

/// A quantity of an item.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct WishBody {
    sku: Id,
    /// 1 to 2⁵³ − 1.
    #[schema(minimum = 1, maximum = 9007199254740991.0)]
    quantity: u64,
}

/// An extension of a hold.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ttl_s": 120}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct ExtendBody {
    /// Duration from now on, seconds: 1 to 604,800. The hold never becomes shorter.
    #[schema(minimum = 1, maximum = 604800)]
    ttl_s: u32,
}
