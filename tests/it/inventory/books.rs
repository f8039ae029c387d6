//! The books of a whole inventory, read from Redis behind the service's back.

use crate::support::{Redis, Scene};
use fleetpulse::store::INVENTORY_PARTITIONS;
use redis::cmd;
use std::collections::BTreeMap;

/// What the items say, and what the reservations add up to.
#[derive(Debug, Default)]
pub struct Books {
    /// By SKU: on hand, held, confirmed.
    pub items: BTreeMap<String, (u64, u64, u64)>,
    /// By SKU: held and confirmed by all reservations.
    pub reserved: BTreeMap<String, (u64, u64)>,
    /// By SKU: what has left by confirmed reservations.
    pub consumed: BTreeMap<String, u64>,
    /// How many reservations are in each state, parts and what stands for them apart.
    pub states: BTreeMap<(char, bool), usize>,
}

impl Books {
    pub async fn read<R: AsRef<Redis>>(scene: &Scene<R>) -> Self {
        let mut books = Self::default();
        let (redis, keys) = (scene.redis.as_ref(), scene.keys());
        for partition in 0..INVENTORY_PARTITIONS {
            let items: BTreeMap<String, String> =
                redis.query(cmd("HGETALL").arg(keys.inventory_items(partition))).await;
            let mut born = BTreeMap::new();
            for (sku, item) in items.iter().filter(|(sku, _)| !sku.is_empty()) {
                let numbers: Vec<u64> = item.split(' ').map_while(|word| word.parse().ok()).collect();
                books.items.insert(sku.clone(), (numbers[0], numbers[1], numbers[2]));
                born.insert(sku.as_str(), numbers[5]);
            }
            let key = keys.inventory_reservations(partition);
            let reservations: BTreeMap<String, String> = redis.query(cmd("HGETALL").arg(key)).await;
            for record in reservations.values() {
                books.count(record, &born);
            }
        }
        books
    }

    fn count(&mut self, record: &str, born: &BTreeMap<&str, u64>) {
        let words: Vec<&str> = record.split(' ').collect();
        let state = words[0].chars().next().unwrap();
        let stands_for_parts = words[4] != "*";
        *self.states.entry((state, stands_for_parts)).or_default() += 1;
        if stands_for_parts {
            return;
        }
        for (goods, of) in words[8..].chunks(2).zip(words[5].split(',')) {
            let (quantity, of): (u64, u64) = (goods[1].parse().unwrap(), of.parse().unwrap());
            // Of an item that was made anew since then it has nothing.
            let counts = born.get(goods[0]) == Some(&of);
            if state == 'c' && of == 0 {
                *self.consumed.entry(goods[0].to_owned()).or_default() += quantity;
            }
            let (held, confirmed) = self.reserved.entry(goods[0].to_owned()).or_default();
            match state {
                'h' => *held += quantity,
                'c' if counts => *confirmed += quantity,
                _ => {}
            }
        }
    }

    /// Every item has on hand what is reserved of it, and says what its reservations add up to.
    #[track_caller]
    pub fn balance(&self) {
        for (sku, (quantity, held, confirmed)) in &self.items {
            assert!(held + confirmed <= *quantity, "{sku} is oversold: {self:?}");
            let sums = self.reserved.get(sku).copied().unwrap_or_default();
            assert_eq!((*held, *confirmed), sums, "{sku}: {self:?}");
        }
    }
}
