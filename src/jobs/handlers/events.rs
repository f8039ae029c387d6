use super::super::{Event, Events, Jobs, JobsError, WAIT_MS};
use super::answer::{EventAnswer, EventsAnswer};
use super::params::EventsParams;
use super::queue::{fault, limit, number};
use super::{Data, waiting};
use crate::http::{AnswerLimit, Answers, EVENT_STREAM, Problem, QueryString, ServerEvents, asks_for, path_id, reply};
use crate::ids::Id;
use crate::runtime::Room;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::time::Instant;

/// Events of a page, if nothing is said and at most.
const PAGE: u64 = 100;
const PAGES: RangeInclusive<u64> = 1..=1_000;
/// A stream on which nothing happens says so as often: proxies close what is silent, and a client that has gone is noticed.
const BEAT: Duration = Duration::from_secs(15);
/// Bytes of a chunk of a stream; more only where one event has more.
const CHUNK: usize = 64 * 1024;

/// List or stream the events of a queue
///
/// The events behind `after`, the oldest first; all that are kept if it is not given. With `wait_ms` it waits for some if there are none.
/// About a thousand entries are kept, each of what one call did to any number of jobs; where `after` is older than that the answer has
/// `"gap": true`, because events may be missing. With `Accept: text/event-stream` it is a stream of server-sent events without end, which
/// begins behind `Last-Event-ID` or `after`. A page ends where it would be larger than `HTTP_MAX_ANSWER_BYTES`. A gap is an event `gap` in it, with the data `{"gap":true}`.
#[utoipa::path(
    get, path = "/v1/queues/{queue}/events", operation_id = "list_queue_events", tag = "jobs",
    params(
        ("queue" = String, Path),
        EventsParams,
        ("Last-Event-ID" = Option<String>, Header, format = "event-id", description = "As a client of a stream sends it that connects again; ignored by a page"),
    ),
    responses(
        (status = 200, description = "A page of them, or the stream", content((EventsAnswer = "application/json"), (String = "text/event-stream"))),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn list_events(request: HttpRequest, state: Data) -> Result<HttpResponse, Problem> {
    let queue = path_id(&request, "queue")?;
    let query = QueryString::parse(request.query_string(), &["after", "limit", "wait_ms"], &[])?;
    let streams = asks_for(&request, EVENT_STREAM);
    let last = request.headers().get("last-event-id").filter(|_| streams);
    let (name, after) = match last {
        Some(last) => ("last-event-id", last.to_str().unwrap_or_default()),
        None => ("after", query.text("after").unwrap_or("0-0")),
    };
    if !is_place(after) {
        return Err(fault(name, "is not a place in the stream"));
    }
    let limit = limit(&query, PAGE, &PAGES)?;
    let wait = Duration::from_millis(number(&query, "wait_ms", 0, &(0..=WAIT_MS.end().unsigned_abs()))?);
    if streams {
        let mut following = Following {
            jobs: state.jobs.clone(),
            queue,
            after: after.to_owned(),
            limit,
            read: VecDeque::new(),
            room: Answers::room(&request),
        };
        let gap = following.read(Duration::ZERO).await?;
        let first = following.chunk(gap);
        return Ok(following.answer(first));
    }
    let (most, mut room) = (AnswerLimit::of(&request), Answers::room(&request));
    let events = state.jobs.events(&queue, after, limit, most, wait, room.as_mut());
    let events = if wait.is_zero() {
        events.await?
    } else {
        waiting(&request, &state.metrics, events).await??
    };
    let events = within(events, most);
    let answer = reply::value(StatusCode::OK, &EventsAnswer::new(&events, after))?;
    let mut answer = Answers::counted(answer, room);
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    Ok(answer)
}

/// The first events, as far as they fit into so many bytes; at least one. The next page goes on behind the last of them.
fn within(mut events: Events, bytes: usize) -> Events {
    let mut left = bytes;
    let fits = events.events.iter().take_while(|event| {
        let size = event.size();
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    });
    let fits = fits.count().max(1);
    events.events.truncate(fits);
    events
}

/// Whether it is one as Redis has them: `MS-N`.
fn is_place(text: &str) -> bool {
    let is_number = |text: &str| (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-')
        .is_some_and(|(ms, number)| is_number(ms) && is_number(number))
}

/// A client that follows the events of a queue. The memory for what was read and is not sent yet is taken before it is read.
struct Following {
    jobs: Jobs,
    queue: Id,
    /// The last event that was read.
    after: String,
    limit: usize,
    /// Events that were read and are not in a chunk yet.
    read: VecDeque<Event>,
    /// The memory for them.
    room: Option<Room>,
}

/// A chunk of the stream with the memory that it takes.
struct Chunk {
    events: ServerEvents,
    _room: Option<Room>,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self.events.as_ref()
    }
}

impl Following {
    /// The stream, which begins with this.
    fn answer(self, first: Bytes) -> HttpResponse {
        let rest = stream::unfold((self, Some(first)), |(mut following, first)| async {
            let chunk = match first {
                Some(first) => first,
                None => following.next().await?,
            };
            Some((chunk, (following, None)))
        });
        ServerEvents::answer(rest)
    }

    /// The next chunk; nothing once the service stops or Redis is unavailable. The client comes again then, with the last id that it has.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.read.is_empty() {
            return Some(self.chunk(ServerEvents::default()));
        }
        let asked = Instant::now();
        let gap = match self.read(BEAT).await {
            Ok(gap) => gap,
            // The same as if there were none.
            Err(JobsError::NoRoom(_)) => ServerEvents::default(),
            Err(_) => return None,
        };
        let is_over = self.read.is_empty() && asked.elapsed() < BEAT;
        (!is_over).then(|| self.chunk(gap))
    }

    /// Reads events, waiting for them for so long. Returns what is to be sent before them.
    async fn read(&mut self, wait: Duration) -> Result<ServerEvents, JobsError> {
        let room = self.room.as_mut();
        let events = self
            .jobs
            .events(&self.queue, &self.after, self.limit, CHUNK, wait, room)
            .await?;
        if let Some(last) = events.events.last() {
            self.after.clone_from(&last.id);
        }
        self.read = events.events.into();
        let mut before = ServerEvents::default();
        if events.gap {
            before.push(None, "gap", "{\"gap\":true}");
        }
        Ok(before)
    }

    /// Adds the next events to a chunk; a comment if there are none.
    fn chunk(&mut self, mut chunk: ServerEvents) -> Bytes {
        while let Some(event) = self.read.front()
            && (chunk.is_empty() || chunk.len() + event.size() <= CHUNK)
        {
            let data = serde_json::to_string(&EventAnswer::new(event)).unwrap_or_default();
            chunk.push(Some(&event.id), &event.kind, &data);
            self.read.pop_front();
        }
        if chunk.is_empty() {
            chunk.push_comment();
        }
        let room = self.room.as_mut().map(|room| room.split_off(chunk.len()));
        if let Some(room) = self.room.as_mut().filter(|_| self.read.is_empty()) {
            room.resize(0);
        }
        Bytes::from_owner(Chunk {
            events: chunk,
            _room: room,
        })
    }
}
