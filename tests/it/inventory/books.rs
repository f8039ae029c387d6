//! The books of a whole inventory, read directly from Redis.

use super::SOON;
use crate::support::{Redis, Scene};
use fleetpulse::inventory::INVENTORY_PARTITIONS;
use redis::{Value, cmd, from_redis_value};
use std::collections::BTreeMap;

/// Reads everything at one moment, because scripts change items and reservations between two reads. Not a transaction, which a full Redis refuses.
const READ: &str = "local all = {}
for i, key in ipairs(KEYS) do all[i] = redis.call('HGETALL', key) end
all[#all + 1] = redis.call('TIME')
return all";

/// The quantities of the items, and the sums over the reservations.
#[derive(Debug, Default)]
pub struct Books {
    /// By SKU: on hand, held, confirmed.
    pub items: BTreeMap<String, (u64, u64, u64)>,
    /// By SKU: held and confirmed by all reservations.
    pub reserved: BTreeMap<String, (u64, u64)>,
    /// By SKU: what confirmed reservations consumed.
    pub consumed: BTreeMap<String, u64>,
    /// The number of reservations in each state, with parts and their records counted separately.
    pub states: BTreeMap<(char, bool), usize>,
    /// The stored state of every reservation, by id, without parts.
    pub records: BTreeMap<String, char>,
    /// The number of holds whose end is past or less than ten seconds away.
    pub ending: usize,
    /// Reservations with parts in other partitions, by id.
    homes: BTreeMap<String, Home>,
    /// By the id of their reservation and the nonce of its parts: partition, state and end of each.
    parts: BTreeMap<(String, String), BTreeMap<u16, (char, i64)>>,
}

/// The record of a reservation with parts in other partitions.
#[derive(Debug)]
struct Home {
    state: char,
    expires_ms: i64,
    nonce: String,
    partitions: Vec<u16>,
}

impl Books {
    pub async fn read<R: AsRef<Redis>>(scene: &Scene<R>) -> Self {
        let keys = scene.keys();
        let hashes: Vec<String> = (0..INVENTORY_PARTITIONS)
            .flat_map(|partition| [keys.inventory_items(partition), keys.inventory_reservations(partition)])
            .collect();
        let mut read = cmd("EVAL");
        read.arg(READ).arg(hashes.len()).arg(hashes);
        let mut connection = scene.redis.as_ref().connect().await;
        connection.set_response_timeout(SOON);
        let mut answers: Vec<Value> = read.query_async(&mut connection).await.unwrap();
        let now: (i64, i64) = from_redis_value(answers.pop().unwrap()).unwrap();
        let now_ms = now.0 * 1_000 + now.1 / 1_000;

        let mut books = Self::default();
        let mut hashes = answers
            .into_iter()
            .map(|hash| from_redis_value::<BTreeMap<String, String>>(hash).unwrap());
        let (mut records, mut all_born) = (Vec::new(), BTreeMap::new());
        for partition in 0..INVENTORY_PARTITIONS {
            let (items, reservations) = (hashes.next().unwrap(), hashes.next().unwrap());
            let mut born: BTreeMap<String, u64> = BTreeMap::new();
            for (sku, item) in items.iter().filter(|(sku, _)| !sku.is_empty()) {
                let numbers: Vec<u64> = item.split(' ').map_while(|word| word.parse().ok()).collect();
                books.items.insert(sku.clone(), (numbers[0], numbers[1], numbers[2]));
                born.insert(sku.clone(), numbers[5]);
            }
            all_born.insert(partition, born);
            records.extend(reservations.into_iter().map(|(id, record)| (partition, id, record)));
        }
        for (partition, id, record) in &records {
            books.count(record, &all_born[partition]);
            books.tie(*partition, id, record, now_ms);
        }
        books
    }

    /// Links parts with their records.
    fn tie(&mut self, partition: u16, id: &str, record: &str, now_ms: i64) {
        let words: Vec<&str> = record.split(' ').collect();
        let expires_ms = words[2].parse().unwrap();
        // A hold that is due counts as expired, even before a script has expired it.
        let written = words[0].chars().next().unwrap();
        let state = match written {
            'h' if expires_ms <= now_ms => 'e',
            state => state,
        };
        self.ending += usize::from(written == 'h' && expires_ms < now_ms + 10_000);
        if let Some((of, nonce)) = id.split_once('/') {
            let parts = self.parts.entry((of.to_owned(), nonce.to_owned())).or_default();
            parts.insert(partition, (state, expires_ms));
        } else {
            self.records.insert(id.to_owned(), written);
        }
        if let Some((nonce, partitions)) = words[4].split_once(':') {
            let home = Home {
                state,
                expires_ms,
                nonce: nonce.to_owned(),
                partitions: partitions.split(',').map(|p| p.parse().unwrap()).collect(),
            };
            self.homes.insert(id.to_owned(), home);
        }
    }

    /// Returns the inconsistencies that must not exist once no call is running: each part that is held or confirmed has a record
    /// that names it and is in the same state, and vice versa; no part exists longer than its record, nor ends before it.
    pub fn loose(&self) -> Vec<String> {
        let mut loose = Vec::new();
        for ((id, nonce), parts) in &self.parts {
            let home = self.homes.get(id).filter(|home| home.nonce == *nonce);
            for (partition, part) in parts.iter().filter(|(_, (state, _))| "hc".contains(*state)) {
                let tied = home.is_some_and(|home| home.state == part.0 && home.partitions.contains(partition));
                if !tied {
                    loose.push(format!(
                        "part {id}/{nonce} in {partition} is {part:?}, its record {home:?}"
                    ));
                }
            }
        }
        for (id, home) in self.homes.iter().filter(|(_, home)| "ohc".contains(home.state)) {
            let parts = self.parts.get(&(id.clone(), home.nonce.clone()));
            for partition in &home.partitions {
                let part = parts.and_then(|parts| parts.get(partition));
                let tied = part.is_some_and(|(state, expires_ms)| {
                    *state == home.state && (*state == 'c' || *expires_ms == home.expires_ms)
                });
                if !tied {
                    loose.push(format!("record {id} is {home:?}, its part in {partition} {part:?}"));
                }
            }
        }
        loose
    }

    /// Returns the decisions that parts have not followed.
    pub fn behind(&self) -> Vec<String> {
        let mut behind = Vec::new();
        for (id, home) in self.homes.iter().filter(|(_, home)| "crb".contains(home.state)) {
            let parts = self.parts.get(&(id.clone(), home.nonce.clone()));
            for partition in &home.partitions {
                let part = parts.and_then(|parts| parts.get(partition)).map(|(state, _)| *state);
                let is_there = match home.state {
                    'c' => part == Some('c'),
                    _ => part != Some('h') && part != Some('c'),
                };
                if !is_there {
                    behind.push(format!("record {id} is {home:?}, its part in {partition} {part:?}"));
                }
            }
        }
        behind
    }

    /// Returns how many reservations were created more than once.
    pub fn created_again(&self) -> usize {
        let mut makings: BTreeMap<&str, usize> = BTreeMap::new();
        for (id, _) in self.parts.keys() {
            *makings.entry(id).or_default() += 1;
        }
        makings.values().filter(|makings| **makings > 1).count()
    }

    fn count(&mut self, record: &str, born: &BTreeMap<String, u64>) {
        let words: Vec<&str> = record.split(' ').collect();
        let state = words[0].chars().next().unwrap();
        let stands_for_parts = words[4] != "*";
        *self.states.entry((state, stands_for_parts)).or_default() += 1;
        if stands_for_parts {
            return;
        }
        for (goods, of) in words[8..].chunks(2).zip(words[5].split(',')) {
            let (of, left) = of.split_once('*').unwrap_or((of, goods[1]));
            let (quantity, of): (u64, u64) = (left.parse().unwrap(), of.parse().unwrap());
            // It has no goods of an item that was created again since then.
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

    /// Asserts that the books are consistent once no call is running.
    #[track_caller]
    pub fn balance(&self) {
        self.add_up();
        let loose = self.loose();
        assert!(loose.is_empty(), "{loose:#?}");
    }

    /// Every item has at least its reserved quantity on hand, and its counts are the sums of its reservations.
    #[track_caller]
    pub fn add_up(&self) {
        for (sku, (quantity, held, confirmed)) in &self.items {
            assert!(held + confirmed <= *quantity, "{sku} is oversold: {self:?}");
            let sums = self.reserved.get(sku).copied().unwrap_or_default();
            assert_eq!((*held, *confirmed), sums, "{sku}: {self:?}");
        }
    }
}
