//! Random sequences of calls, compared with a model in memory. Time passes by holds of a millisecond that expire.

mod call;
mod state;

use super::books::Books;
use super::{Expected, apart, id, inventory};
use crate::support::Scene;
use call::{Call, call};
use fleetpulse::ids::Id;
use fleetpulse::inventory::{Goods, Inventory, Name, Portion, State, Terms};
use proptest::prelude::*;
use state::{Hold, Item, Model, Outcome};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::sleep;

const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_hours(1);

struct Run {
    inventory: Inventory,
    skus: Vec<Id>,
    group: Id,
    model: Model,
    /// The versions that the service gave, which have to grow.
    latest: BTreeMap<usize, u64>,
}

impl Run {
    fn terms(&self, goods: &BTreeMap<usize, u64>, ttl: Duration) -> Terms {
        let goods = goods.iter().map(|(sku, quantity)| Goods {
            sku: self.skus[*sku].clone(),
            quantity: *quantity,
        });
        Terms {
            ttl,
            owner: None,
            goods: goods.collect(),
        }
    }

    async fn step(&mut self, call: Call) {
        match call {
            Call::Put {
                sku,
                quantity,
                expected,
            } => self.put(sku, quantity, expected).await,
            Call::Adjust { sku, delta } => self.adjust(sku, delta).await,
            Call::Remove { sku } => self.remove(sku).await,
            Call::Reserve { goods, id, short } => self.reserve(&goods, id, short).await,
            Call::Confirm { which } => self.confirm(which).await,
            Call::Release { which } => {
                let to = |hold: &mut Hold| match hold.state {
                    State::Held | State::Released => {
                        hold.state = State::Released;
                        Outcome::Stands(State::Released)
                    }
                    state => Outcome::Wrong(state),
                };
                let Some(hold) = self.model.holds.get_mut(which) else {
                    return;
                };
                let said = self.inventory.release(&hold.id).await;
                assert_eq!(said.map_or_else(Outcome::from, |r| Outcome::Stands(r.state)), to(hold));
            }
            Call::Return { which } => self.take_back(which).await,
            Call::GiveSome { which, sku, quantity } => self.give_some(which, sku, quantity).await,
            Call::Extend { which } => {
                let Some(hold) = self.model.holds.get(which) else {
                    return;
                };
                let expected = match hold.state {
                    State::Held => Outcome::Stands(State::Held),
                    state => Outcome::Wrong(state),
                };
                let said = self.inventory.extend(&hold.id, LONG).await;
                assert_eq!(said.map_or_else(Outcome::from, |r| Outcome::Stands(r.state)), expected);
            }
            Call::Consume { which, sku } => self.consume(which, sku).await,
            Call::Look { sku } => self.look(sku).await,
        }
    }

    fn note(&mut self, sku: usize, version: u64) {
        let latest = self.latest.insert(sku, version);
        assert!(
            latest.is_none_or(|latest| version > latest),
            "{version} after {latest:?}"
        );
    }

    async fn put(&mut self, sku: usize, quantity: u64, expected: u8) {
        let there = self.model.items.get(&sku).map_or(0, |item| item.version);
        let expectation = match expected {
            0 => Expected::Version(there),
            1 => Expected::Version(there + 1),
            _ => Expected::Any,
        };
        let group = (sku < 2).then_some(&self.group);
        let said = self.inventory.put(&self.skus[sku], quantity, group, expectation).await;
        let reserved = self.model.reserved(sku);
        match said {
            Ok(put) => {
                assert!(expected != 1 && quantity >= reserved, "{put:?}");
                assert_eq!(put.created, there == 0);
                self.note(sku, put.item.version);
                let version = put.item.version;
                self.model.items.insert(sku, Item { quantity, version });
            }
            Err(error) if expected == 1 => assert_eq!(Outcome::from(error), Outcome::Version(there)),
            Err(error) => {
                assert!(quantity < reserved, "{error}");
                assert_eq!(Outcome::from(error), Outcome::Below(reserved));
            }
        }
    }

    async fn adjust(&mut self, sku: usize, delta: i64) {
        let said = self.inventory.adjust(&self.skus[sku], delta, Expected::Any).await;
        let reserved = self.model.reserved(sku);
        let Some(item) = self.model.items.get_mut(&sku) else {
            assert_eq!(Outcome::from(said.unwrap_err()), Outcome::NoItem);
            return;
        };
        match item
            .quantity
            .checked_add_signed(delta)
            .filter(|quantity| *quantity >= reserved)
        {
            Some(quantity) => {
                let said = said.unwrap();
                assert_eq!((said.quantity, said.version), (quantity, item.version + 1));
                (item.quantity, item.version) = (quantity, said.version);
                self.note(sku, said.version);
            }
            None => assert_eq!(Outcome::from(said.unwrap_err()), Outcome::Below(reserved)),
        }
    }

