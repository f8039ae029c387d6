use super::model::State;
use crate::ids::Id;
use crate::store::{QueueFull, StoreError};

/// The reason why a call was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InventoryError {
    /// Redis failed. After [`StoreError::Lost`] the call may have been carried out. Every call can be repeated, except an adjustment
    /// without an expected version or an idempotency key, and a release or return of a portion without a key.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue of calls that wait for Redis is full.
    #[error("too many calls are waiting; try again")]
    Busy,
    /// The maximum number of items is reached.
    #[error("there are INVENTORY_MAX_ITEMS items; delete some, or raise INVENTORY_MAX_ITEMS")]
    TooManyItems,
    /// There is no such item.
    #[error("there is no item {0}")]
    NoItem(Id),
    /// There is no such reservation, or its retention has ended.
    #[error("there is no reservation {0}")]
    NoReservation(Id),
    /// Less of an item is available than requested.
    #[error("of {sku} only {available} are available; reserve fewer, or try again later")]
    Insufficient {
        /// The item.
        sku: Id,
        /// The available quantity.
        available: u64,
    },
    /// The new quantity is less than what is held and confirmed.
    #[error("{reserved} are held and confirmed; the quantity cannot be less")]
    BelowReserved {
        /// The held and confirmed quantity.
        reserved: u64,
    },
    /// The item cannot be deleted, because some of it is held.
    #[error("{held} are held; release them first, or wait until they expire")]
    Held {
        /// The held quantity.
        held: u64,
    },
    /// The new quantity is larger than [`super::model::MAX_QUANTITY`].
    #[error("more would be on hand than 2^53 - 1")]
    Beyond,
    /// The item has another version than expected.
    #[error("the version is {current}; read the item and repeat the change")]
    Version {
        /// The current version; 0 if there is no item.
        current: u64,
    },
    /// The item belongs to another group, or to none.
    #[error("the item belongs to another group; leave the group out, or delete the item first")]
    OtherGroup {
        /// The group of the item.
        group: Option<Id>,
    },
    /// The state of the reservation does not allow the transition.
    #[error("the reservation is {}; read it before you try again", .state.as_str())]
    WrongState {
        /// The current state.
        state: State,
    },
    /// The id or key was used before with another request.
    #[error("the same key was used with another request; use a new key")]
    KeyReused,
    /// Another call is creating the reservation.
    #[error("another call is creating the reservation; try again")]
    InProgress,
    /// A value is outside its range. Nothing was sent to Redis.
    #[error("{field}: {detail}")]
    Unacceptable {
        /// The member, as the HTTP interface names it.
        field: &'static str,
        /// The reason.
        detail: String,
    },
    /// The reservation has less of the item than requested to give back.
    #[error("the reservation has only {quantity} of {sku}")]
    NotThatMuch {
        /// The item.
        sku: Id,
        /// The quantity in the reservation.
        quantity: u64,
    },
    /// A quantity without an item is ambiguous, because the reservation has several items.
    #[error("the reservation has several items: name the items and their quantities")]
    SeveralItems,
    /// The goods to return were consumed, or their item was deleted.
    #[error("the goods were consumed, or their item was deleted; they cannot be returned")]
    HasLeft,
    /// The reservation does not have this quantity of the item.
    #[error("the reservation does not have this quantity of the item")]
    NotItsGoods,
}

impl From<QueueFull> for InventoryError {
    fn from(_: QueueFull) -> Self {
        Self::Busy
    }
}
