//! Changed profiles that wait to be read. They are read in batches, independently of the positions, so that a slow read delays no
//! position.

use super::Kind;
use super::commands::MAX_FIXES;
use super::profile_hash::VersionedProfile;
use super::profiles;
use super::shared::Shared;
use crate::clock;
use crate::ids::Id;
use crate::store::{Link, StoreError};
use futures_util::future::LocalBoxFuture;
use hashbrown::HashSet;
use std::time::{Duration, Instant};

/// The most profiles that may wait. Beyond this a full load is cheaper.
const MOST: usize = 100_000;

/// The profiles that wait, and the read in progress.
#[derive(Default)]
pub(super) struct Unread<'a> {
    waiting: HashSet<(Kind, u16, Id)>,
    /// Since when a profile waits that is not being read.
    since: Option<Instant>,
    reading: Option<Reading<'a>>,
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
            if self.waiting.len() >= MOST {
                return false;
            }
            self.waiting.insert((kind, partition, id));
            self.since.get_or_insert_with(Instant::now);
        }
        true
    }

    /// Restarts the waiting time: reads were not allowed until now.
    pub fn begin_now(&mut self) {
        self.since = self.since.map(|_| Instant::now());
    }

    /// Returns how long the oldest has waited.
    pub fn lag(&self) -> Duration {
        let reading = self.reading.as_ref().map(|reading| reading.since);
        reading.or(self.since).map_or(Duration::ZERO, |since| since.elapsed())
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
        shared.live(kind).set_profiles(&ids, readings?, clock::now_ms());
        Ok(())
    }

    /// Starts to read profiles of one kind and partition.
    fn begin(&mut self, link: &'a Link) -> Option<Reading<'a>> {
        let (kind, partition) = self
            .waiting
            .iter()
            .next()
            .map(|(kind, partition, _)| (*kind, *partition))?;
        let mut left = MAX_FIXES;
        let taken = self.waiting.extract_if(|(other, part, _)| {
            let is_taken = left > 0 && (*other, *part) == (kind, partition);
            left -= usize::from(is_taken);
            is_taken
        });
        let ids: Vec<Id> = taken.map(|(_, _, id)| id).collect();
        let since = self.since.take().unwrap_or_else(Instant::now);
        if !self.waiting.is_empty() {
            self.since = Some(since);
        }
        let answer = Box::pin(async move {
            let readings = profiles::read(link, kind, partition, &ids).await;
            Answer { kind, ids, readings }
        });
        Some(Reading { since, answer })
    }
}
