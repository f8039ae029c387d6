//! The books of a queue: its records and counters, read directly from Redis.

use super::SOON;
use crate::support::{Redis, Scene};
use fleetpulse::ids::Id;
use redis::{Value, cmd, from_redis_value, pipe};
use std::collections::{BTreeMap, BTreeSet};

/// The keys of the ready jobs of each type are the last ones.
const LINES: usize = 16;

/// The content of the keys of a queue.
#[derive(Debug, Default)]
pub struct Books {
    /// Short ids by where they are: `ready`, `delayed`, `leased`, `done`, `dead`, `cancelled`.
    pub places: BTreeMap<&'static str, BTreeSet<String>>,
    specs: BTreeSet<String>,
    runs: BTreeMap<String, String>,
    meta: BTreeMap<String, String>,
    unique: BTreeMap<String, String>,
    sizes: BTreeMap<String, String>,
}

impl Books {
    /// Reads a consistent state of the queue, regardless of concurrent calls.
    pub async fn read<R: AsRef<Redis>>(scene: &Scene<R>, queue: &Id) -> Self {
        let keys = scene.keys().queue(queue, 64);
        let mut all = pipe();
        all.atomic();
        // Without the placeholders that keep sorted sets and hashes from being encoded as list packs.
        let zset = |key| cmd("ZRANGE").arg(key).arg("-inf").arg("(+inf").arg("BYSCORE").clone();
        for key in keys[3..8].iter().chain(&keys[LINES..]) {
            all.add_command(zset(key));
        }
        all.cmd("HKEYS").arg(&keys[1]);
        for key in [2, 0, 8, 15] {
            all.cmd("HGETALL").arg(&keys[key]);
        }
        let mut connection = scene.redis.as_ref().connect().await;
        connection.set_response_timeout(SOON);
        let answers: Vec<Value> = all.query_async(&mut connection).await.unwrap();
        let mut answers = answers.into_iter();
        let mut ids = || -> BTreeSet<String> { from_redis_value(answers.next().unwrap()).unwrap() };
        let mut books = Self::default();
        for place in ["delayed", "leased", "done", "dead", "cancelled"] {
            books.places.insert(place, ids());
        }
        let mut ready = BTreeSet::new();
        for _ in &keys[LINES..] {
            for id in ids() {
                assert!(ready.insert(id.clone()), "{id} is in two lines");
            }
        }
        books.places.insert("ready", ready);
        books.specs = ids();
        let mut fields = || -> BTreeMap<String, String> { from_redis_value(answers.next().unwrap()).unwrap() };
        books.runs = fields();
        books.runs.remove("");
        books.meta = fields();
        books.unique = fields();
        books.sizes = fields();
        books
    }

    fn total(&self, name: &str) -> usize {
        self.meta.get(name).map_or(0, |count| count.parse().unwrap())
    }

    /// Jobs of which there is a record.
    pub fn records(&self) -> usize {
        self.specs.len()
    }

    pub fn count(&self, place: &str) -> usize {
        self.places[place].len()
    }

    /// Asserts that every job is in one state and has its records, that there are no other records, and that all added jobs are counted.
    #[track_caller]
    pub fn balance(&self) {
        let mut all = BTreeMap::new();
        for (place, ids) in &self.places {
            for id in ids {
                assert_eq!(all.insert(id, *place), None, "{id} is in two states: {self:#?}");
            }
        }
        for id in &self.specs {
            assert!(all.contains_key(id), "{id} is nowhere: {self:#?}");
        }
        for (id, place) in &all {
            assert!(self.specs.contains(*id), "{id} is {place} and has no spec: {self:#?}");
            let letter = self.runs.get(*id).map_or('r', |run| run.chars().next().unwrap());
            let said = match letter {
                'r' => "ready",
                'w' => "delayed",
                'l' => "leased",
                'd' => "done",
                'x' => "dead",
                'c' => "cancelled",
                _ => "?",
            };
            assert_eq!(*place, said, "{id}: {self:#?}");
        }
        for id in self.runs.keys() {
            assert!(self.specs.contains(id), "{id} has a run and no spec: {self:#?}");
        }
        for (key, holder) in &self.unique {
            let (ends, id) = holder.split_once(' ').unwrap();
            let is_in = |places: &[&str]| places.iter().any(|place| self.places[place].contains(id));
            let lives = is_in(&["ready", "delayed", "leased"]);
            assert!(
                ends != "0" || lives,
                "{key} is kept for {id}, which has ended: {self:#?}"
            );
            assert!(!is_in(&["dead", "cancelled"]), "{key} names {id}: {self:#?}");
        }
        // Only long records are counted.
        let counted: i64 = self.sizes.values().map(|size| size.parse::<i64>().unwrap()).sum();
        let bytes = self.meta.get("bytes").map_or(0, |bytes| bytes.parse().unwrap());
        assert_eq!(bytes, counted, "{self:#?}");
        for field in self.sizes.keys().filter(|field| !field.starts_with("s:")) {
            let is_run = field.len() == 14;
            let id = if is_run { &field[..13] } else { field };
            assert!(self.specs.contains(id), "{field} is counted and gone: {self:#?}");
        }
        let put_in = self.total("added") + self.total("revived");
        let ended = ["completed", "died", "cancelled", "replaced"].map(|name| self.total(name));
        let alive = self.count("ready") + self.count("delayed") + self.count("leased");
        assert_eq!(put_in, alive + ended.iter().sum::<usize>(), "{self:#?}");
    }
}
