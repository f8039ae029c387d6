//! The level in this process: entries that their writers allow to be kept in memory for a short time.
//!
//! It serves only while this process is subscribed to invalidations; it is emptied when the subscription is lost. Each namespace and tag
//! has a mark, a number in a table, by hash. An invalidation increments the mark, whatever the number of entries. An entry is valid as
//! long as its marks have the values that they had *before it was read from Redis*. So a read that races with an invalidation never
//! brings the old value back. Two names may share a mark; that only causes additional reads from Redis.

use super::model::{Entry, Level, Name, Tag};
use super::stats::Counts;
use super::subject::Subject;
use crate::ids::Id;
use crate::store::Listener;
use bytes::Bytes;
use hashbrown::DefaultHashBuilder;
use moka::notification::RemovalCause;
use moka::sync::Cache;
#[cfg(target_os = "linux")]
use nix::time::{ClockId, clock_gettime};
use std::iter;
use std::sync::Arc;
#[cfg(not(target_os = "linux"))]
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

const MARKS: usize = 1 << 14;
/// The memory that an entry takes besides its bytes: the record, and its place in the table and in the queues of the eviction order.
const OVERHEAD: usize = 320;

/// The resolution of the coarse clock: most systems have 250 ticks a second, and none fewer than 100.
const TICK: Duration = Duration::from_millis(10);

/// Returns a monotonic time. Reading it takes a few nanoseconds on Linux; every hit reads it.
#[cfg(target_os = "linux")]
fn coarse() -> Duration {
    // Every Linux has this clock. Without it every entry counts as expired.
    clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).map_or(Duration::MAX, Duration::from)
}

#[cfg(not(target_os = "linux"))]
fn coarse() -> Duration {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    // It does not start at zero, so that a time before the first call can be represented.
    Duration::from_hours(1) + ORIGIN.elapsed()
}

/// Returns the index of a subject's mark.
const fn mark(subject: Subject) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "masked to 14 bits")]
    let mark = (subject.0 & (MARKS as u64 - 1)) as usize;
    mark
}

/// The values of marks before a read from Redis.
#[derive(Debug, Clone)]
pub(crate) struct Marks {
    epoch: u64,
    entry: (Subject, u32),
    /// The marks of the namespace and the tags.
    rest: Vec<(Subject, u32)>,
}

#[derive(Debug)]
struct Kept {
    namespace: Id,
    key: Box<str>,
    entry: Entry,
    /// When it was requested from Redis, and when it expires, by the coarse clock.
    since: Duration,
    until: Duration,
    marks: Marks,
    counts: Arc<Counts>,
}

/// The level of a process.
#[derive(Debug)]
pub(super) struct Local {
    kept: Cache<u64, Arc<Kept>, DefaultHashBuilder>,
    marks: Box<[AtomicU32]>,
    /// Incremented whenever the subscription is lost or restored.
    epoch: AtomicU64,
    subscribed: AtomicBool,
    is_on: bool,
    longest: Duration,
    /// Notifies the listener that the subscription is needed, or that the level was dropped.
    pub wanted: Arc<Notify>,
}

