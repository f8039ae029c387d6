//! The bodies of the interface, as they are sent and as the `OpenAPI` document shows them.

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
    /// What is on hand, with what is held and confirmed.
    quantity: u64,
    /// What is held and confirmed.
    reserved: u64,
    /// How much of it is held.
    held: u64,
    /// How much of it is confirmed and has not left.
    confirmed: u64,
    /// What can be reserved.
    available: u64,
    /// How much more is held and confirmed than a count found on hand; not there if nothing is.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    oversold: u64,
    /// Grows by one with every change of the quantity; reservations leave it as it is.
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

/// A page of the items.
#[derive(Serialize, ToSchema)]
pub(super) struct ItemsAnswer<'a> {
    pub items: Vec<ItemAnswer<'a>>,
    /// Where to go on; none at the end.
    pub next: Option<String>,
}

/// So much of an item.
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
    /// RFC 3339, as the following.
    #[schema(format = DateTime, value_type = String)]
    created_at: Stamp,
    /// When the hold ends or ended.
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

/// A page of an owner's holds.
#[derive(Serialize, ToSchema)]
pub(super) struct ReservationsAnswer<'a> {
    pub reservations: Vec<ReservationAnswer<'a>>,
    /// Where to go on; none at the end.
    pub next: Option<String>,
}

/// What was released of an owner's holds.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"released": 100, "next": "3.1700000000000.r3.n0a1b"}))]
pub(super) struct ReleasedAnswer {
    /// How many, by this call.
    pub released: u64,
    /// Where to go on; none at the end.
    pub next: Option<String>,
}

/// A page of the items.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "shown in the document")]
pub(super) struct ItemsParams {
    /// Items of the page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(format = "cursor")]
    cursor: Option<String>,
}

/// A page of an owner's holds.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "shown in the document")]
pub(super) struct OwnedParams {
    /// As it was given when they were reserved.
    #[param(value_type = ExternalId)]
    owner: String,
    /// Holds of the page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(format = "cursor")]
    cursor: Option<String>,
}

/// A part of a reservation; all of it if neither is given.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"quantity": 1}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct PortionBody {
    /// So much of its only item, 1 to 2⁵³ − 1.
    #[schema(minimum = 1, maximum = 9007199254740991.0)]
    quantity: Option<u64>,
    /// So much of each of these, 1 to 50, none twice.
    #[schema(min_items = 1, max_items = 50)]
    items: Option<Vec<WishBody>>,
}

/// What is on hand of an item.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"quantity": 100}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct PutBody {
    /// 0 to 2⁵³ − 1, not below what is held and confirmed.
    #[schema(maximum = 9007199254740991.0)]
    quantity: u64,
    /// Whether it may be below that: a count has found less. The item is `oversold` then, and sells nothing until enough is there.
    #[schema(default = false)]
    allow_oversold: Option<bool>,
    /// The version that is expected; 0 for no item. Another one is a 409.
    #[schema(maximum = 9007199254740991.0)]
    version: Option<u64>,
    /// Items of one group are reserved together in one step. Fixed for as long as the item exists.
    group: Option<Id>,
}

/// How much more, or less, is on hand.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"delta": -3}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct AdjustBody {
    /// Not 0.
    #[schema(minimum = -9007199254740991.0, maximum = 9007199254740991.0)]
    delta: i64,
    /// The version that is expected. Another one is a 409.
    #[schema(minimum = 1, maximum = 9007199254740991.0)]
    version: Option<u64>,
    /// A confirmed reservation of which so much, all that it has of the item, leaves for good. Once, however often it is said.
    reservation: Option<Id>,
}

/// Stock of one item to take.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"quantity": 2, "ttl_s": 120, "owner": "rider-7"}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct ReserveItemBody {
    /// 1 to 2⁵³ − 1.
    #[schema(minimum = 1, maximum = 9007199254740991.0)]
    quantity: u64,
    /// How long the hold lasts: 1 to 604,800.
    #[schema(minimum = 1, maximum = 604800)]
    ttl_s: u32,
    owner: Option<ExternalId>,
    /// The reservation's id, if the client chooses it. Asked again with the same id it is answered alike.
    id: Option<Id>,
}

/// Stock of several items to take.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"items": [{"sku": "seat-a", "quantity": 1}, {"sku": "bike-b", "quantity": 1}], "ttl_s": 120}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct ReserveBody {
    /// 1 to 50, none twice.
    #[schema(min_items = 1, max_items = 50)]
    items: Vec<WishBody>,
    /// How long the hold lasts: 1 to 604,800.
    #[schema(minimum = 1, maximum = 604800)]
    ttl_s: u32,
    owner: Option<ExternalId>,
    /// The reservation's id, if the client chooses it. Asked again with the same id it is answered alike.
    id: Option<Id>,
}

/// So much of an item to take.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct WishBody {
    sku: Id,
    /// 1 to 2⁵³ − 1.
    #[schema(minimum = 1, maximum = 9007199254740991.0)]
    quantity: u64,
}

/// A new end of a hold.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ttl_s": 120}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct ExtendBody {
    /// How long from now it lasts: 1 to 604,800. Never shorter than it does.
    #[schema(minimum = 1, maximum = 604800)]
    ttl_s: u32,
}
