use super::super::InventoryError;
use super::super::commands::Expected;
use super::super::docs::{AdjustBody, ItemAnswer, ItemsAnswer, ItemsParams, PutBody};
use super::super::model::{Goods, Item};
use super::Stock;
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
/// Creates the item if there is none. The answer is 429 if there are `INVENTORY_MAX_ITEMS` items already.
///
/// The quantity cannot be less than what is held and confirmed, unless `allow_oversold` is true: then the item is `oversold` by the
/// difference, and nothing of it can be reserved until the quantity is large enough. For compare-and-set, send the version that you
/// read, in one of two ways. `If-Match: "VERSION"`, or a list of up to 1,000 versions of which the item must have one: a mismatch is a
/// 412, and a weak tag never matches. `If-None-Match: *` requires that the item does not exist. Or `version` in the body: a mismatch is
/// a 409 that contains the current version.
#[utoipa::path(
    put, path = "/v1/inventory/{sku}", operation_id = "put_item", tag = "inventory", request_body = PutBody,
    params(("sku" = String, Path), ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, description = "The quantity is set", body = ItemAnswer, headers(("ETag" = String, description = "The version, in quotes"))),
        (status = 201, description = "The item is created", body = ItemAnswer, headers(("ETag" = String, description = "The version, in quotes"))),
        (status = 409, description = "`below_reserved`: more is reserved; `version_conflict`: the item has another version; `other_group`: the item is in another group", body = Problem),
        (status = 412, description = "The item has none of the versions of `If-Match`", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn put_item(
    Path(sku): Path<Id>,
    condition: Condition,
    stock: Stock,
    Body(body): Body<NewQuantity>,
) -> Result<HttpResponse, Problem> {
    let expected = condition.expected(body.version)?;
    let put = stock.put(&sku, body.on_hand, body.group.as_ref(), expected).await;
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
        (status = 200, description = "The item", body = ItemAnswer, headers(("ETag" = String, description = "The version, in quotes"))),
        (status = 404, description = "There is no such item", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn get_item(Path(sku): Path<Id>, stock: Stock) -> Result<HttpResponse, Problem> {
    item(StatusCode::OK, &stock.item(&sku).await?)
}

/// Adjust the quantity of an item
///
/// Without `reservation`, the quantity cannot become less than what is held and confirmed. A repeated call is carried out again, unless
/// it has an expected version or an `Idempotency-Key`: with a key it is carried out once in 24 hours, and a repeated call gets the same
/// answer. With `reservation`, all goods of the item in this confirmed reservation are removed from the stock. The delta must be
/// their quantity with a minus sign. Repeating the call changes nothing, with or without a key.
#[utoipa::path(
    post, path = "/v1/inventory/{sku}/adjust", operation_id = "adjust_item", tag = "inventory", request_body = AdjustBody,
    params(("sku" = String, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 200, description = "The item after the change", body = ItemAnswer, headers(
            ("ETag" = String, description = "The version, in quotes"),
            ("Idempotent-Replayed" = String, description = "`true` if an earlier call with the same key made the change; absent otherwise"),
        )),
        (status = 404, description = "There is no such item or reservation", body = Problem),
        (status = 409, description = "`below_reserved`: more is reserved; `version_conflict`: the item has another version; `wrong_state`: the reservation is not confirmed; `insufficient_stock`: fewer are on hand than the reservation has", body = Problem),
        (status = 412, description = "The item has none of the versions of `If-Match`", body = Problem),
        (status = 422, description = "A value is not valid, or the key was used with another body", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn adjust_item(
    Path(sku): Path<Id>,
    condition: Condition,
    IdempotencyKey(key): IdempotencyKey,
    stock: Stock,
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
            stock.adjust_once(&sku, delta, expected, once.as_ref()).await
        }
        Some(id) if expected == Expected::Any => {
            let quantity = delta.unsigned_abs();
            let goods = Goods { sku, quantity };
            stock.consume(&id, &goods).await.map(|item| (item, false))
        }
        Some(_) => {
            let detail = "must be absent with a reservation, whose goods are removed only once";
            return Err(Problem::validation_failed(vec![FieldError::new("version", detail)]));
        }
    };
    let (adjusted, before) = adjusted.map_err(|error| match error {
        InventoryError::KeyReused => Problem::invalid_parameter("Idempotency-Key", error.to_string()),
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
/// An item of which something is held cannot be deleted. Confirmed reservations of the item stay confirmed, and no longer count in any
/// stock. An item of a group stays bound to the group for a day (`INVENTORY_KEEP_S`): if it is created again in that time, it is in the
/// same group, and another `group` is a 409.
#[utoipa::path(
    delete, path = "/v1/inventory/{sku}", operation_id = "delete_item", tag = "inventory",
    params(("sku" = String, Path), ("If-Match" = Option<String>, Header)),
    responses(
        (status = 204, description = "The item is deleted, or did not exist"),
        (status = 409, description = "Some of it is held (`held`)", body = Problem),
        (status = 412, description = "The item has none of the versions of `If-Match`", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn delete_item(Path(sku): Path<Id>, condition: Condition, stock: Stock) -> Result<HttpResponse, Problem> {
    let expected = condition.expected(None)?;
    let is_any = expected == Expected::Any;
    match stock.remove(&sku, expected).await {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(InventoryError::NoItem(_)) if is_any => Ok(HttpResponse::NoContent().finish()),
        Err(error) => Err(condition.problem(error)),
    }
}

/// List items
///
/// The order is not defined. Each item that exists during the whole listing is returned once.
#[utoipa::path(
    get, path = "/v1/inventory", operation_id = "list_items", tag = "inventory",
    params(ItemsParams),
    responses(
        (status = 200, description = "A page of items", body = ItemsAnswer),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn list_items(Query(page): Query<ItemsPage>, stock: Stock) -> Result<HttpResponse, Problem> {
    let (items, next) = stock.items(page.cursor.as_ref(), page.limit).await?;
    let answer = ItemsAnswer {
        items: items.iter().map(Into::into).collect(),
        next: next.map(|cursor| cursor.text()),
    };
    reply::value(StatusCode::OK, &answer)
}

/// Returns the response for an item. The `ETag` is the version, which reservations do not change: it is for `If-Match` and not for
/// caches.
fn item(status: StatusCode, item: &Item) -> Result<HttpResponse, Problem> {
    let mut response = reply::value(status, &ItemAnswer::from(item))?;
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", item.version)) {
        headers.insert(ETAG, etag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
