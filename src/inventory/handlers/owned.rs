use super::super::OwnedCursor;
use super::super::docs::{OwnedParams, ReleasedAnswer, ReservationsAnswer};
use super::State;
use crate::http::{FieldError, Problem, QueryString, reply};
use crate::ids::ExternalId;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

/// Holds of a page if nothing is said, and at most.
const PAGE: usize = 100;
const LONGEST_PAGE: usize = 500;

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
pub async fn list_owned(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let (owner, limit, cursor) = page(&request)?;
    let (holds, next) = state.owned(&owner, cursor, limit).await?;
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
pub async fn release_owned(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let (owner, limit, cursor) = page(&request)?;
    let (released, next) = state.release_owned(&owner, cursor, limit).await?;
    let next = next.map(|cursor| cursor.text());
    reply::value(StatusCode::OK, &ReleasedAnswer { released, next })
}

fn page(request: &HttpRequest) -> Result<(ExternalId, usize, Option<OwnedCursor>), Problem> {
    let query = QueryString::parse(request.query_string(), &["owner", "limit", "cursor"], &[])?;
    let mut errors = Vec::new();
    let owner = match query.text("owner").map(ExternalId::parse) {
        Some(Ok(owner)) => Some(owner),
        Some(Err(error)) => {
            errors.push(FieldError::parameter("owner", error.to_string()));
            None
        }
        None => {
            errors.push(FieldError::parameter("owner", "is missing"));
            None
        }
    };
    let limit = query.number::<usize>("limit").unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    let limit = limit.unwrap_or(PAGE);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        errors.push(FieldError::parameter("limit", format!("must be 1 to {LONGEST_PAGE}")));
    }
    let cursor = query.text("cursor").map(OwnedCursor::parse);
    if matches!(cursor, Some(None)) {
        errors.push(FieldError::parameter("cursor", "must be `next` of an earlier page"));
    }
    match owner {
        Some(owner) if errors.is_empty() => Ok((owner, limit, cursor.flatten())),
        _ => Err(Problem::unacceptable(errors)),
    }
}
