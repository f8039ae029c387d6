//! Bounds the log: each kind of line appears at most once a second, and those that were left out are counted.
//!
//! A failing Redis or a client can cause thousands of lines a second; they cost CPU, fill the disk and hide everything else. Lines are of
//! the same kind if they come from the same place in the code and have the same values of the fields in [`NAMING`]. Only lines at `info`
//! and above are limited: `debug` shows every line.

use hashbrown::HashMap;
use parking_lot::Mutex;
use std::fmt::{self, Debug, Write};
use std::hash::{DefaultHasher, Hasher};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// How often a line of one kind appears at most.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// Fields whose values distinguish kinds of lines of the same place. All have few values: names in the code or in the settings.
const NAMING: [&str; 6] = ["code", "kind", "lines_of", "policy", "task", "warning"];
/// The maximum number of kinds that are remembered. Beyond it, all further kinds of a place in the code share one limit.
const MOST_KINDS: usize = 1_024;

/// The layer that leaves out lines. Clones share their counts.
#[derive(Debug, Clone)]
pub(super) struct LogLimit {
    kinds: Arc<Mutex<HashMap<LineKind, Repeats>>>,
    /// [`Instant::now`], except in tests.
    clock: fn() -> Instant,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LineKind {
    place: Identifier,
    /// Hash of the naming values; 0 without any.
    values: u64,
}

/// The lines of a kind.
#[derive(Debug)]
struct Repeats {
    /// When the last one appeared.
    last: Instant,
    /// How many were left out since then.
    left_out: u64,
    line: &'static Metadata<'static>,
}

/// Repeats that were left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Where in the code they come from.
    pub place: String,
    pub count: u64,
}

impl LogLimit {
    pub(super) fn new() -> Self {
        Self {
            kinds: Arc::default(),
            clock: Instant::now,
        }
    }

    /// Returns whether a line appears. Counts it if it does not.
    fn admits(&self, kind: LineKind, line: &'static Metadata<'static>, now: Instant) -> bool {
        let mut kinds = self.kinds.lock();
        let kind = if kinds.len() >= MOST_KINDS && !kinds.contains_key(&kind) {
            LineKind { values: 0, ..kind }
        } else {
            kind
        };
        let Some(lines) = kinds.get_mut(&kind) else {
            kinds.insert(
                kind,
                Repeats {
                    last: now,
                    left_out: 0,
                    line,
                },
            );
            return true;
        };
        if now.saturating_duration_since(lines.last) < EVERY {
            lines.left_out += 1;
            return false;
        }
        lines.last = now;
        true
    }

    /// Returns the lines that were left out since the last call, by place, and forgets the kinds without recent lines.
    pub(super) fn take_left_out(&self, now: Instant) -> Vec<LeftOut> {
        let mut all: Vec<LeftOut> = Vec::new();
        self.kinds.lock().retain(|_, lines| {
            let (count, line) = (mem::take(&mut lines.left_out), lines.line);
            if count > 0 {
                let place = format!("{}:{}", line.file().unwrap_or(line.target()), line.line().unwrap_or(0));
                match all.iter_mut().find(|left_out| left_out.place == place) {
                    Some(left_out) => left_out.count += count,
                    None => all.push(LeftOut { place, count }),
                }
            }
            now.saturating_duration_since(lines.last) < EVERY
        });
        all
    }
}

impl<S: Subscriber> Layer<S> for LogLimit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let line = event.metadata();
        if *line.level() > Level::INFO {
            return true;
        }
        let mut values = Values(None);
        event.record(&mut values);
        let kind = LineKind {
            place: line.callsite(),
            values: values.0.map_or(0, |values| values.finish()),
        };
        self.admits(kind, line, (self.clock)())
    }
}

/// Hashes the naming values of a line.
struct Values(Option<DefaultHasher>);

impl Visit for Values {
    fn record_str(&mut self, field: &Field, value: &str) {
        if NAMING.contains(&field.name()) {
            let values = self.0.get_or_insert_default();
            values.write(value.as_bytes());
            values.write_u8(0xff);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if NAMING.contains(&field.name()) {
            // Hashing does not fail.
            let _ = write!(self, "{value:?}");
        }
    }
}

impl Write for Values {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.get_or_insert_default().write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::LazyLock;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Registry, fmt};

    /// Returns what a program logs through the limit.
    fn logged(limit: &LogLimit, program: impl FnOnce()) -> String {
        #[derive(Clone, Default)]
        struct Sink(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let sink = Sink::default();
        let writer = sink.clone();
        let shown = fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let subscriber = Registry::default().with(shown).with(limit.clone());
        tracing::subscriber::with_default(subscriber, program);
        String::from_utf8(sink.0.lock().clone()).unwrap()
    }

    /// A clock that does not advance.
    fn now() -> Instant {
        static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);
        *NOW
    }

    fn stopped() -> LogLimit {
        LogLimit {
            clock: now,
            ..LogLimit::new()
        }
    }

    fn refused(code: &str, id: u32) {
        tracing::warn!(code, id, "Redis refused a command");
    }

    #[test]
    fn each_kind_of_line_appears_once_a_second_and_the_others_are_counted() {
        let limit = stopped();
        let log = logged(&limit, || (0..1_000).for_each(|id| refused("OOM", id)));
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(log.contains("id=0"), "{log}");
        let left_out = limit.take_left_out(now());
        assert_eq!((left_out.len(), left_out[0].count), (1, 999));
        assert!(left_out[0].place.contains("log_limit.rs:"), "{left_out:?}");
        assert!(limit.take_left_out(now()).is_empty(), "counted once");

        assert!(limit.take_left_out(now() + EVERY).is_empty());
        let log = logged(&limit, || (0..10).for_each(|id| refused("OOM", 1_000 + id)));
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(log.contains("id=1000"), "{log}");
    }

    #[test]
    fn lines_of_different_places_codes_and_tasks_are_of_different_kinds() {
        let limit = stopped();
        let log = logged(&limit, || {
            for code in ["OOM", "READONLY", "OOM"] {
                refused(code, 1);
            }
            for task in ["a", "b", "a"] {
                tracing::error!(%task, "a task panicked");
            }
            for _ in 0..3 {
                tracing::info!("another place");
                tracing::debug!("not limited");
            }
        });
        let count = |part: &str| log.lines().filter(|line| line.contains(part)).count();
        assert_eq!([count("OOM"), count("READONLY")], [1, 1], "{log}");
        assert_eq!([count("task=a"), count("task=b")], [1, 1], "{log}");
        assert_eq!([count("another place"), count("not limited")], [1, 3], "{log}");
    }

    #[test]
    fn the_kinds_are_bounded_and_forgotten() {
        let limit = stopped();
        let log = logged(&limit, || {
            for code in 0..100_000 {
                refused(&code.to_string(), 0);
            }
        });
        assert_eq!(log.lines().count(), MOST_KINDS + 1);
        assert!(limit.kinds.lock().len() <= MOST_KINDS + 1);
        let left_out: u64 = limit.take_left_out(now() + EVERY).iter().map(|lines| lines.count).sum();
        assert_eq!(left_out, 100_000 - 1 - u64::try_from(MOST_KINDS).unwrap());
        assert!(limit.kinds.lock().is_empty());
    }
}
