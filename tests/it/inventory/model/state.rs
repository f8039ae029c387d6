//! The model: items and holds in memory, and the results of calls.

use fleetpulse::ids::Id;
use fleetpulse::inventory::{InventoryError, State};
use std::collections::BTreeMap;
use std::time::Duration;

/// The result of a call, in a form that both sides have.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Item(Option<(u64, u64, u64)>),
    Stands(State),
    Made { again: bool },
    NoItem,
    Short(u64),
    Below(u64),
    Held(u64),
    Version(u64),
    Wrong(State),
    Reused,
    NotItsGoods,
    NotThatMuch(u64),
    HasLeft,
    Done,
}

impl From<InventoryError> for Outcome {
    fn from(error: InventoryError) -> Self {
        match error {
            InventoryError::NoItem(_) => Self::NoItem,
            InventoryError::Insufficient { available, .. } => Self::Short(available),
            InventoryError::BelowReserved { reserved } => Self::Below(reserved),
            InventoryError::Held { held } => Self::Held(held),
            InventoryError::Version { current } => Self::Version(current),
            InventoryError::WrongState { state } => Self::Wrong(state),
            InventoryError::KeyReused => Self::Reused,
            InventoryError::NotItsGoods => Self::NotItsGoods,
            InventoryError::NotThatMuch { quantity, .. } => Self::NotThatMuch(quantity),
            InventoryError::HasLeft => Self::HasLeft,
            other => panic!("{other}"),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Item {
    pub quantity: u64,
    pub version: u64,
}

#[derive(Debug)]
pub struct Hold {
    pub id: Id,
    pub ttl: Duration,
    pub state: State,
    pub wanted: BTreeMap<usize, u64>,
    /// How much of each is left, and whether it still counts.
    pub goods: BTreeMap<usize, (u64, bool)>,
}

#[derive(Debug, Default)]
pub struct Model {
    pub items: BTreeMap<usize, Item>,
    pub holds: Vec<Hold>,
}

impl Model {
    pub fn sum(&self, sku: usize, state: State) -> u64 {
        let holds = self.holds.iter().filter(|hold| hold.state == state);
        let goods = holds.filter_map(|hold| hold.goods.get(&sku));
        goods.filter(|(_, counts)| *counts).map(|(quantity, _)| quantity).sum()
    }

    pub fn reserved(&self, sku: usize) -> u64 {
        self.sum(sku, State::Held) + self.sum(sku, State::Confirmed)
    }

    /// Returns the fault of each of these goods.
    pub fn obstacles(&self, goods: impl IntoIterator<Item = (usize, u64)>) -> Vec<Outcome> {
        let obstacle = |(sku, quantity)| match self.items.get(&sku) {
            None => Some(Outcome::NoItem),
            Some(item) => {
                let available = item.quantity - self.reserved(sku);
                (available < quantity).then_some(Outcome::Short(available))
            }
        };
        goods.into_iter().filter_map(obstacle).collect()
    }
}
