//! Stock and reservations: never sold twice, whoever asks, dies or is away.
//!
//! ```text
//! handlers ─▶ stock, leaving ─────────────────▶ commands (Lua) ─▶ Redis ─▶ event channel
//!       └───▶ reservations ─▶ batch ──────────▶ ▲
//!                    └──────▶ saga (several partitions) ▲
//!                                             sweep ────┘
//! ```
//!
//! There are 16 partitions, `p`. An item is in that of its group, or of its own name if it has none, with everything
//! that is about it; so one script keeps its books, and the items of a group are reserved in one step.
//!
//! | key | type | what |
//! |---|---|---|
//! | `inv:{i:p}:items` | hash | by SKU: `QUANTITY HELD CONFIRMED VERSION UPDATED BORN GROUP`; under the empty name the highest version of what was deleted |
//! | `inv:{i:p}:names` | sorted set | the SKUs in order, for listings |
//! | `inv:{i:p}:reservations` | hash | by id: `STATE CREATED EXPIRES ENDED PARTS BORNS TERMS` (see `lua/books.lua`) |
//! | `inv:{i:p}:due` | sorted set | holds by their end |
//! | `inv:{i:p}:ended` | sorted set | ended and confirmed reservations by when they are looked at again |
//! | `inv:{i:p}:parted` | sorted set | reservations with parts in other partitions that have not yet heard of the last decision, by when others look after those |
//! | `inv:{i:p}:kept` | sorted set | confirmed and released ones whose parts have heard of it, by when it is checked whether they can be forgotten |
//! | `inv:{i:p}:clock` | string | the latest time that a sweep has seen; a clock that is behind it was set back, and holds are corrected |
//! | `inv:{i:p}:once:DIGEST` | string | a call with an idempotency key: the digest of its body, and its answer; for 24 h |
//! | `inv:{i:p}:group:SKU` | string | the group of an item, in the partition that it would be in without one; claimed for a while before the item is made, and kept for a while after it |
//! | `dbN:inventory` | channel | one message a transition, [below](self#events); `N` is the number of the Redis database |
//!
//! ```text
//!  reserve          confirm             return
//!     ▼            ┌────────▶ confirmed ────────▶ returned
//!   held ──────────┤           ▲ └─ adjust with the reservation: it has left, its quantity with it
//!   ▲  │ release   └─▶ released│ confirm, if the stock is there
//!   └──┘ extend                │
//!     └── time over ─▶ expired ┘
//! ```
//!
//! **Invariant.** `HELD + CONFIRMED ≤ QUANTITY` of every item at every moment, and `HELD` and `CONFIRMED` are the sums over its
//! held and its confirmed reservations. What is available is computed. A change that would break it is refused, but for a count of what
//! is on hand that says it may be less: then the item is oversold, nothing of it can be reserved, and what is held can be confirmed.
//!
//! **Parts.** A part of a hold can be released, and a part of what is confirmed returned; the reservation goes on with the rest.
//! Its terms stay as they are, because they tell a repeated making; what is left is noted beside them.
//!
//! **Ends are Redis's.** No script decides anything while a hold of its partition is over and has not given back: it ends up to
//! 50 of them on its way, and if there are more it says so and its caller sweeps first.
//!
//! **Confirmed stock stays on hand** until it is said to have left, and counts for so long: `adjust` with the
//! reservation takes it off once. So a confirmed reservation is remembered while it counts; others for a day
//! (`INVENTORY_KEEP_S`) after their end, and an id or a key that is used again after that is a new one. A deleted item takes its
//! confirmed reservations with it. Memory is bounded by the stock, and by what ends in a day: some 320 bytes each.
//!
//! **A key for one item ends with the item.** It becomes part of an id that lies where the item does. After a deletion the item may
//! be made anew elsewhere, in a group or without one; then the same key may be answered with the old reservation or make a
//! new one.
//!
//! **Versions** count changes of the quantity alone: an `If-Match` is not made void by a reservation, for it does not need to
//! be; the invariant protects those.
//!
//! **Across groups** there is no moment at which all is taken: see [`saga`](self#across-groups).
//!
//! # Events
//!
//! Each transition is published once, by the script that writes it, as a JSON object; only current subscribers receive it. The channel
//! is the key prefix and `dbN:inventory`, by default `fp:db0:inventory`: `N` is the number of the Redis database, because Redis's
//! pub/sub ignores databases. On a Cluster it is a sharded channel for each partition, `fp:db0:inventory:{i:p}`.
//!
//! | `event` | when | members besides `at_ms` |
//! |---|---|---|
//! | `held` | a reservation was made | `reservation`, `owner` if it has one, `items`, `expires_ms` |
//! | `extended` | its hold was moved to `expires_ms` | the same |
//! | `confirmed` | it was confirmed, in time or late | the same |
//! | `released` | it was released | the same |
//! | `reduced` | a part of it was released or returned; `items` are what is left | the same |
//! | `returned` | its confirmation was taken back | the same |
//! | `expired` | its time was over: at `expires_ms`, and `at_ms` is when that was noticed | the same |
//! | `stock` | the quantity of an item was set or adjusted, or something confirmed has left | `sku`, `quantity`, `reserved`, `version`, as they are now |
//! | `deleted` | an item was deleted | the same, as they were |
//!
//! `items` is a list of `{"sku", "quantity"}`; of items of several groups as well one event tells of all. Times are Unix
//! milliseconds by Redis's clock.
//!
//! # Across groups
//!
//! A reservation of items in several partitions is a saga. What a reader can see in between: the stock of some of its items
//! taken while the others are not (for the few round trips of the making; after a crash for 30 s at most), then given back if one
//! refuses; a part confirmed while another is still held, or held after a release (5 s at most after a crash). The reservation itself
//! has one state at every moment, which one record decides; it decides as well whether goods of it leave or are returned. A late confirmation that is refused puts back what it had taken
//! again, unless another call counts on the same parts at that moment: then they run out within 30 s.
//!
//! **A limit.** If Redis goes away right behind a decision, before the parts have heard of it (a moment, or 5 s if the instance dies
//! as well), and stays away for longer than the parts last then (30 s, or what was left of the hold if that is more; of a
//! reservation just made 30 s at most), they run out, and whoever comes first may take the stock. A confirmation is not
//! acknowledged before its parts have heard of it: its client was told a 503, and asking again is a 409 until the stock is there,
//! which is also tried every ten minutes with a warning in the log. A reservation that is held, or was extended, may have been
//! acknowledged: it asks for its stock when it is confirmed, and may be refused.
//!
//! **Not guaranteed:** what Redis loses (`appendfsync everysec` may lose a second to a power cut) is lost here. An item of a group
//! whose making was not answered, because the instance died, may be found by its name for a day (`INVENTORY_KEEP_S`) only: put it
//! again, as after every answer that was lost. A client that goes away interrupts nothing.

