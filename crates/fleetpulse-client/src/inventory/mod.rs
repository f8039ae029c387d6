//! Stock of items, and reservations of it.

mod items;
mod reservations;

use crate::Client;
pub use items::{Adjustment, Item, Items, Stock};
pub use reservations::{
    ItemQuantity, ItemReservation, NewReservation, Part, Reservation, ReservationState, Reservations,
};

/// Calls about stock and reservations; see [`Client::inventory`].
#[derive(Debug, Clone, Copy)]
pub struct Inventory<'c> {
    client: &'c Client,
}

impl<'c> Inventory<'c> {
    pub(crate) const fn new(client: &'c Client) -> Self {
        Self { client }
    }
}
