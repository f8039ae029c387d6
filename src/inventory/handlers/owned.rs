use super::super::docs::{OwnedParams, ReleasedAnswer, ReservationsAnswer};
use super::State;
use super::input::HoldsPage;
use crate::http::{Problem, Query, reply};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// List the holds of an owner
///
/// Those that are held; by group and end. Each call looks through a bounded number of holds, so a page may be empty and not the last.
/// One that is extended meanwhile may come twice.
#[utoipa::path(
    get, path = "/v1/reservations", operation_id = "list_reservations", tag = "inventory",
    params(OwnedParams),
    responses(
        (status = 200, description = "A page", body = ReservationsAnswer),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn list_owned(Query(page): Query<HoldsPage>, state: State) -> Result<HttpResponse, Problem> {
    let (holds, next) = state.owned(&page.owner, page.cursor, page.limit).await?;
    let answer = ReservationsAnswer {
        reservations: holds.iter().map(Into::into).collect(),
        next: next.map(|cursor| cursor.text()),
    };
    reply::value(StatusCode::OK, &answer)
}

/// Release the holds of an owner
///
/// Piece by piece: call it again with `next` as the `cursor` until there is none. What is confirmed stays as it is. A hold that is made
/// meanwhile may be released or not.
#[utoipa::path(
    delete, path = "/v1/reservations", operation_id = "release_reservations", tag = "inventory",
    params(OwnedParams),
    responses(
        (status = 200, description = "How many were released, and where to go on", body = ReleasedAnswer),
        (status = 503, description = "Redis is away; some may be released", body = Problem),
    )
)]
pub async fn release_owned(Query(page): Query<HoldsPage>, state: State) -> Result<HttpResponse, Problem> {
    let (released, next) = state.release_owned(&page.owner, page.cursor, page.limit).await?;
    let next = next.map(|cursor| cursor.text());
    reply::value(StatusCode::OK, &ReleasedAnswer { released, next })
}
