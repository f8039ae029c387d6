use super::super::input::{Element, MAX_BATCH, PositionWarning, Rejection, Report, parse_batch, parse_ndjson};
use super::super::writer::Outcome;
use super::position::age_s;
use super::{PROFILE_UNAVAILABLE, State, left_out_attributes, overloaded};
use crate::http::{AnswerContext, Answers, MediaType, Problem, Unparsed};
use crate::ids::Id;
use crate::kind::Kind;
use crate::runtime::apart;
use crate::tracking::docs::BatchBody;
use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

/// The largest body of a batch, bytes: 10,000 fixes with all their members.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// Why the position of a new entity is refused.
const NO_ROOM: &str =
    "Redis is nearly full, and positions of new entities are not stored; delete data, or raise its maxmemory";

/// The outcome of a batch.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct BatchAnswer {
    /// Positions that were stored.
    accepted: usize,
    /// Positions that are older than the current one or than their time to live; ignored.
    stale: usize,
    /// Positions that this instance keeps in memory until Redis is available.
    buffered: usize,
    /// Elements that were rejected.
    rejected: Vec<RejectedPosition>,
    /// The first 100 warnings about members that were dropped from the other elements. Absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<PositionWarning>>)]
    warnings: Vec<PositionWarning>,
    /// The total number of warnings. Absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings_total: Option<usize>,
}

/// An element of a batch that was rejected.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedPosition {
    /// Its index in the batch, from 0; in NDJSON empty lines do not count.
    index: usize,
    /// Its id, if it has a valid one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    id: Option<Id>,
    /// The fault.
    detail: String,
}

impl RejectedPosition {
    /// Returns about how many bytes it takes in an answer.
    fn size(&self) -> usize {
        /// The names of the members, the index, and escapes.
        const AROUND: usize = 64;
        AROUND + self.id.as_ref().map_or(0, |id| id.len()) + self.detail.len()
    }
}

/// Report many positions
///
/// An array, `{"positions":[…]}`, or one object per line (`application/x-ndjson`), each with its `id`, up to 10,000. Valid elements are
/// accepted even if others are not: an element that is not JSON is rejected alone, as long as its brackets and quotes are balanced.
#[utoipa::path(
    post, path = "/v1/{kind}/positions", operation_id = "report_positions", tag = "tracking",
    request_body(content(
        (BatchBody = "application/json"),
        (String = "application/x-ndjson", example = "{\"id\":\"d-1\",\"lat\":40.7484,\"lon\":-73.9857}\n{\"id\":\"d-2\",\"lat\":40.7527,\"lon\":-73.9772}\n"))),
    params(("kind" = String, Path, description = "drivers, vehicles or users")),
    responses(
        (status = 200, description = "The outcome", body = BatchAnswer),
        (status = 413, description = "More than 10,000 positions, 8 MiB, or `TRACKING_WRITER_QUEUE`", body = Problem),
        (status = 422, description = "Neither an array nor an object with positions", body = Problem),
        (status = 503, description = "The write queue is full and no position was accepted, or a fault of the service interrupted the request; send the whole batch again", body = Problem),
    )
)]
pub async fn report_batch(
    kind: Kind,
    context: AnswerContext,
    state: State,
    Unparsed(body): Unparsed<MAX_BODY>,
) -> Result<HttpResponse, Problem> {
    // A batch without room in the queue is refused here, before it is parsed, so that overload takes no time from accepted batches. A
    // batch that may be larger than the whole queue is parsed, to find out whether it is (413).
    let room = state.shared().settings.writer_queue;
    let needed = Some(at_most(&body.bytes)).filter(|needed| *needed <= room);
    let reserved = state
        .reserve_for(needed.unwrap_or(0))
        .await
        .map_err(|_full| overloaded())?;
    let clock = state.shared().clock(kind);
    let batch = apart(body.bytes.len(), move || match body.media_type {
        MediaType::Json => parse_batch(&body.bytes, clock),
        MediaType::Ndjson => parse_ndjson(&body.bytes, clock),
    })
    .await??;
    let mut warnings = batch.warnings;
    let Sorted {
        places,
        reports,
        mut rejected,
    } = sort(batch.elements);
    // A small body may have thousands of elements that are rejected.
    let refused: usize = rejected.iter().map(RejectedPosition::size).sum();
    let counted = context.reserve(refused)?;
    // Not the same as a queue that is full now: this batch would never fit.
    if reports.len() > room {
        return Err(Problem::content_too_large(format!(
            "this service takes at most {room} fixes at once"
        )));
    }
    if let Some((_, report)) = reports.first() {
        state
            .shared()
            .metrics
            .fix_age_seconds
            .observe(age_s(clock.now_ms - report.fix.timestamp_ms));
    }
    state.shared().counters(kind).rejected.inc_by(rejected.len() as u64);
    // Ids are kept only for elements with profile members, whose outcome may have to name them.
    let ids: Vec<Option<Id>> = reports
        .iter()
        .map(|(id, report)| report.patch.is_some().then(|| id.clone()))
        .collect();
    let all_written = state
        .write_all(kind, reports, reserved)
        .await
        .map_err(|_full| overloaded())?;
    let mut answer = BatchAnswer::default();
    for ((written, index), id) in all_written.into_iter().zip(places).zip(ids) {
        if let (true, Some(id)) = (written.attributes_left_out, &id) {
            warnings.add(index, id, left_out_attributes());
        }
        let detail = match written.outcome {
            Outcome::Stored => {
                answer.accepted += 1;
                continue;
            }
            Outcome::Stale => {
                answer.stale += 1;
                continue;
            }
            Outcome::Buffered => {
                answer.buffered += 1;
                continue;
            }
            // If the client repeats the whole batch, positions that were stored stay as they are.
            Outcome::Interrupted => return Err(Problem::interrupted()),
            Outcome::Full => {
                "the live index has no room for another entity; remove some, or raise TRACKING_MAX_ENTITIES"
            }
            Outcome::NoRoom => NO_ROOM,
            Outcome::Unavailable => PROFILE_UNAVAILABLE,
        };
        rejected.push(RejectedPosition {
            index,
            id,
            detail: detail.to_owned(),
        });
    }
    rejected.sort_by_key(|position| position.index);
    answer.rejected = rejected;
    let (listed, total) = warnings.into_parts();
    answer.warnings = listed;
    answer.warnings_total = (total > 0).then_some(total);
    Ok(Answers::counted(HttpResponse::Ok().json(answer), counted))
}

/// Returns a number that the positions in a body do not exceed, found at the speed of memory: each is an object.
#[expect(
    clippy::naive_bytecount,
    reason = "the compiler makes it fast enough: a body takes longer to be read"
)]
fn at_most(body: &[u8]) -> usize {
    body.iter().filter(|byte| **byte == b'{').count().min(MAX_BATCH)
}

/// The elements of a batch, by outcome.
#[derive(Default)]
struct Sorted {
    /// The indexes in the batch of the reports below.
    places: Vec<usize>,
    /// The reports to write.
    reports: Vec<(Id, Report)>,
    rejected: Vec<RejectedPosition>,
}

fn sort(elements: Vec<Element>) -> Sorted {
    let mut sorted = Sorted {
        places: Vec::with_capacity(elements.len()),
        reports: Vec::with_capacity(elements.len()),
        ..Sorted::default()
    };
    for (index, element) in elements.into_iter().enumerate() {
        match element {
            Ok(report) => {
                sorted.places.push(index);
                sorted.reports.push(report);
            }
            Err(Rejection { id, detail }) => sorted.rejected.push(RejectedPosition { index, id, detail }),
        }
    }
    sorted
}