    async fn remove(&mut self, sku: usize) {
        let said = self.inventory.remove(&self.skus[sku], Expected::Any).await;
        let held = self.model.sum(sku, State::Held);
        let expected = match self.model.items.get(&sku) {
            None => Outcome::NoItem,
            Some(_) if held > 0 => Outcome::Held(held),
            Some(_) => {
                self.model.items.remove(&sku);
                for hold in &mut self.model.holds {
                    // Its confirmed goods were deleted with it.
                    if let (State::Confirmed, Some(goods)) = (hold.state, hold.goods.get_mut(&sku)) {
                        goods.1 = false;
                    }
                }
                Outcome::Done
            }
        };
        assert_eq!(said.map_or_else(Outcome::from, |()| Outcome::Done), expected);
    }

    async fn reserve(&mut self, goods: &BTreeMap<usize, u64>, named: Option<u8>, short: bool) {
        let ttl = if short { SHORT } else { LONG };
        let name = named.map_or(Name::New, |n| Name::Id(id(&format!("order-{n}"))));
        let said = self.inventory.reserve(&self.terms(goods, ttl), &name).await;
        let before = self.model.holds.iter().find(|hold| name == Name::Id(hold.id.clone()));
        let mut obstacles = self
            .model
            .obstacles(goods.iter().map(|(sku, quantity)| (*sku, *quantity)));
        let got = match &said {
            Ok(made) => Outcome::Made { again: made.before },
            Err(error) => Outcome::from(error.clone()),
        };
        if let Some(before) = before {
            let same = before.ttl == ttl && before.wanted == *goods;
            let expected = if same {
                Outcome::Made { again: true }
            } else {
                Outcome::Reused
            };
            assert_eq!(got, expected);
        } else if obstacles.is_empty() {
            assert_eq!(got, Outcome::Made { again: false });
            self.model.holds.push(Hold {
                id: said.unwrap().reservation.id,
                ttl,
                state: if short { State::Expired } else { State::Held },
                wanted: goods.clone(),
                goods: goods.iter().map(|(sku, quantity)| (*sku, (*quantity, true))).collect(),
            });
        } else {
            // The order of several faults is not defined.
            obstacles.retain(|obstacle| *obstacle == got);
            assert!(!obstacles.is_empty(), "{got:?}");
        }
        if short {
            sleep(SHORT * 3).await;
        }
    }

    async fn confirm(&mut self, which: usize) {
        let Some(hold) = self.model.holds.get(which) else {
            return;
        };
        let goods = hold.goods.iter().map(|(sku, (quantity, _))| (*sku, *quantity));
        let goods = goods.filter(|(_, quantity)| *quantity > 0);
        let obstacles = match hold.state {
            State::Expired => self.model.obstacles(goods),
            _ => Vec::new(),
        };
        let said = self.inventory.confirm(&hold.id).await;
        let said = said.map_or_else(Outcome::from, |r| Outcome::Stands(r.state));
        let hold = &mut self.model.holds[which];
        match (hold.state, obstacles.is_empty()) {
            (state @ (State::Released | State::Returned), _) => assert_eq!(said, Outcome::Wrong(state)),
            // The order of several faults is not defined.
            (_, false) => assert!(obstacles.contains(&said), "{said:?}"),
            (_, true) => {
                assert_eq!(said, Outcome::Stands(State::Confirmed));
                hold.state = State::Confirmed;
            }
        }
    }

    async fn take_back(&mut self, which: usize) {
        let Some(hold) = self.model.holds.get_mut(which) else {
            return;
        };
        let said = self.inventory.take_back(&hold.id, None, None).await;
        let said = said.map_or_else(Outcome::from, |(r, _)| Outcome::Stands(r.state));
        let expected = match hold.state {
            State::Confirmed | State::Returned => Outcome::Stands(State::Returned),
            state => Outcome::Wrong(state),
        };
        // If none of its goods counts any more, only its parts have that information.
        let counts = hold.goods.values().any(|(left, counts)| *left > 0 && *counts);
        if hold.state == State::Confirmed && !counts && said == Outcome::HasLeft {
            return;
        }
        assert_eq!(said, expected);
        if hold.state == State::Confirmed {
            hold.state = State::Returned;
        }
    }

