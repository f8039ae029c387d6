use super::log_limit::{EVERY, LeftOut, LogLimit};
use crate::http::names::nearest;
use crate::runtime::panic_text;
use clap::ValueEnum;
use std::fmt::{self, Debug, Write};
use std::io::{IsTerminal, stderr};
use std::panic::{self, PanicHookInfo};
use std::str::FromStr;
use std::thread;
use std::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::Subscriber;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{EnvFilter, Layer};

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// Plain text, for people.
    #[default]
    Text,
    /// One JSON object per line, for log collectors.
    Json,
}

/// The default filter. actix-server logs the start of each worker at info.
const DEFAULT: &str = "info,actix_server=warn";
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Which lines are logged: a list of valid directives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

/// Why a text is not a [`LogFilter`].
#[derive(Debug, thiserror::Error)]
pub enum LogFilterError {
    /// A directive cannot be read.
    #[error(
        "{0}; use a level (error, warn, info, debug, trace or off) or directives such as info,fleetpulse::jobs=debug"
    )]
    Directive(#[from] ParseError),
    /// A directive without a level is the name of a module, and this one is probably a misspelled level.
    #[error("{0:?} is not a level: did you mean {1}?")]
    Level(String, &'static str),
}

impl FromStr for LogFilter {
    type Err = LogFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        for word in text.split(',').map(str::trim) {
            let level = word.rsplit_once('=').map_or(word, |(_, level)| level);
            let is_level = LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) || level.parse::<u8>().is_ok();
            if !is_level && let Some(near) = nearest(level, &LEVELS) {
                return Err(LogFilterError::Level(level.to_owned(), near));
            }
        }
        EnvFilter::builder().parse(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Starts logging to standard error. A second call changes nothing.
pub fn init(filter: &LogFilter, format: LogFormat) {
    let filter = EnvFilter::new(&filter.0);
    let colours = stderr().is_terminal();
    let builder = Subscriber::builder()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(stderr)
        .with_target(false);
    let limit = LogLimit::new();
    let set = match format {
        LogFormat::Text => {
            let lines = builder.compact().finish().with(limit.clone());
            tracing::subscriber::set_global_default(lines.with(NoClientFaults))
        }
        LogFormat::Json => {
            let lines = builder.json().finish().with(limit.clone());
            tracing::subscriber::set_global_default(lines.with(NoClientFaults))
        }
    };
    // An error means that a subscriber is installed already.
    if set.is_ok() {
        report_left_out(limit);
    }
    panic::set_hook(Box::new(log_panic));
}

/// Logs once a second how many lines were left out. Uses its own thread, because logging starts before any runtime and ends after it.
fn report_left_out(limit: LogLimit) {
    let report = move || {
        loop {
            thread::sleep(EVERY);
            for LeftOut { place, count } in limit.take_left_out(Instant::now()) {
                tracing::warn!(lines_of = place, count, "similar lines were left out");
            }
        }
    };
    // Without the thread lines are still left out; only their number is not logged.
    if let Err(error) = thread::Builder::new().name("log".to_owned()).spawn(report) {
        tracing::warn!(%error, "cannot start the thread that reports left-out log lines; their number is not logged");
    }
}

/// Leaves out lines that any client can cause: actix-http logs an error for each connection that ends in the middle of a request, or whose
/// request it cannot parse. These requests are counted, and logged at debug (`http::Heads`).
struct NoClientFaults;

impl<S: tracing::Subscriber> Layer<S> for NoClientFaults {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() != Level::ERROR || !metadata.target().starts_with("actix_http::h1") {
            return true;
        }
        let mut message = Message::default();
        event.record(&mut message);
        !(message.0.starts_with("stream error") || message.0.starts_with("MAX_BUFFER_SIZE"))
    }
}

/// The message of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // A string takes all that is written.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// Logs the location of a panic. The code that catches it logs the task's name.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current();
    tracing::error!(
        place,
        thread = thread.name().unwrap_or_default(),
        panic = panic_text(panic.payload()),
        "a thread panicked"
    );
}
