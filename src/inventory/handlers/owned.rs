use super::super::docs::{OwnedParams, ReleasedAnswer, ReservationsAnswer};
use super::Stock;
use super::input::HoldsPage;
use crate::http::{Problem, Query, reply};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// List the holds of an owner
///
/// Only reservations in the state `held` are listed, by partition and expiry time. Each call examines a bounded number of holds, so a page
/// may be empty although it is not the last. A hold that is extended during the listing may be returned twice.
#[utoipa::path(
    get, path = "/v1/reservations", operation_id = "list_reservations", tag = "inventory",
    params(OwnedParams),
    responses(
        (status = 200, description = "A page of holds", body = ReservationsAnswer),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn list_owned(Query(page): Query<HoldsPage>, stock: Stock) -> Result<HttpResponse, Problem> {
    let (holds, next) = stock.owned(&page.owner, page.cursor, page.limit).await?;
    let answer = ReservationsAnswer {
        reservations: holds.iter().map(Into::into).collect(),
        next: next.map(|cursor| cursor.text()),
    };
    reply::value(StatusCode::OK, &answer)
}

/// Release the holds of an owner
///
/// Each call releases one page: repeat the call with `next` as the `cursor` until there is no `next`. Confirmed reservations are not
/// changed. A hold that is created during the calls may be released or not.
#[utoipa::path(
    delete, path = "/v1/reservations", operation_id = "release_reservations", tag = "inventory",
    params(OwnedParams),
    responses(
        (status = 200, description = "The number of released holds, and the cursor of the next page", body = ReleasedAnswer),
        (status = 503, description = "Redis is unavailable; some holds may be released", body = Problem),
    )
)]
pub async fn release_owned(Query(page): Query<HoldsPage>, stock: Stock) -> Result<HttpResponse, Problem> {
    let (released, next) = stock.release_owned(&page.owner, page.cursor, page.limit).await?;
    let next = next.map(|cursor| cursor.text());
    reply::value(StatusCode::OK, &ReleasedAnswer { released, next })
}
