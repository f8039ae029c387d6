use super::super::docs::{ExtendBody, PortionBody, ReservationAnswer, ReserveBody, ReserveItemBody};
use super::super::model::{Goods, Reservation, Terms};
use super::super::{InventoryError, Name};
use super::Stock;
use super::input::{Extension, NewItemReservation, NewReservation, Selection};
use crate::http::{Body, Client, FieldError, IdempotencyKey, Path, Problem, REPLAYED, WithBytes, reply};
use crate::ids::{ExternalId, Id};
use crate::once::Once;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION};
use utoipa::IntoResponses;

/// Reserve an item
///
/// The stock is held until the reservation is confirmed or released, or it expires. With an `Idempotency-Key`, or an `id` in the
/// body, a repeated call takes no more stock and gets the same answer, whatever the state of the reservation is, until a day after its
/// end. With another body it is a 422. A key is scoped to this item; an id is unique in the whole inventory, and must not begin with `r`,
/// a hexadecimal digit and a dot, which is the form of generated ids. Without a key or an id, the reservation is released if the client
/// disconnects before it gets the answer.
#[utoipa::path(
    post, path = "/v1/inventory/{sku}/reservations", operation_id = "reserve_item", tag = "inventory", request_body = ReserveItemBody,
    params(("sku" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 201, description = "The stock is held", body = ReservationAnswer, headers(
            ("Location" = String, description = "The path of the reservation: `/v1/reservations/ID`"),
            ("Idempotent-Replayed" = String, description = "`true` if an earlier call with the same id or key created it; absent otherwise"),
        )),
        (status = 404, description = "There is no such item", body = Problem),
        (status = 409, description = "`insufficient_stock`, with the `available` quantity; or `in_progress`", body = Problem),
        (status = 422, description = "A value is not valid, or the key was used with another body", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn reserve_item(
    Path(sku): Path<Id>,
    client: Client,
    IdempotencyKey(key): IdempotencyKey,
    stock: Stock,
    Body(NewItemReservation { quantity, hold }): Body<NewItemReservation>,
) -> Result<HttpResponse, Problem> {
    let (terms, id) = hold.of(vec![Goods { sku, quantity }]);
    make(&client, &stock, &terms, name(id, key, Name::ItemKey)?).await
}

/// Reserve several items, all or none
///
/// Items of one group are taken in one atomic step. Items of different groups are taken separately, and given back if one of them is
/// not available: in the meantime other clients can see that some of them are taken. The reservation exists only when all are taken.
#[utoipa::path(
    post, path = "/v1/reservations", operation_id = "create_reservation", tag = "inventory", request_body = ReserveBody,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 201, description = "The stock is held", body = ReservationAnswer, headers(
            ("Location" = String, description = "The path of the reservation: `/v1/reservations/ID`"),
            ("Idempotent-Replayed" = String, description = "`true` if an earlier call with the same id or key created it; absent otherwise"),
        )),
        (status = 404, description = "There is no such item", body = Problem),
        (status = 409, description = "`insufficient_stock`, with the `sku` and the `available` quantity; or `in_progress`", body = Problem),
        (status = 422, description = "A value is not valid, or the key was used with another body", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn reserve(
    client: Client,
    IdempotencyKey(key): IdempotencyKey,
    stock: Stock,
    Body(NewReservation { goods, hold }): Body<NewReservation>,
) -> Result<HttpResponse, Problem> {
    let (terms, id) = hold.of(goods);
    make(&client, &stock, &terms, name(id, key, Name::Key)?).await
}

/// Get a reservation
#[utoipa::path(
    get, path = "/v1/reservations/{id}", operation_id = "get_reservation", tag = "inventory", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The reservation", body = ReservationAnswer),
        (status = 404, description = "There is no such reservation, or it ended more than a day ago", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn get_reservation(Path(id): Path<Id>, stock: Stock) -> Result<HttpResponse, Problem> {
    answer(stock.reservation(&id).await)
}

/// Confirm a reservation
///
/// An expired reservation takes its stock again if that is available. A repeated call gets the same answer.
#[utoipa::path(
    post, path = "/v1/reservations/{id}/confirm", operation_id = "confirm_reservation", tag = "inventory", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The reservation is confirmed", body = ReservationAnswer),
        (status = 404, description = "There is no such reservation", body = Problem),
        (status = 409, description = "`wrong_state` with the `state`; `insufficient_stock` if it has expired; `in_progress` while another call is creating it", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn confirm(Path(id): Path<Id>, stock: Stock) -> Result<HttpResponse, Problem> {
    answer(stock.confirm(&id).await)
}

/// The problems that a call may be answered with that gives back a reservation or a part of it.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "shown in the document")]
enum PortionProblems {
    #[response(status = 404, description = "There is no such reservation")]
    Unknown(Problem),
    #[response(
        status = 422,
        description = "A value is not valid, or the key was used with another body"
    )]
    Invalid(Problem),
    #[response(status = 503, description = "Redis is unavailable")]
    Unavailable(Problem),
}

/// Release a hold or a part of it
///
/// Without a body the whole hold is released, and a repeated call gets the same answer. With a body a part of it is released: `quantity`
/// of its only item, or the quantities of `items`. The rest stays held. A repeated call for a part releases that part again, unless the
/// call has an `Idempotency-Key`.
#[utoipa::path(
    post, path = "/v1/reservations/{id}/release", operation_id = "release_reservation", tag = "inventory", request_body = Option<PortionBody>,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "Released; the state is still `held` if something is left", body = ReservationAnswer, headers(
            ("Idempotent-Replayed" = String, description = "`true` if an earlier call with the same key released the part; absent otherwise"),
        )),
        (status = 409, description = "`wrong_state` with the `state`; `not_that_much` for a part; `in_progress` while another call is creating it", body = Problem),
        PortionProblems,
    )
)]
pub async fn release(
    Path(id): Path<Id>,
    IdempotencyKey(key): IdempotencyKey,
    stock: Stock,
    Body(WithBytes { value, bytes }): Body<WithBytes<Selection>>,
) -> Result<HttpResponse, Problem> {
    let once = key.map(|key| Once::new(&["release", &id], &key, &bytes));
    match value.0 {
        None => answer(stock.release(&id).await),
        Some(portion) => given_back(stock.release_part(&id, &portion, once.as_ref()).await),
    }
}

