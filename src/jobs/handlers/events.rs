use super::super::{Events, Jobs, WAIT_MS};
use super::answer::{EventAnswer, EventsAnswer};
use super::params::EventsParams;
use super::queue::{fault, limit, number};
use super::{Data, waiting};
use crate::http::{AnswerLimit, EVENT_STREAM, Problem, Query, ServerEvents, asks_for, path_id, reply};
use crate::ids::Id;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::time::Instant;

/// Events of a page, if nothing is said and at most.
const PAGE: u64 = 100;
const PAGES: RangeInclusive<u64> = 1..=1_000;
/// A stream on which nothing happens says so as often: proxies close what is silent, and a client that has gone is noticed.
const BEAT: Duration = Duration::from_secs(15);

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
    let query = Query::parse(request.query_string(), &["after", "limit", "wait_ms"], &[])?;
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
        let first = state.jobs.events(&queue, after, limit, Duration::ZERO).await?;
        return Ok(Following::new(state.jobs.clone(), queue, after, limit).answer(&first));
    }
    let events = state.jobs.events(&queue, after, limit, wait);
    let events = if wait.is_zero() {
        events.await?
    } else {
        waiting(&request, &state.metrics, events).await??
    };
    let events = within(events, AnswerLimit::of(&request));
    let mut answer = reply::value(StatusCode::OK, &EventsAnswer::new(&events, after))?;
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

/// A client that follows the events of a queue.
struct Following {
    jobs: Jobs,
    queue: Id,
    after: String,
    limit: usize,
}

impl Following {
    fn new(jobs: Jobs, queue: Id, after: &str, limit: usize) -> Self {
        Self {
            jobs,
            queue,
            after: after.to_owned(),
            limit,
        }
    }

    /// The stream, which begins with what there is.
    fn answer(mut self, first: &Events) -> HttpResponse {
        let first = self.told(first);
        let rest = stream::unfold((self, Some(first)), |(mut following, first)| async {
            let told = match first {
                Some(first) => first,
                None => following.next().await?,
            };
            Some((told, (following, None)))
        });
        ServerEvents::answer(rest)
    }

    /// What is told next; nothing once the service stops or Redis is away. The client comes again then, with the last that it has.
    async fn next(&mut self) -> Option<ServerEvents> {
        let asked = Instant::now();
        let events = self
            .jobs
            .events(&self.queue, &self.after, self.limit, BEAT)
            .await
            .ok()?;
        let is_over = events.events.is_empty() && asked.elapsed() < BEAT;
        (!is_over).then(|| self.told(&events))
    }

    /// These events; a comment for none.
    fn told(&mut self, Events { events, gap }: &Events) -> ServerEvents {
        let mut told = ServerEvents::default();
        if *gap {
            told.push(None, "gap", "{\"gap\":true}");
        }
        for event in events {
            let data = serde_json::to_string(&EventAnswer::new(event)).unwrap_or_default();
            told.push(Some(&event.id), &event.kind, &data);
        }
        match events.last() {
            Some(last) => self.after.clone_from(&last.id),
            None => told.push_comment(),
        }
        told
    }
}