    async fn give_some(&mut self, which: usize, sku: usize, quantity: u64) {
        let Some(hold) = self.model.holds.get_mut(which) else {
            return;
        };
        let sku_id = self.skus[sku].clone();
        let portion = Portion::Goods(vec![Goods { sku: sku_id, quantity }]);
        let (state, last, said) = if hold.state == State::Confirmed {
            let said = self.inventory.take_back(&hold.id, Some(&portion), None).await;
            (State::Confirmed, State::Returned, said)
        } else {
            let said = self.inventory.release_part(&hold.id, &portion, None).await;
            (State::Held, State::Released, said)
        };
        let said = said.map_or_else(Outcome::from, |(r, _)| Outcome::Stands(r.state));
        if hold.state != state {
            assert_eq!(said, Outcome::Wrong(hold.state));
            return;
        }
        let all_left: u64 = hold.goods.values().map(|(left, _)| left).sum();
        let expected = match hold.goods.get_mut(&sku) {
            // A part does not know whether a missing item was deleted.
            Some((_, false)) if said == Outcome::HasLeft => Outcome::HasLeft,
            Some((left, _)) if quantity > *left => Outcome::NotThatMuch(*left),
            None => Outcome::NotThatMuch(0),
            // A reservation of which nothing is left shows its last quantities.
            Some(_) if quantity == all_left => {
                hold.state = last;
                Outcome::Stands(last)
            }
            Some((left, _)) => {
                *left -= quantity;
                Outcome::Stands(state)
            }
        };
        assert_eq!(said, expected);
    }

    async fn consume(&mut self, which: usize, sku: usize) {
        let Some(hold) = self.model.holds.get_mut(which) else {
            return;
        };
        let left = hold.goods.get(&sku).map_or(0, |(left, _)| *left);
        let quantity = left.max(1);
        let goods = Goods {
            sku: self.skus[sku].clone(),
            quantity,
        };
        let said = self.inventory.consume(&hold.id, &goods).await;
        let item = self.model.items.get_mut(&sku);
        let good = hold.goods.get_mut(&sku).filter(|(left, _)| *left > 0);
        let (Some(item), Some((_, counts))) = (item, good) else {
            let said = Outcome::from(said.unwrap_err());
            assert!(
                said == Outcome::NotItsGoods || said == Outcome::Wrong(hold.state),
                "{said:?}"
            );
            return;
        };
        if hold.state != State::Confirmed {
            assert_eq!(Outcome::from(said.unwrap_err()), Outcome::Wrong(hold.state));
            return;
        }
        if *counts {
            *counts = false;
            item.quantity -= quantity;
            item.version += 1;
        }
        let (quantity, version) = (item.quantity, item.version);
        let said = said.unwrap();
        assert_eq!((said.quantity, said.version), (quantity, version));
        self.latest.insert(sku, version);
    }

    async fn look(&self, sku: usize) {
        let said = self.inventory.item(&self.skus[sku]).await;
        let said = said.map_or_else(Outcome::from, |item| {
            Outcome::Item(Some((item.quantity, item.held, item.confirmed)))
        });
        let expected = self.model.items.get(&sku).map_or(Outcome::NoItem, |item| {
            let (held, confirmed) = (self.model.sum(sku, State::Held), self.model.sum(sku, State::Confirmed));
            Outcome::Item(Some((item.quantity, held, confirmed)))
        });
        assert_eq!(said, expected);
    }
}

#[test]
fn any_sequence_of_calls_matches_a_simple_model() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let scene = runtime.block_on(Scene::new());
    let config = ProptestConfig {
        cases: 60,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    };
    proptest!(config, |(calls in prop::collection::vec(call(), 1..50))| {
        runtime.block_on(async {
            // A prefix of its own for each case.
            let scene = Scene::on(std::sync::Arc::clone(&scene.redis));
            let names = apart("m", 3);
            let mut run = Run {
                inventory: inventory(&scene).await,
                skus: vec![id("a"), id("b"), id(&names[1]), id(&names[2])],
                group: id(&names[0]),
                model: Model::default(),
                latest: BTreeMap::new(),
            };
            for call in calls {
                run.step(call).await;
            }
            for sku in 0..4 {
                run.look(sku).await;
            }
            for hold in &run.model.holds {
                assert_eq!(run.inventory.reservation(&hold.id).await.unwrap().state, hold.state, "{}", hold.id);
            }
            Books::read(&scene).await.balance();
        });
    });
}
