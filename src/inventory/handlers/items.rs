use super::super::check::MOST_VERSIONS;
use super::super::commands::Expected;
use super::super::docs::{AdjustBody, ItemAnswer, ItemsAnswer, ItemsParams, PutBody};
use super::super::model::{Goods, Item, MAX_QUANTITY, OnHand};
use super::super::{Cursor, InventoryError};
use super::{MAX_BODY, State};
use crate::http::{
    FieldError, Fields, Problem, QueryString, REPLAYED, RawBody, idempotency_key, no_query, path_id, reply,
};
use crate::once::Once;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};

/// Items of a page if nothing is said, and at most.
const PAGE: usize = 100;
const LONGEST_PAGE: usize = 500;
/// The largest quantity, as the reader of members wants it.
const MOST: i64 = MAX_QUANTITY.cast_signed();

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
pub async fn put_item(request: HttpRequest, payload: web::Payload, state: State) -> Result<HttpResponse, Problem> {
    let sku = path_id(&request, "sku")?;
    no_query(&request)?;
    let condition = Condition::read(request.headers())?;
    let body = RawBody::read_json(&request, &mut payload.into_inner(), MAX_BODY).await?;
    let mut fields = Fields::parse(&body)?;
    let quantity = fields.required("quantity", |fields, name| fields.integer(name, 0..=MOST));
    let version = fields.integer("version", 0..=MOST);
    let group = fields.id("group");
    let may_be_oversold = fields.boolean("allow_oversold").unwrap_or(false);
    let quantity = fields.finish(quantity)?.unsigned_abs();
    let expected = condition.expected(version)?;
    let on_hand = OnHand {
        quantity,
        may_be_oversold,
    };
    let put = state.put(&sku, on_hand, group.as_ref(), expected).await;
    let put = put.map_err(|error| condition.judge(error))?;
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
pub async fn get_item(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let sku = path_id(&request, "sku")?;
    no_query(&request)?;
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
pub async fn adjust_item(request: HttpRequest, payload: web::Payload, state: State) -> Result<HttpResponse, Problem> {
    let sku = path_id(&request, "sku")?;
    no_query(&request)?;
    let condition = Condition::read(request.headers())?;
    let once = idempotency_key(&request)?;
    let body = RawBody::read_json(&request, &mut payload.into_inner(), MAX_BODY).await?;
    let mut fields = Fields::parse(&body)?;
    let delta = fields.required("delta", |fields, name| {
        let delta = fields.integer(name, -MOST..=MOST)?;
        if delta == 0 {
            fields.refuse(name, "must not be 0");
            return None;
        }
        Some(delta)
    });
    let version = fields.integer("version", 1..=MOST);
    let reservation = fields.id("reservation");
    if reservation.is_some() && delta.is_some_and(|delta| delta > 0) {
        fields.refuse("delta", "must be negative: what a reservation has can only leave");
    }
    let delta = fields.finish(delta)?;
    let expected = condition.expected(version)?;
    let adjusted = match reservation {
        None => {
            let once = once.map(|once| Once::new(&["adjust", &sku], &once, &body));
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
        error => condition.judge(error),
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
pub async fn delete_item(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let sku = path_id(&request, "sku")?;
    no_query(&request)?;
    let condition = Condition::read(request.headers())?;
    let expected = condition.expected(None)?;
    let is_any = expected == Expected::Any;
    match state.remove(&sku, expected).await {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(InventoryError::NoItem(_)) if is_any => Ok(HttpResponse::NoContent().finish()),
        Err(error) => Err(condition.judge(error)),
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
pub async fn list_items(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let query = QueryString::parse(request.query_string(), &["limit", "cursor"], &[])?;
    let mut errors = Vec::new();
    let limit = match query.number::<usize>("limit") {
        Ok(limit) => limit.unwrap_or(PAGE),
        Err(error) => {
            errors.push(error);
            PAGE
        }
    };
    if !(1..=LONGEST_PAGE).contains(&limit) {
        errors.push(FieldError::parameter("limit", format!("must be 1 to {LONGEST_PAGE}")));
    }
    let cursor = query.text("cursor").map(Cursor::parse);
    if matches!(cursor, Some(None)) {
        errors.push(FieldError::parameter("cursor", "must be `next` of an earlier page"));
    }
    if !errors.is_empty() {
        return Err(Problem::unacceptable(errors));
    }
    let (items, next) = state.items(cursor.flatten().as_ref(), limit).await?;
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

/// What a request's headers expect.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    /// Nothing.
    None,
    /// That there is an item.
    Present,
    /// That there is none.
    Absent,
    /// One of these versions; there is at least one.
    OneOf(Vec<u64>),
}

impl Condition {
    /// Reads `If-Match` and `If-None-Match` (RFC 9110, section 13.1). A weak tag never matches, nor does one that is no version of ours.
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        // Several lines are one list.
        let lines = |name| {
            let lines = headers
                .get_all(name)
                .map(|line| line.to_str().unwrap_or_default().trim());
            lines.map(str::to_owned).reduce(|list, line| format!("{list}, {line}"))
        };
        match (lines(IF_MATCH), lines(IF_NONE_MATCH)) {
            (None, None) => Ok(Self::None),
            (None, Some(none)) if none == "*" => Ok(Self::Absent),
            (Some(tags), None) if tags == "*" => Ok(Self::Present),
            (Some(tags), None) => {
                let tags = strong_tags(&tags)
                    .ok_or_else(|| Problem::malformed("If-Match takes * or a list of versions in quotes"))?;
                let versions = tags.into_iter().filter_map(|tag| tag.parse().ok());
                let versions: Vec<u64> = versions
                    .filter(|version| (1..=MAX_QUANTITY).contains(version))
                    .collect();
                if versions.len() > MOST_VERSIONS {
                    let detail = format!("If-Match takes up to {MOST_VERSIONS} versions");
                    return Err(Problem::malformed(detail));
                }
                if versions.is_empty() {
                    return Err(Problem::precondition_failed("no item has such an ETag"));
                }
                Ok(Self::OneOf(versions))
            }
            _ => Err(Problem::malformed(
                "If-Match or If-None-Match: *, not both nor anything else",
            )),
        }
    }

    /// The versions that are expected by the headers or the body.
    fn expected(&self, version: Option<i64>) -> Result<Expected, Problem> {
        let body = version.map(i64::unsigned_abs);
        match (self, body) {
            (Self::None, None) => Ok(Expected::Any),
            (Self::None, Some(body)) => Ok(Expected::Version(body)),
            (Self::Present, None) => Ok(Expected::Present),
            (Self::Absent, None | Some(0)) => Ok(Expected::Version(0)),
            (Self::OneOf(versions), Some(body)) if versions.contains(&body) => Ok(Expected::Version(body)),
            (Self::OneOf(versions), None) => Ok(Expected::OneOf(versions.clone())),
            (_, Some(_)) => Err(Problem::unacceptable(vec![FieldError::new(
                "version",
                "is not what If-Match says",
            )])),
        }
    }

    /// What another version is: a failed precondition if a header expected one.
    fn judge(&self, error: InventoryError) -> Problem {
        match (self, error) {
            (Self::None, error) => error.into(),
            (_, InventoryError::Version { current }) => {
                Problem::precondition_failed("the item has another version, or is not there").with("version", current)
            }
            (_, InventoryError::NoItem(_)) => Problem::precondition_failed("there is no such item"),
            (_, error) => error.into(),
        }
    }
}

/// The strong tags of a list; `None` if it is no list of tags, or an empty one.
fn strong_tags(list: &str) -> Option<Vec<&str>> {
    let (mut tags, mut strong, mut rest) = (0, Vec::new(), list);
    loop {
        // A list may have empty elements (RFC 9110, section 5.6.1).
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return (tags > 0).then_some(strong);
        }
        let is_weak = rest.starts_with("W/");
        let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (tag, behind) = quoted.split_once('"')?;
        tags += 1;
        if !is_weak {
            strong.push(tag);
        }
        rest = behind.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;

    fn read(name: &'static str, value: &'static str) -> Result<Condition, Problem> {
        let mut headers = HeaderMap::new();
        let name = if name == "if-match" { IF_MATCH } else { IF_NONE_MATCH };
        headers.insert(name, HeaderValue::from_static(value));
        Condition::read(&headers)
    }

    #[test]
    fn a_condition_is_a_list_of_versions_in_quotes_or_a_star() {
        let one_of = |versions: &[u64]| Ok(Condition::OneOf(versions.to_vec()));
        assert_eq!(read("if-match", "\"12\""), one_of(&[12]));
        assert_eq!(read("if-match", "*"), Ok(Condition::Present));
        assert_eq!(read("if-none-match", "*"), Ok(Condition::Absent));
        for (list, versions) in [
            ("\"5\", \"7\"", &[5, 7][..]),
            ("\"5\",,\t\"7\" ,", &[5, 7]),
            ("W/\"5\", \"7\"", &[7]),
            ("\"a,b\", \"7\"", &[7]),
        ] {
            assert_eq!(read("if-match", list), one_of(versions), "{list}");
        }
        for unmatched in ["\"x\"", "\"0\"", "\"-1\"", "\"9007199254740992\"", "W/\"12\"", "\"\""] {
            let refused = read("if-match", unmatched).unwrap_err().to_string();
            assert!(refused.starts_with("412"), "{unmatched}: {refused}");
        }
        for malformed in ["12", "\"", "\"5\" \"7\"", "\"5\"7", "*, \"5\"", "", ",", "w/\"5\""] {
            let refused = read("if-match", malformed).unwrap_err().to_string();
            assert!(refused.starts_with("400"), "{malformed}: {refused}");
        }
        let refused = read("if-none-match", "\"1\"").unwrap_err().to_string();
        assert!(refused.starts_with("400"), "{refused}");
    }

    #[test]
    fn several_lines_are_a_list() {
        let read = |name: &HeaderName, lines: [&'static str; 2]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(name.clone(), HeaderValue::from_static(line));
            }
            Condition::read(&headers)
        };
        assert_eq!(read(&IF_MATCH, ["\"5\"", "\"7\""]), Ok(Condition::OneOf(vec![5, 7])));
        for (name, lines) in [(IF_MATCH, ["*", "\"7\""]), (IF_NONE_MATCH, ["*", "\"7\""])] {
            let refused = read(&name, lines).unwrap_err();
            assert!(refused.to_string().starts_with("400"), "{name}: {refused}");
        }
    }
}
