//! The bodies of the interface, as they are sent and as the `OpenAPI` document shows them.

use super::model::{Goods, Item, Reservation};
use crate::http::Stamp;
use serde::Serialize;
use utoipa::ToSchema;

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
    /// Grows by one with every change of the quantity; reservations leave it as it is.
    version: u64,
    /// When the quantity was last changed, RFC 3339.
    #[schema(value_type = String)]
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
            version: item.version,
            updated_at: Stamp(item.updated_ms),
            group: item.group.as_deref(),
        }
    }
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

/// A reservation.
#[derive(Serialize, ToSchema)]
pub(super) struct ReservationAnswer<'a> {
    id: &'a str,
    /// `held`, `confirmed`, `released` or `expired`.
    state: &'static str,
    items: Vec<GoodsAnswer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    /// RFC 3339, as the following.
    #[schema(value_type = String)]
    created_at: Stamp,
    /// When the hold ends or ended.
    #[schema(value_type = String)]
    expires_at: Stamp,
    /// When it was confirmed, released or expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
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

/// What is on hand of an item.
#[derive(ToSchema)]
#[schema(example = json!({"quantity": 100}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct PutBody {
    /// 0 to 2⁵³ − 1, not below what is held and confirmed.
    quantity: u64,
    /// The version that is expected; 0 for no item. Another one is a 409.
    version: Option<u64>,
    /// Items of one group are reserved together in one step. Fixed for as long as the item exists.
    group: Option<String>,
}

/// How much more, or less, is on hand.
#[derive(ToSchema)]
#[schema(example = json!({"delta": -3}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct AdjustBody {
    /// Not 0.
    delta: i64,
    /// The version that is expected. Another one is a 409.
    version: Option<u64>,
    /// A confirmed reservation of which so much, all that it has of the item, leaves for good. Once, however often it is said.
    reservation: Option<String>,
}

/// Stock of one item to take.
#[derive(ToSchema)]
#[schema(example = json!({"quantity": 2, "ttl_s": 120, "owner": "rider-7"}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct ReserveItemBody {
    /// 1 to 2⁵³ − 1.
    quantity: u64,
    /// How long the hold lasts: 1 to 604,800.
    ttl_s: u32,
    owner: Option<String>,
    /// The reservation's id, if the client chooses it. Asked again with the same id it is answered alike.
    id: Option<String>,
}

/// Stock of several items to take.
#[derive(ToSchema)]
#[schema(example = json!({"items": [{"sku": "seat-a", "quantity": 1}, {"sku": "bike-b", "quantity": 1}], "ttl_s": 120}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct ReserveBody {
    /// 1 to 50, none twice.
    items: Vec<WishBody>,
    /// How long the hold lasts: 1 to 604,800.
    ttl_s: u32,
    owner: Option<String>,
    /// The reservation's id, if the client chooses it. Asked again with the same id it is answered alike.
    id: Option<String>,
}

/// So much of an item to take.
#[derive(ToSchema)]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct WishBody {
    sku: String,
    /// 1 to 2⁵³ − 1.
    quantity: u64,
}

/// A new end of a hold.
#[derive(ToSchema)]
#[schema(example = json!({"ttl_s": 120}))]
#[expect(dead_code, reason = "shown in the document, read member by member")]
pub(super) struct ExtendBody {
    /// How long from now it lasts: 1 to 604,800. Never shorter than it does.
    ttl_s: u32,
}
