//! The HTTP interface of the slice, one file per resource.

mod condition;
mod input;
mod items;
mod owned;
mod reservations;

pub use items::{
    __path_adjust_item, __path_delete_item, __path_get_item, __path_list_items, __path_put_item, adjust_item,
    delete_item, get_item, list_items, put_item,
};
pub use owned::{__path_list_owned, __path_release_owned, list_owned, release_owned};
pub use reservations::{
    __path_confirm, __path_extend, __path_get_reservation, __path_release, __path_reserve, __path_reserve_item,
    __path_take_back, confirm, extend, get_reservation, release, reserve, reserve_item, take_back,
};

use super::{Inventory, InventoryError};
use crate::http::{FieldError, Problem};
use actix_web::web;

/// The inventory of a worker, as the handlers take it.
pub type Stock = web::Data<Inventory>;

/// The largest body, bytes. 50 items with SKUs of the maximum length fit.
const MAX_BODY: usize = 16 * 1024;

/// `Retry-After` when the maximum number of items is reached, seconds: some have to be deleted first.
const RETRY_FULL_S: u32 = 60;

impl From<InventoryError> for Problem {
    fn from(error: InventoryError) -> Self {
        let detail = error.to_string();
        match error {
            InventoryError::Store(error) => error.into(),
            InventoryError::TooManyItems => {
                Self::too_many("too_many_items", "There are too many items", detail, RETRY_FULL_S)
            }
            InventoryError::Busy => Self::unavailable(detail, 1),
            InventoryError::NoItem(sku) => Self::not_found(detail).with("sku", sku.as_str()),
            InventoryError::NoReservation(_) => Self::not_found(detail),
            InventoryError::Insufficient { sku, available } => {
                Self::conflict("insufficient_stock", "There is not enough in stock", detail)
                    .with("sku", sku.as_str())
                    .with("available", available)
            }
            InventoryError::BelowReserved { reserved } => Self::conflict(
                "below_reserved",
                "The quantity would be less than what is reserved",
                format!("{detail}, unless it is set with allow_oversold"),
            )
            .with("reserved", reserved),
            InventoryError::Held { held } => Self::conflict("held", "The item is held", detail).with("held", held),
            InventoryError::Version { current } => {
                let detail = match current {
                    0 => "there is no such item".to_owned(),
                    _ => detail,
                };
                Self::conflict("version_conflict", "The version does not match", detail).with("version", current)
            }
            InventoryError::OtherGroup { group } => {
                let problem = Self::conflict("other_group", "The item has another group", detail);
                match group {
                    Some(group) => problem.with("group", group.as_str()),
                    None => problem,
                }
            }
            InventoryError::WrongState { state } => {
                Self::conflict("wrong_state", "The reservation's state does not allow it", detail)
                    .with("state", state.as_str())
            }
            InventoryError::NotThatMuch { sku, quantity } => {
                Self::conflict("not_that_much", "The part is larger than the reservation", detail)
                    .with("sku", sku.as_str())
                    .with("quantity", quantity)
            }
            InventoryError::SeveralItems => Self::validation_failed(vec![FieldError::new("quantity", detail)]),
            InventoryError::HasLeft => Self::conflict("has_left", "The stock was already consumed", detail),
            InventoryError::KeyReused => Self::validation_failed(vec![FieldError::new("id", detail)]),
            InventoryError::InProgress => Self::conflict("in_progress", "The reservation is being made", detail),
            InventoryError::Unacceptable { field, detail } => {
                Self::validation_failed(vec![FieldError::new(field, detail)])
            }
            InventoryError::Beyond | InventoryError::NotItsGoods => {
                Self::validation_failed(vec![FieldError::new("delta", detail)])
            }
        }
    }
}
