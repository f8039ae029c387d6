//! The HTTP interface of the slice; a file per resource.

mod batch;
mod nearby;
mod position;
mod profile;
mod within;

pub use super::docs::EntityId;
pub use batch::{__path_report_batch, BatchAnswer, RejectedPosition, report_batch};
pub use nearby::{__path_nearby, __path_nearby_many, nearby, nearby_many};
pub use position::{__path_forget, __path_locate, __path_report, forget, locate, report};
pub use profile::{
    __path_delete_profile, __path_get_profile, __path_patch_profile, __path_put_profile, delete_profile, get_profile,
    patch_profile, put_profile,
};
pub use within::{__path_within, within};

use super::Writer;
use super::answer::{Form, List, NotWritten};
use super::input::BodyError;
use crate::http::{AnswerContext, Answers, FieldError, PathValues, Problem, reply, unreserved_path_id};
use crate::ids::RESERVED_ENTITIES;
use crate::runtime::{NoTurn, Turn};
use actix_web::http::header::{HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse, web};

/// The state of a worker that the handlers use.
pub type State = web::Data<Writer>;

/// Read by its name: on the path of positions, the search for its place would be a second one.
impl PathValues for EntityId {
    fn read_all(request: &HttpRequest) -> Result<Self, Problem> {
        unreserved_path_id(request, "id", RESERVED_ENTITIES).map(Self)
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Malformed(detail) => Self::malformed(detail),
            BodyError::Unacceptable(errors) => Self::validation_failed(errors),
            BodyError::TooMany => Self::content_too_large(error.to_string()),
        }
    }
}

/// Returns the problem for a full writer.
fn overloaded() -> Problem {
    Problem::unavailable("more fixes are waiting than the service can hold; try again", 1)
}

fn no_room() -> Problem {
    Problem::unavailable(
        "the live index has no room for another entity; remove some, or raise TRACKING_MAX_ENTITIES",
        30,
    )
}

fn too_many_searches(_waiting: NoTurn) -> Problem {
    Problem::unavailable(
        "more searches of very many entities are waiting than the service can do; narrow the search or try again",
        1,
    )
}

impl From<NotWritten> for Problem {
    fn from(error: NotWritten) -> Self {
        match error {
            NotWritten::NoTurn(waiting) => too_many_searches(waiting),
            NotWritten::NoRoom(error) => error.into(),
        }
    }
}

fn too_many_attributes() -> Problem {
    Problem::validation_failed(vec![FieldError::new(
        "attributes",
        "a profile has at most 32 attributes",
    )])
}

/// Why a position is refused that is older than its time to live but has profile members.
const PROFILE_UNAVAILABLE: &str =
    "Redis is unavailable, and the profile members of the position cannot be buffered; send it again";

fn profile_unavailable() -> Problem {
    Problem::unavailable(PROFILE_UNAVAILABLE, 1)
}

/// Returns the warning about attributes of a position that would exceed the limit of its profile.
fn left_out_attributes() -> FieldError {
    FieldError::new(
        "attributes",
        "new attributes were dropped: a profile has at most 32 attributes; remove some with PATCH",
    )
}

const GEO_JSON: &str = "application/geo+json";

/// Returns the form of a list that the client accepts.
fn form(context: &AnswerContext) -> Form {
    if context.prefers(GEO_JSON) {
        Form::GeoJson
    } else {
        Form::Json
    }
}

/// A query with a larger limit counts as long work: to find and write the entities may take a millisecond.
const LARGE: usize = 100;

/// Waits for the turn of long work on this thread if the limit of a query is large.
///
/// # Errors
/// 503 if too little memory is left for the answer, or too many searches wait.
async fn turn_of(context: &AnswerContext, limit: usize) -> Result<Option<Turn>, Problem> {
    if limit <= LARGE {
        return Ok(None);
    }
    context.check()?;
    Turn::wait().await.map(Some).map_err(too_many_searches)
}

/// Answers with a list.
async fn list(context: &AnswerContext, list: &List<'_>, turn: Option<Turn>) -> Result<HttpResponse, Problem> {
    let mut room = context.room();
    let body = list.write(turn, &mut room).await?;
    let answer = match list.form {
        Form::Json => reply::json(body),
        Form::GeoJson => reply::answer(HeaderValue::from_static(GEO_JSON), body),
    };
    let mut answer = Answers::counted(answer, room);
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size_of_state<A, B, C, D, F>(_handler: &impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// The state of a call is allocated and moved several times a request. A step that is seldom needed belongs in a box of its own.
    #[test]
    fn the_state_of_frequent_calls_is_small() {
        assert!(size_of_state(&nearby) < 1024);
        assert!(size_of_state(&report) < 1024);
        assert!(size_of_state(&within) < 1024);
    }
}
