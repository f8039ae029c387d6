use super::super::SessionId;
use super::State;
use super::answer::{EndedBody, SessionsBody};
use crate::http::{Path, Problem, Query, QueryParameters, QueryString, reply};
use crate::ids::{ExternalId, Id};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// List the sessions of a subject
///
/// Includes their devices and last uses, but neither tokens nor data. For the platform's other services: the call requires no credentials
/// yet.
#[utoipa::path(
    get, path = "/v1/subjects/{subject}/sessions", operation_id = "list_subject_sessions", tag = "sessions", params(("subject" = String, Path)),
    responses(
        (status = 200, description = "The sessions, the oldest first", body = SessionsBody),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn list_sessions(Path(subject): Path<ExternalId>, state: State) -> Result<HttpResponse, Problem> {
    reply::value(StatusCode::OK, &SessionsBody::new(&state.list(&subject).await?))
}

/// The session that is not ended.
pub struct Except(Option<SessionId>);

impl QueryParameters for Except {
    const KNOWN: &'static [&'static str] = &["except"];

    fn read(query: &QueryString<'_>) -> Result<Self, Problem> {
        // A misspelt id is not ignored, because that would end the session that is to stay.
        let no_id = || Problem::invalid_parameter("except", "is not the id of a session");
        let except = query.text("except").map(|id| SessionId::parse(id).ok_or_else(no_id));
        except.transpose().map(Self)
    }
}

/// End the sessions of a subject
///
/// After the response every session that existed at the call has ended, except the one that `except` names. For the platform's other
/// services: the call requires no credentials yet.
#[utoipa::path(
    delete, path = "/v1/subjects/{subject}/sessions", operation_id = "end_subject_sessions", tag = "sessions",
    params(("subject" = String, Path), ("except" = Option<String>, Query, pattern = "^[0-9a-f]{32}$", description = "Id of a session that stays")),
    responses(
        (status = 200, description = "The number of sessions that were ended", body = EndedBody),
        (status = 503, description = "Redis is unavailable; repeat the call", body = Problem),
    )
)]
pub async fn end_sessions(
    Path(subject): Path<ExternalId>,
    Query(Except(except)): Query<Except>,
    state: State,
) -> Result<HttpResponse, Problem> {
    let ended = state.end_all(&subject, except.as_ref()).await?;
    reply::value(StatusCode::OK, &EndedBody { ended })
}

/// End one session of a subject
///
/// For the platform's other services: the call requires no credentials yet.
#[utoipa::path(
    delete, path = "/v1/subjects/{subject}/sessions/{id}", operation_id = "end_subject_session", tag = "sessions",
    params(("subject" = String, Path), ("id" = String, Path, description = "The session's id")),
    responses(
        (status = 204, description = "It is over"),
        (status = 404, description = "The subject has no such session (any more)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn end_session(Path((subject, id)): Path<(ExternalId, Id)>, state: State) -> Result<HttpResponse, Problem> {
    let ended = match SessionId::parse(&id) {
        Some(id) => state.end(&subject, &id).await?,
        None => false,
    };
    if ended {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::not_found("the subject has no such session"))
    }
}
