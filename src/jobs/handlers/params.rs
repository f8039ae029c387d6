//! The query parameters of calls, read from requests and shown in the `OpenAPI` document.

use super::super::{Cursor, MAX_DRAINED, State, WAIT_MS};
use crate::http::{Problem, QueryParameters, QueryString};
use std::ops::RangeInclusive;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// The number of jobs, or of queues, in a page.
const PAGE_LIMIT: RangeInclusive<u64> = 1..=100;
/// The number of events in a page, and its default.
const EVENTS_LIMIT: RangeInclusive<u64> = 1..=1_000;
const DEFAULT_EVENTS: u64 = 100;

/// A page of the queues.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct QueuesParams {
    /// Maximum number of queues in the page.
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<u64>,
    /// `next` of the previous page.
    #[param(format = "cursor")]
    pub(super) cursor: Option<String>,
}

impl QueuesParams {
    pub(super) fn limit(&self) -> usize {
        size(self.limit.unwrap_or(*PAGE_LIMIT.end()))
    }
}

impl QueryParameters for QueuesParams {
    const KNOWN: &'static [&'static str] = &["limit", "cursor"];

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        Ok(Self {
            limit: number(query, "limit", &PAGE_LIMIT)?,
            cursor: query.text("cursor").map(ToOwned::to_owned),
        })
    }
}

/// A page of the schedules.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SchedulesParams {
    /// `next` of the previous page.
    #[param(value_type = Option<String>, format = "cursor")]
    pub(super) cursor: Option<u16>,
}

impl QueryParameters for SchedulesParams {
    const KNOWN: &'static [&'static str] = &["cursor"];

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        let cursor = query.number("cursor");
        Ok(Self {
            cursor: cursor.map_err(|error| Problem::validation_failed(vec![error]))?,
        })
    }
}

/// A page of the jobs in a state.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobsParams {
    /// The state.
    pub(super) state: State,
    /// Maximum number of jobs in the page.
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<u64>,
    /// `next` of the previous page.
    #[param(value_type = Option<String>, format = "cursor")]
    pub(super) cursor: Option<Cursor>,
}

impl JobsParams {
    pub(super) fn limit(&self) -> usize {
        size(self.limit.unwrap_or(*PAGE_LIMIT.end()))
    }
}

impl QueryParameters for JobsParams {
    const KNOWN: &'static [&'static str] = &["state", "limit", "cursor"];

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        let state = query.text("state").unwrap_or_default();
        let state = State::ALL.into_iter().find(|known| known.name() == state);
        let state = state.ok_or_else(|| refused("state", "must be ready, delayed, leased, done, dead or cancelled"))?;
        let limit = number(query, "limit", &PAGE_LIMIT)?;
        let cursor = |text| Cursor::parse(text).ok_or_else(|| refused("cursor", "must be `next` of a page"));
        Ok(Self {
            state,
            limit,
            cursor: query.text("cursor").map(cursor).transpose()?,
        })
    }
}

/// The state of a job that waits.
#[derive(Clone, Copy, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitingState {
    Ready,
    Delayed,
}

impl From<WaitingState> for State {
    fn from(state: WaitingState) -> Self {
        match state {
            WaitingState::Ready => Self::Ready,
            WaitingState::Delayed => Self::Delayed,
        }
    }
}

/// Which jobs are cancelled.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DrainParams {
    /// The state of the jobs.
    #[param(inline)]
    pub(super) state: WaitingState,
    /// Maximum number of jobs to cancel.
    #[param(minimum = 1, maximum = 10000, default = 10000)]
    limit: Option<u64>,
}

impl DrainParams {
    pub(super) fn limit(&self) -> u64 {
        self.limit.unwrap_or(MAX_DRAINED)
    }
}

impl QueryParameters for DrainParams {
    const KNOWN: &'static [&'static str] = &["state", "limit"];

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        let state = match query.text("state") {
            Some("ready") => WaitingState::Ready,
            Some("delayed") => WaitingState::Delayed,
            _ => return Err(refused("state", "must be ready or delayed")),
        };
        Ok(Self {
            state,
            limit: number(query, "limit", &(1..=MAX_DRAINED))?,
        })
    }
}

/// A page of the events, or the start of the stream.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsParams {
    /// `next` of the previous page; if absent, the page starts at the oldest event.
    #[param(pattern = r"^[0-9]{1,19}-[0-9]{1,19}$", example = "1700000000000-0")]
    after: Option<String>,
    /// Maximum number of events in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// Maximum time to wait for an event if there is none; ignored by a stream.
    #[param(minimum = 0, maximum = 60000, default = 0)]
    wait_ms: Option<u64>,
}

impl EventsParams {
    /// Returns the event after which to start: that of `Last-Event-ID` if there is one, else `after`, else the start of the stream.
    pub(super) fn start(&self, last: Option<EventId>) -> Result<EventId, Problem> {
        last.map_or_else(|| EventId::parse("after", self.after.as_deref().unwrap_or("0-0")), Ok)
    }

    pub(super) fn limit(&self) -> usize {
        size(self.limit.unwrap_or(DEFAULT_EVENTS))
    }

    pub(super) fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms.unwrap_or(0))
    }
}

impl QueryParameters for EventsParams {
    const KNOWN: &'static [&'static str] = &["after", "limit", "wait_ms"];

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        Ok(Self {
            after: query.text("after").map(ToOwned::to_owned),
            limit: number(query, "limit", &EVENTS_LIMIT)?,
            wait_ms: number(query, "wait_ms", &(0..=WAIT_MS.end().unsigned_abs()))?,
        })
    }
}

/// The id of an entry in the stream of events, as Redis writes it: `MS-N`.
#[derive(Debug)]
pub struct EventId(pub(super) String);

impl EventId {
    /// Parses the value of the parameter or header `name`.
    ///
    /// # Errors
    /// 422 if it is not the id of an entry.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        let is_number = |text: &str| (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.split_once('-') {
            Some((ms, number)) if is_number(ms) && is_number(number) => Ok(Self(text.to_owned())),
            _ => Err(refused(name, "must be the id of an event, such as 1700000000000-0")),
        }
    }
}

fn refused(name: &str, detail: impl Into<String>) -> Problem {
    Problem::invalid_parameter(name, detail)
}

fn number(query: &QueryString<'_>, name: &str, range: &RangeInclusive<u64>) -> Result<Option<u64>, Problem> {
    let number = query
        .number(name)
        .map_err(|error| Problem::validation_failed(vec![error]))?;
    match number {
        Some(number) if !range.contains(&number) => {
            Err(refused(name, format!("must be {} to {}", range.start(), range.end())))
        }
        number => Ok(number),
    }
}

fn size(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