/// Return a confirmed reservation or a part of it
///
/// All that is confirmed, or a part as for `release`, can be reserved again. Goods that were removed from the stock (`adjust` with the
/// reservation) are not added again: adjust the quantity of the item if they are back in stock. A repeated call for the whole reservation gets the
/// same answer; for a part see `release`.
#[utoipa::path(
    post, path = "/v1/reservations/{id}/return", operation_id = "return_reservation", tag = "inventory", request_body = Option<PortionBody>,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "Returned; the state is still `confirmed` if something is left", body = ReservationAnswer, headers(
            ("Idempotent-Replayed" = String, description = "`true` if an earlier call with the same key returned it; absent otherwise"),
        )),
        (status = 409, description = "`wrong_state` with the `state`; `has_left`; `not_that_much` for a part", body = Problem),
        PortionProblems,
    )
)]
pub async fn take_back(
    Path(id): Path<Id>,
    IdempotencyKey(key): IdempotencyKey,
    stock: Stock,
    Body(WithBytes { value, bytes }): Body<WithBytes<Selection>>,
) -> Result<HttpResponse, Problem> {
    let once = key.map(|key| Once::new(&["return", &id], &key, &bytes));
    given_back(stock.take_back(&id, value.0.as_ref(), once.as_ref()).await)
}

fn given_back(outcome: Result<(Reservation, bool), InventoryError>) -> Result<HttpResponse, Problem> {
    let (reservation, before) = outcome.map_err(key_reused)?;
    let mut response = reply::value(StatusCode::OK, &ReservationAnswer::from(&reservation))?;
    if before {
        let (name, value) = REPLAYED;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Converts an error of a call with a key: a reused key is a fault of `Idempotency-Key`.
fn key_reused(error: InventoryError) -> Problem {
    match error {
        InventoryError::KeyReused => Problem::invalid_parameter("Idempotency-Key", error.to_string()),
        error => error.into(),
    }
}

/// Extend a hold
///
/// The hold lasts `ttl_s` seconds from now. It never becomes shorter.
#[utoipa::path(
    post, path = "/v1/reservations/{id}/extend", operation_id = "extend_reservation", tag = "inventory", request_body = ExtendBody, params(("id" = String, Path)),
    responses(
        (status = 200, description = "The hold is extended", body = ReservationAnswer),
        (status = 404, description = "There is no such reservation", body = Problem),
        (status = 409, description = "`wrong_state` with the `state`; `in_progress` while another call is creating it", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn extend(
    Path(id): Path<Id>,
    stock: Stock,
    Body(Extension(ttl)): Body<Extension>,
) -> Result<HttpResponse, Problem> {
    answer(stock.extend(&id, ttl).await)
}

async fn make(client: &Client, stock: &Stock, terms: &Terms, name: Name) -> Result<HttpResponse, Problem> {
    let made = stock.offer(terms, &name).await.map_err(|error| match &name {
        Name::ItemKey(_) | Name::Key(_) => key_reused(error),
        _ => error.into(),
    })?;
    let made = client.deliver(made).await?;
    let mut response = reply::value(StatusCode::CREATED, &ReservationAnswer::from(&made.reservation))?;
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/reservations/{}", made.reservation.id)) {
        headers.insert(LOCATION, location);
    }
    if made.before {
        let (name, value) = REPLAYED;
        headers.insert(name, value);
    }
    Ok(response)
}

fn answer(outcome: Result<Reservation, InventoryError>) -> Result<HttpResponse, Problem> {
    reply::value(StatusCode::OK, &ReservationAnswer::from(&outcome?))
}

/// Returns how the reservation is named: by an id or a key of the client, or by the service.
fn name(id: Option<Id>, key: Option<ExternalId>, of_key: impl FnOnce(ExternalId) -> Name) -> Result<Name, Problem> {
    match (id, key) {
        (Some(_), Some(_)) => Err(Problem::validation_failed(vec![FieldError::new(
            "id",
            "give an id or an Idempotency-Key, not both",
        )])),
        (Some(id), None) => Ok(Name::Id(id)),
        (None, Some(key)) => Ok(of_key(key)),
        (None, None) => Ok(Name::New),
    }
}
