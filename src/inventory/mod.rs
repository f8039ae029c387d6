//! Stock and reservations. Stock is never sold twice: not under concurrency, and not when clients, instances or Redis fail.
//!
//! ```text
//! handlers ─▶ stock, consume ─────────────────▶ commands (Lua) ─▶ Redis ─▶ event channel
//!       └───▶ reservations ─▶ batch ──────────▶ ▲
//!                    └──────▶ saga (several partitions) ▲
//!                                             sweep ────┘
//! ```
//!
//! There are 16 partitions, `p`. An item and all its data are in the partition of its group, or of its SKU if it has no group. So one
//! script reads and writes all of it, and the items of a group are reserved in one atomic step.
//!
//! | key | type | content |
//! |---|---|---|
//! | `inv:{i:p}:items` | hash | by SKU: `QUANTITY HELD CONFIRMED VERSION UPDATED BORN GROUP`; under the empty name the highest version of a deleted item |
//! | `inv:{i:p}:names` | sorted set | the SKUs in order, for listings |
//! | `inv:{i:p}:reservations` | hash | by id: `STATE CREATED EXPIRES ENDED PARTS BORNS TERMS` (see `lua/books.lua`) |
//! | `inv:{i:p}:due` | sorted set | holds by the time at which they expire |
//! | `inv:{i:p}:ended` | sorted set | ended and confirmed reservations by the time at which a sweep checks them |
//! | `inv:{i:p}:parted` | sorted set | reservations whose parts in other partitions have not followed the last decision, by the time at which a sweep completes them |
//! | `inv:{i:p}:kept` | sorted set | confirmed and released reservations whose parts have followed, by the time at which a sweep checks whether they can be forgotten |
//! | `inv:{i:p}:clock` | string | the latest time that a sweep has seen; a clock that is behind it was set back, and holds are corrected |
//! | `inv:{i:p}:once:DIGEST` | string | an idempotency key: the digest of the body of its call, and the answer; for 24 h |
//! | `inv:{i:p}:group:SKU` | string | the group of an item, in the partition of its SKU; recorded shortly before the item is created, and kept for a while after it is deleted |
//! | `dbN:inventory` | channel | one message for each transition, [below](self#events); `N` is the number of the Redis database |
//!
//! ```text
//!  reserve          confirm             return
//!     ▼            ┌────────▶ confirmed ────────▶ returned
//!   held ──────────┤           ▲ └─ adjust with the reservation: its goods are removed from the stock
//!   ▲  │ release   └─▶ released│ confirm, if the stock is available
//!   └──┘ extend                │
//!     └───── expire ─▶ expired ┘
//! ```
//!
//! **Invariant.** `HELD + CONFIRMED ≤ QUANTITY` of every item at every moment. `HELD` and `CONFIRMED` are the sums over its held and its
//! confirmed reservations. The available quantity is computed. A change that would break the invariant is refused. The exception is a
//! count that allows it explicitly: then the item is oversold, nothing of it can be reserved, and what is held can still be confirmed.
//!
//! **Portions.** A portion of a hold can be released, and a portion of a confirmed reservation returned; the reservation continues with the
//! rest. Its terms do not change, because a repeated creation is recognised by them; what is left is noted beside them.
//!
//! **Expiry is decided in Redis.** No script decides anything while a hold of its partition is due and has not given back its stock. It
//! expires up to 50 of them first; if there are more, it answers `behind`, and its caller sweeps before it calls again.
//!
//! **Confirmed stock stays on hand** until it is consumed: `adjust` with the reservation subtracts it once. So a confirmed reservation is
//! kept while its goods are on hand. Others are kept for a day (`INVENTORY_KEEP_S`) after their end; an id or a key that is used again
//! later is a new one. A deleted item takes its confirmed reservations with it. Memory is bounded by the stock and by the reservations that
//! end in a day: about 320 bytes each.
//!
//! **A key for one item ends with the item.** It is part of a reservation id that is in the partition of the item. After a deletion the item
//! may be created in another partition; then the same key may return the old reservation or create a new one.
//!
//! **Versions** count changes of the quantity only. A reservation does not invalidate an `If-Match`, because the invariant protects
//! reservations.
//!
//! **Across groups** a reservation is not atomic: see [below](self#across-groups).
//!
//! # Events
//!
//! Each transition is published once, by the script that writes it, as a JSON object; only current subscribers receive it. The channel
//! is the key prefix and `dbN:inventory`, by default `fp:db0:inventory`: `N` is the number of the Redis database, because Redis's
//! pub/sub ignores databases. On a Cluster it is a sharded channel for each partition, `fp:db0:inventory:{i:p}`.
//!
//! | `event` | when | members besides `at_ms` |
//! |---|---|---|
//! | `held` | a reservation was created | `reservation`, `owner` if it has one, `items`, `expires_ms` |
//! | `extended` | its hold was extended to `expires_ms` | the same |
//! | `confirmed` | it was confirmed, in time or late | the same |
//! | `released` | it was released | the same |
//! | `reduced` | a portion of it was released or returned; `items` is what is left | the same |
//! | `returned` | it was returned after its confirmation | the same |
//! | `expired` | its hold expired at `expires_ms`; `at_ms` is the time of the transition | the same |
//! | `stock` | the quantity of an item was set or adjusted, or confirmed goods were consumed | `sku`, `quantity`, `reserved`, `version`, after the change |
//! | `deleted` | an item was deleted | the same, before the deletion |
//!
//! `items` is a list of `{"sku", "quantity"}`; one event has all items, also of several groups. Times are Unix
//! milliseconds by Redis's clock.
//!
//! # Across groups
//!
//! A reservation of items in several partitions is a saga. Its intermediate states are visible. The stock of some items is taken while that
//! of others is not, during the few round trips of the creation, and for 30 s at most if the instance fails; if one item is not available,
//! the stock is given back. A part is confirmed while another is still held, or held after a release, for 5 s at most if the instance
//! fails. The reservation itself has one state at every moment, decided by one record, which also decides whether its goods are consumed or
//! returned. A late confirmation that is refused gives back the stock that it had taken again, unless a concurrent call relies on the same
//! parts: then they expire within 30 s.
//!
//! **A limit.** Redis can become unavailable after a decision and before its parts have followed: a moment, or 5 s if the instance fails as
//! well. If it stays unavailable for longer than the parts last, they expire, and another client may take the stock. The parts last 30 s,
//! or for the rest of the hold if that is longer; those of a new reservation 30 s at most. A confirmation is not acknowledged before its
//! parts have followed: its client gets a 503, and a repeated call a 409 until the stock is available, which is also tried every ten
//! minutes with a warning in the log. A hold or an extension may have been acknowledged: it takes its stock again when it is confirmed,
//! and may be refused.
//!
//! **Not guaranteed.** What Redis loses is lost: `appendfsync everysec` may lose a second in a power failure. An item of a group whose
//! creation was not answered, because the instance failed, may be found by its SKU for a day (`INVENTORY_KEEP_S`) only: put it again, as
//! after every lost answer. A client that disconnects interrupts nothing.

mod api;
mod batch;
mod check;
pub mod commands;
mod consume;
mod docs;
mod error;
mod follow;
mod give_back;
mod group_entry;
pub mod handlers;
mod item_count;
mod keys;
pub mod model;
mod openapi;
mod owned;
mod record;
mod reservations;
mod routes;
mod saga;
mod settings;
mod steps;
mod stock;
pub mod sweep;
mod tasks;
mod wiring;

pub use api::Inventory;
pub use commands::Expected;
pub use error::InventoryError;
pub use item_count::ItemCount;
pub use keys::INVENTORY_PARTITIONS;
pub use model::{Goods, Item, Name, OnHand, Portion, Reservation, State, Terms};
pub use openapi::Document;
pub use owned::OwnedCursor;
pub use reservations::Made;
pub use routes::routes;
pub use settings::InventorySettings;
pub use stock::{Cursor, Put};
pub use wiring::Slice;
