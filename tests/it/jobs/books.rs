//! The books of a queue, read from Redis behind the service's back.

use crate::support::{Redis, Scene};
use fleetpulse::ids::Id;
use redis::cmd;
use std::collections::{BTreeMap, BTreeSet};

/// What a queue's keys say.
#[derive(Debug, Default)]
pub struct Books {
    /// Short ids by where they are: `ready`, `delayed`, `leased`, `done`, `dead`, `cancelled`.
    pub places: BTreeMap<&'static str, BTreeSet<String>>,
    specs: BTreeSet<String>,
    runs: BTreeMap<String, String>,
    meta: BTreeMap<String, String>,
    unique: BTreeMap<String, String>,
}

impl Books {
    pub async fn read<R: AsRef<Redis>>(scene: &Scene<R>, queue: &Id) -> Self {
        let redis = scene.redis.as_ref();
        let mut books = Self::default();
        let keys = scene.keys().queue(queue, 64);
        let zset = async |key: &String| -> BTreeSet<String> {
            redis
                .query(cmd("ZRANGE").arg(key).arg("-inf").arg("(+inf").arg("BYSCORE"))
                .await
        };
        for (place, key) in [
            ("delayed", 3),
            ("leased", 4),
            ("done", 5),
            ("dead", 6),
            ("cancelled", 7),
        ] {
            books.places.insert(place, zset(&keys[key]).await);
        }
        let mut ready = BTreeSet::new();
        for key in &keys[13..] {
            for id in zset(key).await {
                assert!(ready.insert(id.clone()), "{id} is in two lines");
            }
        }
        books.places.insert("ready", ready);
        books.specs = redis.query(cmd("HKEYS").arg(&keys[1])).await;
        books.runs = redis.query(cmd("HGETALL").arg(&keys[2])).await;
        // What keeps it from being a list.
        books.runs.remove("");
        books.meta = redis.query(cmd("HGETALL").arg(&keys[0])).await;
        books.unique = redis.query(cmd("HGETALL").arg(&keys[8])).await;
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

    /// Every job is in one state, has its records and no other has any, and all that were put in are accounted for.
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
            if let Some(id) = holder.strip_prefix("0 ") {
                let lives = ["ready", "delayed", "leased"]
                    .iter()
                    .any(|place| self.places[place].contains(id));
                assert!(lives, "{key} is kept for {id}, which has ended: {self:#?}");
            }
        }
        let put_in = self.total("added") + self.total("revived");
        let ended = ["completed", "died", "cancelled", "replaced"].map(|name| self.total(name));
        let alive = self.count("ready") + self.count("delayed") + self.count("leased");
        assert_eq!(put_in, alive + ended.iter().sum::<usize>(), "{self:#?}");
    }
}