impl Local {
    /// Creates a level of at most `bytes` bytes, which keeps an entry for at most `longest`.
    pub(super) fn new(bytes: u64, longest: Duration) -> Self {
        let kept = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, kept: &Arc<Kept>| weight(kept))
            .eviction_listener(|_, kept: Arc<Kept>, _: RemovalCause| {
                kept.counts.local_bytes.sub(u64::from(weight(&kept)));
            })
            .build_with_hasher(DefaultHashBuilder::default());
        Self {
            kept,
            marks: (0..MARKS).map(|_| AtomicU32::new(0)).collect(),
            epoch: AtomicU64::new(0),
            subscribed: AtomicBool::new(false),
            is_on: bytes > 0,
            longest,
            wanted: Arc::default(),
        }
    }

    /// Returns the entry of a name, if it is here and valid. Its bytes are shared, not copied.
    #[inline]
    pub(super) fn get(&self, name: &Name<'_>) -> Option<Entry> {
        if !self.subscribed.load(Ordering::Acquire) {
            return None;
        }
        let kept = self.kept.get(&name.subject.0)?;
        if kept.key.as_ref() != name.key || kept.namespace != *name.namespace {
            return None;
        }
        let now = coarse();
        if now >= kept.until || !self.are_current(&kept.marks) {
            self.kept.invalidate(&name.subject.0);
            return None;
        }
        let elapsed = now.saturating_sub(kept.since);
        kept.counts.local_hits.add(1);
        kept.counts.local_served.add(kept.entry.bytes.len() as u64);
        Some(Entry {
            bytes: Bytes::clone(&kept.entry.bytes),
            age: kept.entry.age + elapsed,
            fresh_for: kept.entry.fresh_for.saturating_sub(elapsed),
            stale_for: kept.entry.stale_for.saturating_sub(elapsed),
            error_for: kept.entry.error_for.saturating_sub(elapsed),
            cost: kept.entry.cost,
            level: Level::Local,
        })
    }

    /// Returns the marks of a name and of tags; to be called before the read from Redis.
    pub(super) fn marks<'a>(&self, name: &Name<'_>, tags: impl IntoIterator<Item = &'a Tag>) -> Marks {
        let epoch = self.epoch.load(Ordering::SeqCst);
        let mut marks = Marks {
            epoch,
            entry: (name.subject, self.at(name.subject)),
            rest: Vec::new(),
        };
        let namespace = Subject::namespace(name.namespace);
        marks.rest.push((namespace, self.at(namespace)));
        self.add(&mut marks, tags);
        marks
    }

    /// Adds the marks of more tags; to be called before their versions are read from Redis.
    pub(super) fn add<'a>(&self, marks: &mut Marks, tags: impl IntoIterator<Item = &'a Tag>) {
        for tag in tags {
            let subject = Subject::tag(tag);
            marks.rest.push((subject, self.at(subject)));
        }
    }

    /// Returns whether neither the entry nor its namespace and tags were invalidated since, as far as this process knows.
    pub(super) fn is_untouched(&self, marks: &Marks) -> bool {
        let mut all = iter::once(&marks.entry).chain(&marks.rest);
        all.all(|&(subject, value)| self.at(subject) == value)
    }

    /// Returns whether the marks are untouched, and this process was subscribed all the time.
    pub(super) fn are_current(&self, marks: &Marks) -> bool {
        self.epoch.load(Ordering::SeqCst) == marks.epoch && self.is_untouched(marks)
    }

    /// Keeps an entry that was read after `marks` were taken, while it is fresh, and for at most `wanted`.
    pub(super) fn keep(
        &self,
        name: &Name<'_>,
        entry: &Entry,
        since: Instant,
        wanted: Duration,
        marks: Marks,
        counts: &Arc<Counts>,
    ) {
        let lasting = wanted.min(self.longest).min(entry.fresh_for);
        if !self.is_on || lasting.is_zero() {
            return;
        }
        if !self.is_subscribed() {
            self.want();
            return;
        }
        if !self.are_current(&marks) {
            return;
        }
        // The coarse clock may be behind by a tick. So an entry is not served for a tick after its expiry.
        let requested = coarse().saturating_sub(since.elapsed() + TICK);
        let kept = Arc::new(Kept {
            namespace: name.namespace.clone(),
            key: name.key.into(),
            entry: entry.clone(),
            since: requested,
            until: requested + lasting,
            marks,
            counts: Arc::clone(counts),
        });
        counts.local_bytes.add(u64::from(weight(&kept)));
        self.kept.insert(name.subject.0, Arc::clone(&kept));
        // If a mark was incremented in the meantime the entry is invalid, and would only take memory.
        if !self.is_untouched(&kept.marks) {
            self.kept.invalidate(&name.subject.0);
        }
    }

    /// Removes an entry that this process has written. If it was not invalidated otherwise since `marks` were taken, they are updated
    /// to those of the new entry.
    pub(super) fn forget(&self, subject: Subject, marks: Option<&mut Marks>) {
        let value = self.marks[mark(subject)].fetch_add(1, Ordering::SeqCst);
        self.kept.invalidate(&subject.0);
        if let Some(marks) = marks
            && marks.entry == (subject, value)
        {
            marks.entry.1 = value.wrapping_add(1);
        }
    }

    /// Subscribes to invalidations, if this process is not subscribed yet.
    pub(super) fn want(&self) {
        self.wanted.notify_one();
    }

    /// Returns whether this process is subscribed to invalidations.
    pub(super) fn is_subscribed(&self) -> bool {
        self.subscribed.load(Ordering::Acquire)
    }

    /// Returns the approximate number of entries and of their bytes.
    pub(super) fn size(&self) -> (u64, u64) {
        self.kept.run_pending_tasks();
        (self.kept.entry_count(), self.kept.weighted_size())
    }

    /// Removes all entries, and discards reads in progress; used when Redis was flushed or replaced.
    pub(super) fn forget_all(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.kept.invalidate_all();
    }

    fn at(&self, subject: Subject) -> u32 {
        self.marks[mark(subject)].load(Ordering::SeqCst)
    }
}

