use super::super::{Event, Events, Jobs, JobsError};
use super::answer::{EventAnswer, EventsAnswer};
use super::arguments::LastEventId;
use super::params::{EventId, EventsParams};
use super::{Data, while_connected};
use crate::http::{AnswerContext, Answers, Client, EVENT_STREAM, Path, Problem, Query, ServerEvents, reply};
use crate::ids::Id;
use crate::runtime::Room;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, VARY};
use bytes::Bytes;
use futures_util::stream;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// The interval of comments on a stream without events: proxies close silent connections, and a client that has disconnected is detected.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Maximum size of a chunk of a stream, bytes; only a single larger event exceeds it.
const CHUNK: usize = 64 * 1024;

/// List or stream the events of a queue
///
/// The events after `after`, oldest first; without `after`, all events that are kept. With `wait_ms` the call waits for an event if there
/// is none. About a thousand entries are kept; an entry has all jobs that one call changed in the same way. If `after` is older than
/// that, the response has `"gap": true`, because events may be missing. A page ends where it would be larger than `HTTP_MAX_ANSWER_BYTES`.
/// With `Accept: text/event-stream` the response is an endless stream of server-sent events, which starts after `Last-Event-ID` or
/// `after`; a gap is an event `gap` with the data `{"gap":true}`.
#[utoipa::path(
    get, path = "/v1/queues/{queue}/events", operation_id = "list_queue_events", tag = "jobs",
    params(
        ("queue" = String, Path),
        EventsParams,
        ("Last-Event-ID" = Option<String>, Header, format = "event-id", description = "Sent by a client of the stream that reconnects; ignored by a page"),
    ),
    responses(
        (status = 200, description = "A page of events, or the stream", content((EventsAnswer = "application/json"), (String = "text/event-stream"))),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn list_events(
    Path(queue): Path<Id>,
    client: Client,
    answer: AnswerContext,
    state: Data,
    LastEventId(last): LastEventId,
    Query(query): Query<EventsParams>,
) -> Result<HttpResponse, Problem> {
    let EventId(after) = query.start(last)?;
    let (limit, wait) = (query.limit(), query.wait());
    if answer.prefers(EVENT_STREAM) {
        let mut following = Following {
            jobs: state.jobs.clone(),
            queue,
            after,
            limit,
            read: VecDeque::new(),
            room: answer.room(),
        };
        let gap = following.read(Duration::ZERO).await?;
        let first = following.chunk(gap);
        return Ok(following.answer(first));
    }
    let (most, mut room) = (answer.max_bytes(), answer.room());
    let events = state.jobs.events(&queue, &after, limit, most, wait, room.as_mut());
    let events = if wait.is_zero() {
        events.await?
    } else {
        while_connected(&client, &state.metrics, events).await??
    };
    let events = within(events, most);
    let response = reply::value(StatusCode::OK, &EventsAnswer::new(&events, &after))?;
    let mut response = Answers::counted(response, room);
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// Returns the first events that take up to `bytes` bytes, at least one. The next page starts after the last of them.
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

/// A client that follows the events of a queue. The memory for events is taken before they are read, and held until they are sent.
struct Following {
    jobs: Jobs,
    queue: Id,
    /// The id of the last event that was read.
    after: String,
    limit: usize,
    /// Events that were read and are not in a chunk yet.
    read: VecDeque<Event>,
    /// The memory for them.
    room: Option<Room>,
}

/// A chunk of the stream, with the memory that was taken for it.
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
    /// Returns the stream, which starts with a chunk.
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

    /// Returns the next chunk; `None` once the service stops or Redis is unavailable. The client then reconnects with the last id that it has.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.read.is_empty() {
            return Some(self.chunk(ServerEvents::default()));
        }
        let asked = Instant::now();
        let gap = match self.read(HEARTBEAT).await {
            Ok(gap) => gap,
            // As if there were no events: the next call tries again.
            Err(JobsError::NoRoom(_)) => ServerEvents::default(),
            Err(_) => return None,
        };
        let is_over = self.read.is_empty() && asked.elapsed() < HEARTBEAT;
        (!is_over).then(|| self.chunk(gap))
    }

    /// Reads events, and waits for them up to `wait`. Returns the text to send before them.
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

    /// Adds the next events to a chunk, or a comment if there are none.
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
