use super::model::State;
use crate::ids::Id;
use crate::store::{QueueFull, StoreError};

/// Why a call of the inventory was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InventoryError {
    /// Redis. After [`StoreError::Lost`] the call may have been carried out; every call may be made again as it is, except
    /// an adjustment without an expected version or an idempotency key, and a part given back without a key.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// More calls are waiting for Redis than may.
    #[error("too many calls are waiting; try again")]
    Busy,
    /// There are as many items as there may be.
    #[error("there are INVENTORY_MAX_ITEMS items; delete some, or raise INVENTORY_MAX_ITEMS")]
    TooManyItems,
    /// There is no such item.
    #[error("there is no item {0}")]
    NoItem(Id),
    /// There is no such reservation, or it ended too long ago.
    #[error("there is no reservation {0}")]
    NoReservation(Id),
    /// Less of an item is available than was asked for.
    #[error("of {sku} only {available} are available; reserve fewer, or try again later")]
    Insufficient {
        /// Of which.
        sku: Id,
        /// How much there is.
        available: u64,
    },
    /// More is held and confirmed than would be on hand.
    #[error("{reserved} are held and confirmed; the quantity cannot be less")]
    BelowReserved {
        /// How much.
        reserved: u64,
    },
    /// An item is not deleted while some of it is held.
    #[error("{held} are held; release them first, or wait until they expire")]
    Held {
        /// How much.
        held: u64,
    },
    /// More would be on hand than [`super::model::MAX_QUANTITY`].
    #[error("more would be on hand than 2^53 - 1")]
    Beyond,
    /// The item has another version than expected.
    #[error("the version is {current}; read the item and repeat the change")]
    Version {
        /// Which; 0 if there is no item.
        current: u64,
    },
    /// The item belongs to another group, or to none.
    #[error("the item belongs to another group; leave the group out, or delete the item first")]
    OtherGroup {
        /// To which.
        group: Option<Id>,
    },
    /// The reservation is in a state from which there is no way to what was asked for.
    #[error("the reservation is {}", .state.as_str())]
    WrongState {
        /// Which.
        state: State,
    },
    /// The id or key was used before, with other terms.
    #[error("the same key was used with another request; use a new key")]
    KeyReused,
    /// The reservation is being made right now by another call.
    #[error("the reservation is being made by another call")]
    InProgress,
    /// A value outside its range: nothing was sent to Redis.
    #[error("{field}: {detail}")]
    Unacceptable {
        /// Of which member of the call, as the HTTP interface names it.
        field: &'static str,
        /// Why.
        detail: String,
    },
    /// The reservation has less of the item than is to be given back.
    #[error("the reservation has only {quantity} of {sku}")]
    NotThatMuch {
        /// Of which.
        sku: Id,
        /// How much it has.
        quantity: u64,
    },
    /// A quantity alone does not say of which of the reservation's items.
    #[error("the reservation has several items: say how much of which")]
    SeveralItems,
    /// What is to be taken back has left, or its item is gone.
    #[error("what was confirmed has left, or its item is gone; it cannot be returned")]
    HasLeft,
    /// The reservation has none of the item, or another quantity of it.
    #[error("the reservation does not have this quantity of the item")]
    NotItsGoods,
}

impl From<QueueFull> for InventoryError {
    fn from(_: QueueFull) -> Self {
        Self::Busy
    }
}
