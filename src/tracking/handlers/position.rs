use super::super::answer;
use super::super::commands::{self, Removal};
use super::super::input::parse_fix;
use super::super::live::Origin;
use super::super::model::Removed;
use super::super::writer::Outcome;
use super::{EntityId, State, left_out_attributes, no_room, overloaded, profile_unavailable};
use crate::clock;
use crate::http::{FieldError, Path, Problem, Unparsed, reply};
use crate::kind::Kind;
use crate::store::StoreError;
use crate::tracking::docs::{FixBody, OutcomeWord, PositionBody};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The largest body of a single fix, bytes.
const MAX_BODY: usize = 16 * 1024;

/// The outcome of a position.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutcomeBody {
    /// The outcome.
    #[schema(value_type = OutcomeWord)]
    outcome: &'static str,
    /// The members of the position that were dropped. Absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<FieldError>>)]
    warnings: Vec<FieldError>,
}

/// Report a position
///
/// The position with the newest timestamp wins. A position older than the current one or than the time to live is answered as stale and
/// ignored. Only id, place and time decide whether a position is accepted: any other member that is invalid is dropped with a warning.
#[utoipa::path(
    post, path = "/v1/{kind}/{id}/position", operation_id = "report_position", tag = "tracking", request_body = FixBody,
    params(("kind" = String, Path, description = "drivers, vehicles or users"), ("id" = String, Path)),
    responses(
        (status = 204, description = "Stored"),
        (status = 200, description = "Stored, with warnings; or stale: a newer position is stored, or this one is older than its time to live", body = OutcomeBody),
        (status = 202, description = "Buffered: Redis is unavailable, and this instance keeps the position in memory", body = OutcomeBody),
        (status = 503, description = "The write queue is full, or a fault of the service interrupted the request", body = Problem),
    )
)]
pub async fn report(
    kind: Kind,
    Path(EntityId(id)): Path<EntityId>,
    state: State,
    Unparsed(body): Unparsed<MAX_BODY>,
) -> Result<HttpResponse, Problem> {
    let body = body.json()?;
    let clock = state.shared().clock(kind);
    let mut report = parse_fix(&body, &id, clock).inspect_err(|_| state.shared().counters(kind).rejected.inc())?;
    state
        .shared()
        .metrics
        .fix_age_seconds
        .observe(age_s(clock.now_ms - report.fix.timestamp_ms));
    let mut warnings = std::mem::take(&mut report.warnings);
    let written = state.write(kind, id, report).await.map_err(|_full| overloaded())?;
    if written.attributes_left_out {
        warnings.push(left_out_attributes());
    }
    match written.outcome {
        Outcome::Stored if warnings.is_empty() => Ok(HttpResponse::NoContent().finish()),
        Outcome::Stored => Ok(answered(StatusCode::OK, "stored", warnings)),
        Outcome::Stale => Ok(answered(StatusCode::OK, "stale", warnings)),
        Outcome::Buffered => Ok(answered(StatusCode::ACCEPTED, "buffered", warnings)),
        Outcome::Full => Err(no_room()),
        Outcome::NoRoom => Err(StoreError::Full.into()),
        Outcome::Unavailable => Err(profile_unavailable()),
        Outcome::Interrupted => Err(Problem::interrupted()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "an age is far below 2^52 ms")]
pub(super) fn age_s(age_ms: i64) -> f64 {
    age_ms.max(0) as f64 / 1000.0
}

fn answered(status: StatusCode, outcome: &'static str, warnings: Vec<FieldError>) -> HttpResponse {
    HttpResponse::build(status).json(OutcomeBody { outcome, warnings })
}

/// Get the position of an entity
///
/// Answered from the live index. A position expires after its time to live.
#[utoipa::path(
    get, path = "/v1/{kind}/{id}/position", operation_id = "get_position", tag = "tracking",
    params(("kind" = String, Path, description = "drivers, vehicles or users"), ("id" = String, Path)),
    responses(
        (status = 200, description = "The latest position", body = PositionBody),
        (status = 404, description = "No position, or it has expired", body = Problem),
    )
)]
pub async fn locate(kind: Kind, Path(EntityId(id)): Path<EntityId>, state: State) -> Result<HttpResponse, Problem> {
    let now_ms = clock::now_ms();
    let entity = state.shared().live(kind).get(&id, now_ms);
    let entity = entity.ok_or_else(|| {
        Problem::not_found("no current position for this id; the entity has not reported within its time to live")
    })?;
    Ok(reply::json(answer::entity(&entity, now_ms)))
}

/// Delete the position of an entity
///
/// Takes effect in all answers at once. Positions from before the deletion that arrive late are ignored. The profile stays.
#[utoipa::path(
    delete, path = "/v1/{kind}/{id}/position", operation_id = "delete_position", tag = "tracking",
    params(("kind" = String, Path, description = "drivers, vehicles or users"), ("id" = String, Path)),
    responses(
        (status = 204, description = "Deleted, or there was none"),
        (status = 202, description = "Deleted at this instance; Redis is unavailable, and the deletion is written when it is available again", body = OutcomeBody),
        (status = 503, description = "Redis refused the deletion; nothing was deleted", body = Problem),
    )
)]
pub async fn forget(kind: Kind, Path(EntityId(id)): Path<EntityId>, state: State) -> Result<HttpResponse, Problem> {
    let shared = state.shared();
    let live = shared.live(kind);
    let target = shared.target(kind, shared.store.keys().partition(&id));
    // A fix from a clock that is ahead must still be removed, here and in Redis, where it may not have arrived yet.
    let newest = live.get(&id, target.now_ms).map(|entity| entity.fix);
    let newest_ms = newest.map_or(0, |fix| fix.timestamp_ms);
    let mut removed = Removed {
        at_ms: if newest_ms > target.now_ms { newest_ms + 1 } else { 0 },
        // Another instance's clock may be ahead.
        received_us: clock::unique_us().max(newest.map_or(0, |fix| fix.received_us + 1)),
    };
    match commands::remove(state.link(), target, &id, Removal::NotBefore(removed)).await {
        Ok(removed) => {
            if let Some(removed) = removed {
                live.remove(Origin::Stored, &id, removed);
            }
            Ok(HttpResponse::NoContent().finish())
        }
        Err(StoreError::Unavailable | StoreError::Lost(_)) => {
            removed.at_ms = removed.at_ms.max(target.now_ms);
            live.remove(Origin::Local, &id, removed);
            if !live.has_record(&id) {
                return Err(no_room());
            }
            Ok(answered(StatusCode::ACCEPTED, "buffered", Vec::new()))
        }
        Err(error) => Err(error.into()),
    }
}
