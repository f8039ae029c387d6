//! Changed profiles that wait to be read. They are read in batches, independently of the positions, so that a slow read delays no
//! position.

use super::Kind;
use super::commands::MAX_FIXES;
use super::profile::VersionedProfile;
use super::profiles;
use super::shared::Shared;
use crate::ids::Id;
use crate::store::{Link, StoreError};
use futures_util::future::LocalBoxFuture;
use hashbrown::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// The most profiles that may wait. Beyond this a full load is cheaper.
const MOST: usize = 100_000;

/// The profiles that wait, and the read in progress.
#[derive(Default)]
pub(super) struct Unread<'a> {
    /// By kind and partition, because a reading is of one of them.
    waiting: HashMap<(Kind, u16), Waiting>,
    count: usize,
    reading: Option<Reading<'a>>,
}

struct Waiting {
    ids: HashSet<Id>,
    /// When the oldest began to wait, or earlier.
    since: Instant,
}

/// A read in progress.
struct Reading<'a> {
    since: Instant,
    answer: LocalBoxFuture<'a, Answer>,
}

struct Answer {
    kind: Kind,
    ids: Vec<Id>,
    readings: Result<Vec<VersionedProfile>, StoreError>,
}

impl<'a> Unread<'a> {
    /// Queues profiles to be read. Returns false if there are too many.
    pub fn add(&mut self, kind: Kind, partition: u16, ids: impl IntoIterator<Item = Id>) -> bool {
        for id in ids {
            if self.count >= MOST {
                return false;
            }
            let waiting = self.waiting.entry((kind, partition)).or_insert_with(|| Waiting {
                ids: HashSet::new(),
                since: Instant::now(),
            });
            self.count += usize::from(waiting.ids.insert(id));
        }
        true
    }

    /// Counts the waiting time of all profiles from now on, because they could not be read before.
    pub fn begin_now(&mut self) {
        let now = Instant::now();
        self.waiting.values_mut().for_each(|waiting| waiting.since = now);
    }

    /// Returns how long the oldest has waited.
    pub fn lag(&self) -> Duration {
        let waiting = self.waiting.values().map(|waiting| waiting.since);
        let reading = self.reading.as_ref().map(|reading| reading.since);
        waiting
            .chain(reading)
            .min()
            .map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Reads the next profiles into the live index. Never resolves if there are none. Cancel-safe.
    pub async fn read(&mut self, shared: &Shared, link: &'a Link) -> Result<(), StoreError> {
        if self.reading.is_none() {
            self.reading = self.begin(link);
        }
        let Some(reading) = &mut self.reading else {
            return std::future::pending().await;
        };
        let Answer { kind, ids, readings } = reading.answer.as_mut().await;
        self.reading = None;
        shared.live(kind).set_profiles(&ids, readings?, shared.redis_now_ms());
        Ok(())
    }

    /// Begins to read those of the kind and partition that have waited longest.
    fn begin(&mut self, link: &'a Link) -> Option<Reading<'a>> {
        let (&group, _) = self.waiting.iter().min_by_key(|(_, waiting)| waiting.since)?;
        let (kind, partition) = group;
        let waiting = self.waiting.get_mut(&group)?;
        let since = waiting.since;
        let ids: Vec<Id> = if waiting.ids.len() <= MAX_FIXES {
            let ids = std::mem::take(&mut waiting.ids);
            self.waiting.remove(&group);
            ids.into_iter().collect()
        } else {
            waiting.ids.extract_if(|_| true).take(MAX_FIXES).collect()
        };
        self.count -= ids.len();
        let answer = Box::pin(async move {
            let readings = profiles::read(link, kind, partition, &ids).await;
            Answer { kind, ids, readings }
        });
        Some(Reading { since, answer })
    }
}
