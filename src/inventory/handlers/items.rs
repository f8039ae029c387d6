use super::super::InventoryError;
use super::super::commands::Expected;
use super::super::docs::{AdjustBody, ItemAnswer, ItemsAnswer, ItemsParams, PutBody};
use super::super::model::{Goods, Item};
use super::State;
use super::condition::Condition;
use super::input::{Adjustment, ItemsPage, NewQuantity};
use crate::http::{Body, FieldError, IdempotencyKey, Path, Problem, Query, REPLAYED, WithBytes, reply};
use crate::ids::Id;
use crate::once::Once;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue};

/// Set the quantity of an item
///
/// Makes the item if there is none; beyond `INVENTORY_MAX_ITEMS` items that is a 429.
/// What is held and confirmed stays as it is, and no less can be on hand, unless `allow_oversold` is
/// true: then the item is `oversold` by the difference, and nothing of it can be reserved until enough is there. For
/// compare-and-set give the version that you saw: as `If-Match: "VERSION"` (or a list of up to 1,000 of them, of which the item has to
/// have one when the change is made; a mismatch is a 412, and a weak tag never matches; `If-None-Match: *` for an item
/// that must not exist yet), or as `version` in the body (a mismatch is a 409 that names the version that is there).
#[utoipa::path(
    put, path = "/v1/inventory/{sku}", operation_id = "put_item", tag = "inventory", request_body = PutBody,
    params(("sku" = String, Path), ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, description = "Set", body = ItemAnswer, headers(("ETag" = String, description = "The version in quotes"))),
        (status = 201, description = "Made", body = ItemAnswer, headers(("ETag" = String, description = "The version in quotes"))),
        (status = 409, description = "`below_reserved`: more is reserved; `version_conflict`: it has another version; `other_group`: it is in another group", body = Problem),
        (status = 412, description = "None of the versions of If-Match", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn put_item(
    Path(sku): Path<Id>,
    condition: Condition,
    state: State,
    Body(body): Body<NewQuantity>,
) -> Result<HttpResponse, Problem> {
    let expected = condition.expected(body.version)?;
    let put = state.put(&sku, body.on_hand, body.group.as_ref(), expected).await;
    let put = put.map_err(|error| condition.problem(error))?;
    let status = if put.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    item(status, &put.item)
}

/// Get an item
#[utoipa::path(
    get, path = "/v1/inventory/{sku}", operation_id = "get_item", tag = "inventory", params(("sku" = String, Path)),
    responses(
        (status = 200, description = "The item", body = ItemAnswer, headers(("ETag" = String, description = "The version in quotes"))),
        (status = 404, description = "There is none", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn get_item(Path(sku): Path<Id>, state: State) -> Result<HttpResponse, Problem> {
    item(StatusCode::OK, &state.item(&sku).await?)
}

/// Adjust the quantity of an item
///
/// Without `reservation` it takes nothing that is held or confirmed. A repeated call is carried out again, unless it says which version
/// it expects or has an `Idempotency-Key`: then it is carried out once in a day, and a repeat gets the same answer. With `reservation`,
/// all that this confirmed reservation has of the item leaves for good; the delta is that quantity with a minus, and repeating it changes
/// nothing, with or without a key.
#[utoipa::path(
    post, path = "/v1/inventory/{sku}/adjust", operation_id = "adjust_item", tag = "inventory", request_body = AdjustBody,
    params(("sku" = String, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "The item as it is now", body = ItemAnswer, headers(
            ("ETag" = String, description = "The version in quotes"),
            ("Idempotent-Replayed" = String, description = "`true` where it was adjusted before, by the same key; else not there"),
        )),
        (status = 404, description = "There is no such item or reservation", body = Problem),
        (status = 409, description = "`below_reserved`: more is reserved; `version_conflict`: it has another version; `wrong_state`: the reservation is not confirmed", body = Problem),
        (status = 412, description = "None of the versions of If-Match", body = Problem),
        (status = 422, description = "Not acceptable, or the same key with another body", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn adjust_item(
    Path(sku): Path<Id>,
    condition: Condition,
    IdempotencyKey(key): IdempotencyKey,
    state: State,
    Body(WithBytes { value, bytes }): Body<WithBytes<Adjustment>>,
) -> Result<HttpResponse, Problem> {
    let Adjustment {
        delta,
        version,
        reservation,
    } = value;
    let expected = condition.expected(version)?;
    let adjusted = match reservation {
        None => {
            let once = key.map(|key| Once::new(&["adjust", &sku], &key, &bytes));
            state.adjust_once(&sku, delta, expected, once.as_ref()).await
        }
        Some(id) if expected == Expected::Any => {
            let quantity = delta.unsigned_abs();
            let goods = Goods { sku, quantity };
            state.consume(&id, &goods).await.map(|item| (item, false))
        }
        Some(_) => {
            let detail = "a reservation leaves once as it is; no version is needed";
            return Err(Problem::unacceptable(vec![FieldError::new("version", detail)]));
        }
    };
    let (adjusted, before) = adjusted.map_err(|error| match error {
        InventoryError::KeyReused => Problem::unacceptable_parameter("Idempotency-Key", error.to_string()),
        error => condition.problem(error),
    })?;
    let mut response = item(StatusCode::OK, &adjusted)?;
    if before {
        let (name, value) = REPLAYED;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Delete an item
///
/// Not while some of it is held. What is confirmed of it is dropped with it: those reservations stay confirmed and count nowhere
/// any more. An item of a group stays bound to it for a day (`INVENTORY_KEEP_S`): made anew by then it is in that group again, and
/// another `group` is a 409.
#[utoipa::path(
    delete, path = "/v1/inventory/{sku}", operation_id = "delete_item", tag = "inventory",
    params(("sku" = String, Path), ("If-Match" = Option<String>, Header)),
    responses(
        (status = 204, description = "Gone, or it was not there"),
        (status = 409, description = "Some of it is held (`held`)", body = Problem),
        (status = 412, description = "None of the versions of If-Match", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn delete_item(Path(sku): Path<Id>, condition: Condition, state: State) -> Result<HttpResponse, Problem> {
    let expected = condition.expected(None)?;
    let is_any = expected == Expected::Any;
    match state.remove(&sku, expected).await {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(InventoryError::NoItem(_)) if is_any => Ok(HttpResponse::NoContent().finish()),
        Err(error) => Err(condition.problem(error)),
    }
}

/// List the items
///
/// In no order that means anything; each item that is there all the while comes once.
#[utoipa::path(
    get, path = "/v1/inventory", operation_id = "list_items", tag = "inventory",
    params(ItemsParams),
    responses(
        (status = 200, description = "A page", body = ItemsAnswer),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn list_items(Query(page): Query<ItemsPage>, state: State) -> Result<HttpResponse, Problem> {
    let (items, next) = state.items(page.cursor.as_ref(), page.limit).await?;
    let answer = ItemsAnswer {
        items: items.iter().map(Into::into).collect(),
        next: next.map(|cursor| cursor.text()),
    };
    reply::value(StatusCode::OK, &answer)
}

/// An item as the answer. The `ETag` says the version, so it stays the same while reservations come and go: for `If-Match`,
/// not for caches.
fn item(status: StatusCode, item: &Item) -> Result<HttpResponse, Problem> {
    let mut response = reply::value(status, &ItemAnswer::from(item))?;
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", item.version)) {
        headers.insert(ETAG, etag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