mod batch;
mod check;
pub mod commands;
mod docs;
mod error;
mod give_back;
pub mod handlers;
mod item_count;
mod keys;
mod leaving;
pub mod model;
mod openapi;
mod owned;
mod reservations;
mod routes;
mod saga;
mod settings;
mod stock;
pub mod sweep;

pub use commands::Expected;
pub use error::InventoryError;
pub use item_count::ItemCount;
pub use keys::INVENTORY_PARTITIONS;
pub use model::{Goods, Item, OnHand, Portion, Reservation, State, Terms};
pub use openapi::Document;
pub use owned::OwnedCursor;
pub use reservations::{Made, Name};
pub use routes::routes;
pub use settings::InventorySettings;
pub use stock::{Cursor, Put};

use crate::ids::Id;
use crate::store::{Keys, Link};
use batch::Batcher;
use commands::{Op, Outcome, Target};
use hashbrown::HashMap;
use model::home_of;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Groups of items that are remembered; beyond it they are asked for again.
const MOST_GROUPS: usize = 10_000;
/// Items that are reconciled with their groups at once; beyond it they wait for a call that is repeated.
const MOST_RECONCILED: usize = 1_000;

/// The inventory over one connection. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Inventory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: Link,
    keep_ms: u64,
    batcher: Batcher,
    /// Where items are that are not where their names say. A wrong entry costs a round trip and no more: the script of the
    /// wrong partition finds no such item.
    groups: Mutex<HashMap<Id, Id>>,
    /// Bounds the items that are reconciled with their groups at once.
    reconciling: Arc<Semaphore>,
    items: ItemCount,
    most_items: u64,
}

impl Inventory {
    /// Starts the task that sends reservations in batches, on the current runtime. It ends with the last handle.
    #[must_use]
    pub fn start(link: &Link, settings: &InventorySettings) -> Self {
        Self::start_with(link, settings, ItemCount::default())
    }

    /// The same for one of several in a process, which count the items together.
    #[must_use]
    pub fn start_with(link: &Link, settings: &InventorySettings, items: ItemCount) -> Self {
        let keep_ms = u64::from(settings.keep_s) * 1000;
        let most = usize::try_from(settings.queue).unwrap_or(usize::MAX);
        Self(Arc::new(Inner {
            link: link.clone(),
            keep_ms,
            batcher: Batcher::start(link, keep_ms, most),
            groups: Mutex::default(),
            reconciling: Arc::new(Semaphore::new(MOST_RECONCILED)),
            items,
            most_items: settings.items,
        }))
    }

    /// The connection.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.0.link
    }

    fn keep_ms(&self) -> u64 {
        self.0.keep_ms
    }

    fn target(&self, partition: u16) -> Target<'_> {
        Target {
            link: &self.0.link,
            partition,
            keep_ms: self.0.keep_ms,
        }
    }

    /// A reservation's own partition.
    fn target_of(&self, id: &Id) -> Target<'_> {
        self.target(home_of(id))
    }

    async fn call(&self, partition: u16, op: Op) -> Result<Outcome, InventoryError> {
        self.0.batcher.call(partition, op).await
    }

    async fn call_home(&self, id: &Id, op: Op) -> Result<Outcome, InventoryError> {
        self.call(home_of(id), op).await
    }

    /// The partition of an item, as far as it is known here.
    fn place(&self, sku: &Id) -> u16 {
        let groups = self.0.groups.lock();
        Keys::inventory_partition(groups.get(sku).unwrap_or(sku))
    }

    /// The group of an item, as far as it is known here.
    fn known_group(&self, sku: &Id) -> Option<Id> {
        self.0.groups.lock().get(sku).cloned()
    }

    /// Where an item is that was not found in `tried`.
    ///
    /// # Errors
    /// [`InventoryError::NoItem`] if it is nowhere.
    async fn moved(&self, sku: &Id, tried: u16) -> Result<u16, InventoryError> {
        self.learn_group(sku).await?;
        let place = self.place(sku);
        if place == tried {
            Err(InventoryError::NoItem(sku.clone()))
        } else {
            Ok(place)
        }
    }

    /// Asks for an item's group.
    async fn learn_group(&self, sku: &Id) -> Result<(), InventoryError> {
        match commands::group(&self.0.link, sku).await? {
            Some(group) => self.remember_group(sku, &group),
            None => drop(self.0.groups.lock().remove(sku)),
        }
        Ok(())
    }

    fn remember_group(&self, sku: &Id, group: &Id) {
        let mut groups = self.0.groups.lock();
        if groups.len() >= MOST_GROUPS {
            groups.clear();
        }
        groups.insert(sku.clone(), group.clone());
    }
}
