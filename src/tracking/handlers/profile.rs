use super::super::answer;
use super::super::commands::{self, ProfileChange, ProfileVerdict};
use super::super::input::parse_profile;
use super::super::patch::ProfilePatch;
use super::super::profile::Profile;
use super::super::profiles;
use super::{EntityId, State, too_many_attributes};
use crate::clock;
use crate::http::{AppData, Body, FromBody, Path, Problem, reply};
use crate::ids::Id;
use crate::tracking::Kind;
use crate::tracking::docs::{ProfileAnswer, ProfileBody};
use actix_web::HttpResponse;
use bytes::Bytes;

impl FromBody for ProfilePatch {
    const MAX_BYTES: usize = 32 * 1024;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        parse_profile(body)
    }
}

/// Replace a profile
///
/// Members that are not in the body are removed.
#[utoipa::path(
    put, path = "/v1/{kind}/{id}", operation_id = "put_profile", tag = "tracking", request_body = ProfileBody,
    params(("kind" = String, Path, description = "drivers, vehicles or users"), ("id" = String, Path)),
    responses(
        (status = 204, description = "Replaced"),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn put_profile(
    kind: Kind,
    Path(EntityId(id)): Path<EntityId>,
    state: State,
    Body(given): Body<ProfilePatch>,
) -> Result<HttpResponse, Problem> {
    let given = given.at(clock::now_ms());
    write(&state, kind, &id, ProfileChange::Replace(&given)).await
}

/// Change parts of a profile
///
/// A JSON merge patch (RFC 7396): `null` removes a member or an attribute; members that are not given stay.
#[utoipa::path(
    patch, path = "/v1/{kind}/{id}", operation_id = "patch_profile", tag = "tracking", request_body = ProfileBody,
    params(("kind" = String, Path, description = "drivers, vehicles or users"), ("id" = String, Path)),
    responses(
        (status = 204, description = "Changed"),
        (status = 422, description = "Invalid, or the profile would have more than 32 attributes", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn patch_profile(
    kind: Kind,
    Path(EntityId(id)): Path<EntityId>,
    state: State,
    Body(given): Body<ProfilePatch>,
) -> Result<HttpResponse, Problem> {
    let given = given.at(clock::now_ms());
    write(&state, kind, &id, ProfileChange::Merge(&given)).await
}

/// Get a profile
#[utoipa::path(
    get, path = "/v1/{kind}/{id}", operation_id = "get_profile", tag = "tracking",
    params(("kind" = String, Path, description = "drivers, vehicles or users"), ("id" = String, Path)),
    responses(
        (status = 200, description = "The profile", body = ProfileAnswer),
        (status = 404, description = "The entity has no profile", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn get_profile(
    kind: Kind,
    Path(EntityId(id)): Path<EntityId>,
    state: State,
) -> Result<HttpResponse, Problem> {
    let partition = state.shared().store.keys().partition(&id);
    let profiles = commands::profiles(state.link(), kind, partition, std::slice::from_ref(&id)).await;
    let profile = profiles?.pop().map(|reading| reading.profile);
    let profile = profile.filter(|profile| !profile.is_blank());
    let profile = profile.ok_or_else(|| Problem::not_found("this id has no profile"))?;
    Ok(reply::json(answer::profile(&id, &profile)))
}

/// Delete a profile
///
/// The position stays.
#[utoipa::path(
    delete, path = "/v1/{kind}/{id}", operation_id = "delete_profile", tag = "tracking",
    params(("kind" = String, Path, description = "drivers, vehicles or users"), ("id" = String, Path)),
    responses(
        (status = 204, description = "Deleted, or there was none"),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn delete_profile(
    kind: Kind,
    Path(EntityId(id)): Path<EntityId>,
    state: State,
) -> Result<HttpResponse, Problem> {
    // Equivalent to a PUT of an empty profile.
    change(&state, kind, &id, ProfileChange::Replace(&Profile::default())).await
}

/// Writes a profile, unless Redis is too full for it. Redis assigns the time of the change.
async fn write(state: &State, kind: Kind, id: &Id, change_to: ProfileChange<'_>) -> Result<HttpResponse, Problem> {
    let keys = state.shared().store.keys();
    let key = keys.profile(kind, keys.partition(id), id);
    state.link().room_for(&key).await?;
    change(state, kind, id, change_to).await
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
