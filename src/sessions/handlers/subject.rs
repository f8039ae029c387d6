use super::super::SessionId;
use super::super::answer::{EndedBody, SessionsBody};
use super::{State, private};
use crate::http::{Problem, QueryString, no_query, path_external_id, path_id};
use crate::ids::ExternalId;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

/// List the sessions of a subject
///
/// With their devices and when they were last seen; no tokens and no data. For the platform's other services: it carries no
/// credentials yet.
#[utoipa::path(
    get, path = "/v1/subjects/{subject}/sessions", operation_id = "list_subject_sessions", tag = "sessions", params(("subject" = String, Path)),
    responses(
        (status = 200, description = "Those that there are, the oldest first", body = SessionsBody),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn list_sessions(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let subject = subject_of(&request)?;
    no_query(&request)?;
    private(StatusCode::OK, &SessionsBody::new(&state.list(&subject).await?))
}

/// End the sessions of a subject
///
/// Every session that there was when this was called is over once it is answered, but the one that `except` names. For the
/// platform's other services: it carries no credentials yet.
#[utoipa::path(
    delete, path = "/v1/subjects/{subject}/sessions", operation_id = "end_subject_sessions", tag = "sessions",
    params(("subject" = String, Path), ("except" = Option<String>, Query, pattern = "^[0-9a-f]{32}$", description = "Id of a session that stays")),
    responses(
        (status = 200, description = "How many were ended", body = EndedBody),
        (status = 503, description = "Redis is away; call it again", body = Problem),
    )
)]
pub async fn end_sessions(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let subject = subject_of(&request)?;
    let query = QueryString::parse(request.query_string(), &["except"], &[])?;
    // A misspelt one is not taken for none: that would end the session that is to stay.
    let no_id = || Problem::unacceptable_parameter("except", "is not the id of a session");
    let except = query.text("except").map(|id| SessionId::parse(id).ok_or_else(no_id));
    let ended = state.end_all(&subject, except.transpose()?.as_ref()).await?;
    private(StatusCode::OK, &EndedBody { ended })
}

/// End one session of a subject
///
/// For the platform's other services: it carries no credentials yet.
#[utoipa::path(
    delete, path = "/v1/subjects/{subject}/sessions/{id}", operation_id = "end_subject_session", tag = "sessions",
    params(("subject" = String, Path), ("id" = String, Path, description = "The session's id")),
    responses(
        (status = 204, description = "It is over"),
        (status = 404, description = "The subject has no such session (any more)", body = Problem),
        (status = 503, description = "Redis is away", body = Problem),
    )
)]
pub async fn end_session(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let (subject, id) = (subject_of(&request)?, path_id(&request, "id")?);
    no_query(&request)?;
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

fn subject_of(request: &HttpRequest) -> Result<ExternalId, Problem> {
    path_external_id(request, "subject")
}