impl Listener for Local {
    /// Removes all entries when the subscription is lost or restored.
    fn set_subscribed(&self, subscribed: bool) {
        if !subscribed && !self.subscribed.swap(false, Ordering::SeqCst) {
            return;
        }
        self.forget_all();
        if subscribed {
            self.subscribed.store(true, Ordering::SeqCst);
        } else {
            tracing::debug!("the subscription to invalidations is lost: the cache in this process is emptied");
        }
    }

    /// Removes the entries that a message invalidates.
    fn receive(&self, message: &[u8]) {
        let (subjects, _) = message.as_chunks::<8>();
        for subject in subjects {
            let subject = Subject(u64::from_be_bytes(*subject));
            self.marks[mark(subject)].fetch_add(1, Ordering::SeqCst);
            self.kept.invalidate(&subject.0);
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.wanted.notify_one();
    }
}

fn weight(kept: &Kept) -> u32 {
    let bytes = kept.entry.bytes.len() + kept.key.len() + kept.namespace.len() + 16 * kept.marks.rest.len() + OVERHEAD;
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::subject::Message;
    use super::*;

    fn entry(value: &'static str) -> Entry {
        let second = Duration::from_secs(1);
        Entry {
            bytes: Bytes::from_static(value.as_bytes()),
            age: Duration::ZERO,
            fresh_for: second,
            stale_for: second,
            error_for: second,
            cost: Duration::ZERO,
            level: Level::Shared,
        }
    }

    struct Bench {
        local: Local,
        namespace: Id,
        tag: Tag,
        counts: Arc<Counts>,
    }

    impl Bench {
        fn new() -> Self {
            let local = Local::new(1 << 20, Duration::from_mins(1));
            local.set_subscribed(true);
            Self {
                local,
                namespace: Id::parse("prices").unwrap(),
                tag: Tag::parse("product:7").unwrap(),
                counts: Arc::default(),
            }
        }

        fn name(&self) -> Name<'_> {
            Name::new(&self.namespace, "a").unwrap()
        }

        fn marks(&self) -> Marks {
            self.local.marks(&self.name(), [&self.tag])
        }

        fn keep(&self, marks: Marks) {
            let minute = Duration::from_mins(1);
            self.local
                .keep(&self.name(), &entry("v"), Instant::now(), minute, marks, &self.counts);
        }

        fn has(&self) -> bool {
            self.local.get(&self.name()).is_some()
        }

        fn subjects(&self) -> [Subject; 3] {
            [
                self.name().subject,
                Subject::namespace(&self.namespace),
                Subject::tag(&self.tag),
            ]
        }
    }

    #[test]
    fn an_entry_is_found_until_it_is_invalidated() {
        for subject in 0..3 {
            let bench = Bench::new();
            assert!(!bench.has());
            bench.keep(bench.marks());
            assert!(bench.has());
            bench.local.receive(Message::of([bench.subjects()[subject]]).bytes());
            assert!(!bench.has());
        }
    }

    #[test]
    fn a_read_that_races_with_an_invalidation_does_not_bring_the_old_value_back() {
        for subject in 0..3 {
            let bench = Bench::new();
            let marks = bench.marks();
            bench.local.receive(Message::of([bench.subjects()[subject]]).bytes());
            bench.keep(marks);
            assert!(!bench.has());
            bench.keep(bench.marks());
            assert!(bench.has());
        }
    }

    #[test]
    fn it_is_empty_without_a_subscription_and_reads_of_that_time_are_not_kept_later() {
        let bench = Bench::new();
        bench.keep(bench.marks());
        bench.local.set_subscribed(false);
        assert!(!bench.has());
        let unsubscribed = bench.marks();
        bench.keep(unsubscribed.clone());
        assert!(!bench.has());
        bench.local.set_subscribed(true);
        assert!(!bench.has());
        bench.keep(unsubscribed);
        assert!(!bench.has());
        bench.keep(bench.marks());
        assert!(bench.has());
    }

    #[test]
    fn two_names_with_the_same_hash_are_not_confused() {
        let bench = Bench::new();
        bench.keep(bench.marks());
        let other = Name {
            key: "b",
            ..bench.name()
        };
        assert!(bench.local.get(&other).is_none());
    }

    #[test]
    fn an_entry_is_kept_no_longer_than_it_is_fresh_and_its_bytes_are_counted() {
        let bench = Bench::new();
        let since = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let (marks, minute) = (bench.marks(), Duration::from_mins(1));
        bench
            .local
            .keep(&bench.name(), &entry("v"), since, minute, marks, &bench.counts);
        assert!(!bench.has());
        bench.keep(bench.marks());
        assert_eq!(bench.local.size().0, 1);
        assert_eq!(bench.local.size().1, bench.counts.local_bytes.get());
        bench.local.set_subscribed(false);
        bench.local.size();
        assert_eq!(bench.counts.local_bytes.get(), 0);
    }
}
