use super::super::docs::{ExtendBody, ReservationAnswer, ReserveBody, ReserveItemBody};
use super::super::model::{Goods, MAX_GOODS, MAX_QUANTITY, MAX_TTL, Reservation, Terms};
use super::super::{InventoryError, Name};
use super::{MAX_BODY, State};
use crate::http::{Body, FieldError, Fields, Problem, deliver, no_query, path_id, reply};
use crate::ids::Id;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use std::time::Duration;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Says that a reservation was made before, by the same key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Take stock of an item
///
/// It is held until it is confirmed or released, or its time is over. With an `Idempotency-Key` (or an `id` in the body) a call
/// that is repeated takes nothing more and gets the same answer, whatever became of the reservation, for a day after its end;
/// with another body it is a 422. A key counts for this item alone; an id is the client's own and counts everywhere (it must not
/// begin with `r`, a hexadecimal digit and a dot, as those do that the service gives).
/// Without one a client that goes before it is answered holds nothing: nobody else can name the reservation.
#[utoipa::path(
    post, path = "/v1/inventory/{sku}/reservations", tag = "inventory", request_body = ReserveItemBody,
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
pub async fn reserve_item(request: HttpRequest, payload: web::Payload, state: State) -> Result<HttpResponse, Problem> {
    let sku = path_id(&request, "sku")?;
    no_query(&request)?;
    let key = idempotency_key(&request)?;
    let body = Body::read_json(&request, &mut payload.into_inner(), MAX_BODY).await?;
    let mut fields = Fields::parse(&body)?;
    let goods = quantity(&mut fields).map(|quantity| vec![Goods { sku, quantity }]);
    let (terms, id) = terms(fields, goods)?;
    make(&request, &state, &terms, name(id, key, Name::ItemKey)?).await
}

/// Take stock of several items, all or none
///
/// Items of one group are taken in one step. Across groups they are taken one after the other, and given back if one of them
/// refuses: in between others may see some of them taken. The reservation itself is there only when all are.
#[utoipa::path(
    post, path = "/v1/reservations", tag = "inventory", request_body = ReserveBody,
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
pub async fn reserve(request: HttpRequest, payload: web::Payload, state: State) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let key = idempotency_key(&request)?;
    let body = Body::read_json(&request, &mut payload.into_inner(), MAX_BODY).await?;
    let mut fields = Fields::parse(&body)?;
    let goods = fields.required("items", |fields, items| {
        fields.each(items, 1..=MAX_GOODS, |item| {
            let sku = item.required("sku", Fields::id);
            let quantity = quantity(item);
            Some(Goods {
                sku: sku?,
                quantity: quantity?,
            })
        })
    });
    for (index, one) in goods.iter().flatten().enumerate() {
        if goods.iter().flatten().take(index).any(|other| other.sku == one.sku) {
            fields.refuse("items", format!("has {} twice", one.sku));
            break;
        }
    }
    let (terms, id) = terms(fields, goods)?;
    make(&request, &state, &terms, name(id, key, Name::Key)?).await
}

