use super::super::docs::{ExtendBody, PortionBody, ReservationAnswer, ReserveBody, ReserveItemBody};
use super::super::model::{Goods, Reservation, Terms};
use super::super::{InventoryError, Name};
use super::State;
use super::input::{Extension, NewItemReservation, NewReservation, Selection};
use crate::http::{Body, Client, FieldError, IdempotencyKey, Path, Problem, REPLAYED, WithBytes, reply};
use crate::ids::{ExternalId, Id};
use crate::once::Once;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION};

/// Reserve an item
///
/// It is held until it is confirmed or released, or its time is over. With an `Idempotency-Key` (or an `id` in the body) a call
/// that is repeated takes nothing more and gets the same answer, whatever became of the reservation, for a day after its end;
/// with another body it is a 422. A key counts for this item alone; an id is the client's own and counts everywhere (it must not
/// begin with `r`, a hexadecimal digit and a dot, as those do that the service gives).
/// Without one a client that goes before it is answered holds nothing: nobody else can name the reservation.
#[utoipa::path(
    post, path = "/v1/inventory/{sku}/reservations", operation_id = "reserve_item", tag = "inventory", request_body = ReserveItemBody,
    params(("sku" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 201, description = "Held", body = ReservationAnswer, headers(
            ("Location" = String, description = "Where the reservation is: `/v1/reservations/ID`"),
            ("Idempotent-Replayed" = String, description = "`true` where it was made before, by the same id or key; else not there"),
        )),
        (status = 404, description = "There is no such item", body = Problem),
        (status = 409, description = "`insufficient_stock`, with what is `available`; or `in_progress`", body = Problem),
        (status = 422, description = "Not acceptable, or the same key with another body", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn reserve_item(
    Path(sku): Path<Id>,
    client: Client,
    IdempotencyKey(key): IdempotencyKey,
    state: State,
    Body(NewItemReservation { quantity, hold }): Body<NewItemReservation>,
) -> Result<HttpResponse, Problem> {
    let (terms, id) = hold.of(vec![Goods { sku, quantity }]);
    make(&client, &state, &terms, name(id, key, Name::ItemKey)?).await
}

/// Reserve several items, all or none
///
/// Items of one group are taken in one step. Across groups they are taken one after the other, and given back if one of them
/// refuses: in between others may see some of them taken. The reservation itself is there only when all are.
#[utoipa::path(
    post, path = "/v1/reservations", operation_id = "create_reservation", tag = "inventory", request_body = ReserveBody,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 201, description = "Held", body = ReservationAnswer, headers(
            ("Location" = String, description = "Where the reservation is: `/v1/reservations/ID`"),
            ("Idempotent-Replayed" = String, description = "`true` where it was made before, by the same id or key; else not there"),
        )),
        (status = 404, description = "There is no such item", body = Problem),
        (status = 409, description = "`insufficient_stock`, with the `sku` and what is `available` of it; or `in_progress`", body = Problem),
        (status = 422, description = "Not acceptable, or the same key with another body", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn reserve(
    client: Client,
    IdempotencyKey(key): IdempotencyKey,
    state: State,
    Body(NewReservation { goods, hold }): Body<NewReservation>,
) -> Result<HttpResponse, Problem> {
    let (terms, id) = hold.of(goods);
    make(&client, &state, &terms, name(id, key, Name::Key)?).await
}

/// Get a reservation
#[utoipa::path(
    get, path = "/v1/reservations/{id}", operation_id = "get_reservation", tag = "inventory", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The reservation", body = ReservationAnswer),
        (status = 404, description = "There is none, or it ended more than a day ago", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn get_reservation(Path(id): Path<Id>, state: State) -> Result<HttpResponse, Problem> {
    answer(state.reservation(&id).await)
}

/// Confirm a reservation
///
/// One that has run out takes its stock again if that is there. Repeated it is answered alike.
#[utoipa::path(
    post, path = "/v1/reservations/{id}/confirm", operation_id = "confirm_reservation", tag = "inventory", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Confirmed", body = ReservationAnswer),
        (status = 404, description = "There is no such reservation", body = Problem),
        (status = 409, description = "`wrong_state` with the `state`; `insufficient_stock` after it has run out", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn confirm(Path(id): Path<Id>, state: State) -> Result<HttpResponse, Problem> {
    answer(state.confirm(&id).await)
}

/// Release a hold or a part of it
///
/// All of it, and repeated it is answered alike; or a part: `quantity` of its only item, or so much of each of `items`. The hold goes on
/// with the rest. A repeated call for a part gives back that part again, unless it has an `Idempotency-Key`.
#[utoipa::path(
    post, path = "/v1/reservations/{id}/release", operation_id = "release_reservation", tag = "inventory", request_body = Option<PortionBody>,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "Released; still `held` if something is left of it", body = ReservationAnswer, headers(
            ("Idempotent-Replayed" = String, description = "`true` where the part was given back before, by the same key; else not there"),
        )),
        (status = 404, description = "There is no such reservation", body = Problem),
        (status = 409, description = "`wrong_state` with the `state`; of a part `not_that_much`", body = Problem),
        (status = 422, description = "Not acceptable, or the same key with another body", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn release(
    Path(id): Path<Id>,
    IdempotencyKey(key): IdempotencyKey,
    state: State,
    Body(WithBytes { value, bytes }): Body<WithBytes<Selection>>,
) -> Result<HttpResponse, Problem> {
    let once = key.map(|key| Once::new(&["release", &id], &key, &bytes));
    match value.0 {
        None => answer(state.release(&id).await),
        Some(portion) => given_back(state.release_part(&id, &portion, once.as_ref()).await),
    }
}

/// Return a confirmed reservation or a part of it
///
/// All that is confirmed of it, or a part as for `release`: it can be reserved again. What has left (`adjust` with the reservation) stays
/// gone: add it to what is on hand if it has come back. Repeated for all of it it is answered alike; for a part see `release`.
#[utoipa::path(
    post, path = "/v1/reservations/{id}/return", operation_id = "return_reservation", tag = "inventory", request_body = Option<PortionBody>,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "Returned; still `confirmed` if something is left of it", body = ReservationAnswer, headers(
            ("Idempotent-Replayed" = String, description = "`true` where it was returned before, by the same key; else not there"),
        )),
        (status = 404, description = "There is no such reservation", body = Problem),
        (status = 409, description = "`wrong_state` with the `state`; `has_left`; of a part `not_that_much`", body = Problem),
        (status = 422, description = "Not acceptable, or the same key with another body", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn take_back(
    Path(id): Path<Id>,
    IdempotencyKey(key): IdempotencyKey,
    state: State,
    Body(WithBytes { value, bytes }): Body<WithBytes<Selection>>,
) -> Result<HttpResponse, Problem> {
    let once = key.map(|key| Once::new(&["return", &id], &key, &bytes));
    given_back(state.take_back(&id, value.0.as_ref(), once.as_ref()).await)
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

/// A key that was used with another body; every other error as it is elsewhere.
fn key_reused(error: InventoryError) -> Problem {
    match error {
        InventoryError::KeyReused => Problem::unacceptable_parameter("Idempotency-Key", error.to_string()),
        error => error.into(),
    }
}

/// Extend a hold
///
/// So many seconds from now; never shorter than it does.
#[utoipa::path(
    post, path = "/v1/reservations/{id}/extend", operation_id = "extend_reservation", tag = "inventory", request_body = ExtendBody, params(("id" = String, Path)),
    responses(
        (status = 200, description = "Extended", body = ReservationAnswer),
        (status = 404, description = "There is no such reservation", body = Problem),
        (status = 409, description = "`wrong_state` with the `state`", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn extend(
    Path(id): Path<Id>,
    state: State,
    Body(Extension(ttl)): Body<Extension>,
) -> Result<HttpResponse, Problem> {
    answer(state.extend(&id, ttl).await)
}

async fn make(client: &Client, state: &State, terms: &Terms, name: Name) -> Result<HttpResponse, Problem> {
    let made = state.offer(terms, &name).await.map_err(|error| match &name {
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

/// How the reservation is named: by its id, by a key, or by us.
fn name(id: Option<Id>, key: Option<ExternalId>, of_key: impl FnOnce(ExternalId) -> Name) -> Result<Name, Problem> {
    match (id, key) {
        (Some(_), Some(_)) => Err(Problem::unacceptable(vec![FieldError::new(
            "id",
            "give an id or an Idempotency-Key, not both",
        )])),
        (Some(id), None) => Ok(Name::Id(id)),
        (None, Some(key)) => Ok(of_key(key)),
        (None, None) => Ok(Name::New),
    }
}
