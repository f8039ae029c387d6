use super::super::answer;
use super::super::commands::{self, ProfileChange, ProfileVerdict};
use super::super::input::parse_profile;
use super::super::profile::Profile;
use super::super::profiles;
use super::{State, id_of, kind_of, too_many_attributes};
use crate::clock;
use crate::http::{Problem, RawBody, no_query, reply};
use crate::ids::Id;
use crate::tracking::Kind;
use crate::tracking::docs::{ProfileAnswer, ProfileBody};
use actix_web::{HttpRequest, HttpResponse, web};

/// The largest body of a profile, bytes.
const MAX_BODY: usize = 32 * 1024;

/// Replace a profile
///
/// What is not in the body is gone.
#[utoipa::path(
    put, path = "/v1/{kind}/{id}", operation_id = "put_profile", tag = "tracking", request_body = ProfileBody,
    params(("kind" = String, Path, description = "drivers, vehicles or users"), ("id" = String, Path)),
    responses(
        (status = 204, description = "Replaced"),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn put_profile(request: HttpRequest, payload: web::Payload, state: State) -> Result<HttpResponse, Problem> {
    write(&request, payload, &state, false).await
}

/// Change parts of a profile
///
/// As JSON merge patch (RFC 7396): `null` takes a member or an attribute away, what is not named stays.
#[utoipa::path(
    patch, path = "/v1/{kind}/{id}", operation_id = "patch_profile", tag = "tracking", request_body = ProfileBody,
    params(("kind" = String, Path, description = "drivers, vehicles or users"), ("id" = String, Path)),
    responses(
        (status = 204, description = "Changed"),
        (status = 422, description = "Not acceptable, or more than 32 attributes with those that are there", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn patch_profile(request: HttpRequest, payload: web::Payload, state: State) -> Result<HttpResponse, Problem> {
    write(&request, payload, &state, true).await
}

/// Get a profile
#[utoipa::path(
    get, path = "/v1/{kind}/{id}", operation_id = "get_profile", tag = "tracking",
    params(("kind" = String, Path, description = "drivers, vehicles or users"), ("id" = String, Path)),
    responses(
        (status = 200, description = "The profile", body = ProfileAnswer),
        (status = 404, description = "There is none", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn get_profile(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let (kind, id) = (kind_of(&request)?, id_of(&request)?);
    no_query(&request)?;
    let partition = state.shared().store.keys().partition(&id);
    let profiles = commands::profiles(state.link(), kind, partition, std::slice::from_ref(&id)).await;
    let profile = profiles?.pop().map(|reading| reading.profile);
    let profile = profile.filter(|profile| !profile.is_blank());
    let profile = profile.ok_or_else(|| Problem::not_found("this id has no profile"))?;
    Ok(reply::json(answer::profile(&id, &profile)))
}

/// Delete a profile
///
/// Its position stays.
#[utoipa::path(
    delete, path = "/v1/{kind}/{id}", operation_id = "delete_profile", tag = "tracking",
    params(("kind" = String, Path, description = "drivers, vehicles or users"), ("id" = String, Path)),
    responses(
        (status = 204, description = "Gone, or it was not there"),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn delete_profile(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let (kind, id) = (kind_of(&request)?, id_of(&request)?);
    no_query(&request)?;
    // Equivalent to a PUT of an empty profile.
    change(&state, kind, &id, ProfileChange::Replace(&Profile::default())).await
}

async fn write(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
    merge: bool,
) -> Result<HttpResponse, Problem> {
    let (kind, id) = (kind_of(request)?, id_of(request)?);
    no_query(request)?;
    let body = RawBody::read_json(request, &mut payload.into_inner(), MAX_BODY).await?;
    let keys = state.shared().store.keys();
    state
        .link()
        .room_for(&keys.profile(kind, keys.partition(&id), &id))
        .await?;
    // Redis assigns the time of the change.
    let given = parse_profile(&body)?.at(clock::now_ms());
    let verb = if merge {
        ProfileChange::Merge(&given)
    } else {
        ProfileChange::Replace(&given)
    };
    change(state, kind, &id, verb).await
}

async fn change(state: &State, kind: Kind, id: &Id, change: ProfileChange<'_>) -> Result<HttpResponse, Problem> {
    let shared = state.shared();
    let target = shared.target(kind, shared.store.keys().partition(id));
    let verdict = commands::change_profile(state.link(), target, id, change).await?;
    match verdict {
        ProfileVerdict::Changed(_) => {
            profiles::refresh_or_reload(shared, state.link(), kind, target.partition, vec![id.clone()]).await;
            Ok(HttpResponse::NoContent().finish())
        }
        ProfileVerdict::Unchanged => Ok(HttpResponse::NoContent().finish()),
        ProfileVerdict::TooManyAttributes => Err(too_many_attributes()),
    }
}