/// A reservation as it is now
#[utoipa::path(
    get, path = "/v1/reservations/{id}", tag = "inventory", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The reservation", body = ReservationAnswer),
        (status = 404, description = "There is none, or it ended more than a day ago", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn get_reservation(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let id = path_id(&request, "id")?;
    no_query(&request)?;
    answer(state.reservation(&id).await)
}

/// Make a hold final
///
/// One that has run out takes its stock again if that is there. Repeated it is answered alike.
#[utoipa::path(
    post, path = "/v1/reservations/{id}/confirm", tag = "inventory", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Confirmed", body = ReservationAnswer),
        (status = 404, description = "There is no such reservation", body = Problem),
        (status = 409, description = "`wrong_state` with the `state`; `insufficient_stock` after it has run out", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn confirm(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let id = path_id(&request, "id")?;
    no_query(&request)?;
    answer(state.confirm(&id).await)
}

/// Give the stock of a hold back
///
/// Repeated it is answered alike.
#[utoipa::path(
    post, path = "/v1/reservations/{id}/release", tag = "inventory", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Released", body = ReservationAnswer),
        (status = 404, description = "There is no such reservation", body = Problem),
        (status = 409, description = "`wrong_state` with the `state`", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn release(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let id = path_id(&request, "id")?;
    no_query(&request)?;
    answer(state.release(&id).await)
}

/// Let a hold last longer
///
/// So many seconds from now; never shorter than it does.
#[utoipa::path(
    post, path = "/v1/reservations/{id}/extend", tag = "inventory", request_body = ExtendBody, params(("id" = String, Path)),
    responses(
        (status = 200, description = "Extended", body = ReservationAnswer),
        (status = 404, description = "There is no such reservation", body = Problem),
        (status = 409, description = "`wrong_state` with the `state`", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn extend(request: HttpRequest, payload: web::Payload, state: State) -> Result<HttpResponse, Problem> {
    let id = path_id(&request, "id")?;
    no_query(&request)?;
    let body = Body::read_json(&request, &mut payload.into_inner(), MAX_BODY).await?;
    let mut fields = Fields::parse(&body)?;
    let ttl = ttl(&mut fields);
    let ttl = fields.finish(ttl)?;
    answer(state.extend(&id, ttl).await)
}

async fn make(request: &HttpRequest, state: &State, terms: &Terms, name: Name) -> Result<HttpResponse, Problem> {
    let made = state.offer(terms, &name).await.map_err(|error| match (error, &name) {
        (error @ InventoryError::KeyReused, Name::ItemKey(_) | Name::Key(_)) => {
            Problem::unacceptable(vec![FieldError::new("Idempotency-Key", error.to_string())])
        }
        (error, _) => error.into(),
    })?;
    let made = deliver(request, made).await?;
    let mut response = reply::value(StatusCode::CREATED, &ReservationAnswer::from(&made.reservation))?;
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/reservations/{}", made.reservation.id)) {
        headers.insert(LOCATION, location);
    }
    if made.before {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn answer(outcome: Result<Reservation, InventoryError>) -> Result<HttpResponse, Problem> {
    reply::value(StatusCode::OK, &ReservationAnswer::from(&outcome?))
}

fn quantity(fields: &mut Fields) -> Option<u64> {
    let range = 1..=MAX_QUANTITY.cast_signed();
    let quantity = fields.required("quantity", |fields, name| fields.integer(name, range));
    quantity.map(i64::unsigned_abs)
}

fn ttl(fields: &mut Fields) -> Option<Duration> {
    let range = 1..=MAX_TTL.as_secs().cast_signed();
    let ttl_s = fields.required("ttl_s", |fields, name| fields.integer(name, range));
    ttl_s.map(|ttl_s| Duration::from_secs(ttl_s.unsigned_abs()))
}

/// What both ways of reserving have in common.
fn terms(mut fields: Fields, goods: Option<Vec<Goods>>) -> Result<(Terms, Option<Id>), Problem> {
    let ttl = ttl(&mut fields);
    let owner = fields.id("owner");
    let id = fields.id("id");
    let terms = goods.zip(ttl).map(|(goods, ttl)| Terms { ttl, owner, goods });
    fields.finish(terms).map(|terms| (terms, id))
}

/// The key of the header, in quotes or without.
fn idempotency_key(request: &HttpRequest) -> Result<Option<Id>, Problem> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let refuse = |detail: String| Problem::unacceptable(vec![FieldError::new("Idempotency-Key", detail)]);
    let text = value.to_str().unwrap_or_default().trim();
    let text = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    let key = Id::parse(text).map_err(|error| refuse(error.to_string()))?;
    if key.len() > Name::LONGEST_KEY {
        return Err(refuse(format!("a key has at most {} characters", Name::LONGEST_KEY)));
    }
    Ok(Some(key))
}

/// How the reservation is named: by its id, by a key, or by us.
fn name(id: Option<Id>, key: Option<Id>, of_key: impl FnOnce(Id) -> Name) -> Result<Name, Problem> {
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
