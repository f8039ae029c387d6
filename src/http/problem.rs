use super::coding::CODINGS;
use crate::runtime::{NoRoom, Panicked};
use crate::store::StoreError;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;
use utoipa::ToSchema;

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
pub struct FieldError {
    /// Where in the body, as a JSON pointer; empty for the body as a whole.
    #[schema(required = false)]
    pub pointer: String,
    /// Instead of the pointer: the name of a parameter of the query or path, or of a header.
    #[schema(required = false)]
    pub parameter: Option<String>,
    /// The fault.
    pub detail: String,
}

impl Serialize for FieldError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, place) = match &self.parameter {
            Some(parameter) => ("parameter", parameter),
            None => ("pointer", &self.pointer),
        };
        let mut fault = serializer.serialize_struct("FieldError", 2)?;
        fault.serialize_field(name, place)?;
        fault.serialize_field("detail", &self.detail)?;
        fault.end()
    }
}

impl FieldError {
    /// Returns a fault of the member at `path` (without its leading slash; empty for the whole).
    #[must_use]
    pub fn new(path: &str, detail: impl Into<String>) -> Self {
        let pointer = if path.is_empty() {
            String::new()
        } else {
            format!("/{path}")
        };
        Self {
            pointer,
            parameter: None,
            detail: detail.into(),
        }
    }

    /// Returns a fault of a parameter of the query or path, or of a header.
    #[must_use]
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: String::new(),
            parameter: Some(name.into()),
            detail: detail.into(),
        }
    }

    /// Returns the same fault as one of a parameter, for query strings that are checked by the same code as bodies.
    #[must_use]
    pub fn into_parameter(self) -> Self {
        let name = self.parameter.unwrap_or(self.pointer);
        Self::parameter(name.trim_start_matches('/'), self.detail)
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parameter.as_deref().unwrap_or(&self.pointer) {
            "" => f.write_str(&self.detail),
            place => write!(f, "{place}: {}", self.detail),
        }
    }
}

/// An error answer in the format of RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// A URN that names the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem as text.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The fault of this request.
    detail: String,
    /// The faults of single fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Further members for programs.
    #[serde(flatten)]
    #[schema(value_type = Option<Object>)]
    extensions: Option<Box<Map<String, Value>>>,
    /// Sent as the header, not in the body.
    #[serde(skip)]
    retry_after_s: Option<u32>,
    /// Whether the answer names the accepted codings (RFC 9110, section 12.5.3).
    #[serde(skip)]
    names_codings: bool,
}

impl Problem {
    fn new(status: StatusCode, slug: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:fleetpulse:problem:{slug}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            extensions: None,
            retry_after_s: None,
            names_codings: false,
        }
    }

    /// Returns the problem with a further member (RFC 9457, section 3.2).
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions
            .get_or_insert_default()
            .insert(name.to_owned(), value.into());
        self
    }

    /// Returns a 400: the request cannot be read.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "The request cannot be read",
            detail,
        )
    }

    /// Returns a 421: the request is for another host.
    #[must_use]
    pub fn misdirected(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "misdirected_request",
            "The request is for another host",
            detail,
        )
    }

    /// Returns a 400 or 431: the head of a request cannot be read.
    #[must_use]
    pub(super) fn malformed_head(status: StatusCode, detail: &'static str) -> Self {
        Self {
            status: status.as_u16(),
            ..Self::malformed(detail)
        }
    }

    /// Returns a 400: parameters of the query cannot be read.
    #[must_use]
    pub fn malformed_query(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [
                FieldError {
                    parameter: Some(name),
                    detail,
                    ..
                },
            ] => format!("query parameter `{name}` {detail}"),
            many => format!("{} query parameters cannot be read", many.len()),
        };
        Self {
            errors,
            ..Self::malformed(detail)
        }
    }

    /// Returns a 422: a parameter of the query or path, or a header, is not acceptable.
    #[must_use]
    pub fn invalid_parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::validation_failed(vec![FieldError::parameter(name, detail)])
    }

    /// Returns a 422: the request is well-formed, but not acceptable.
    #[must_use]
    pub fn validation_failed(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => one.to_string(),
            many => format!("{} fields are not acceptable", many.len()),
        };
        let problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation_failed",
            "Validation failed",
            detail,
        );
        Self { errors, ..problem }
    }

    /// Returns a 401: the credentials are missing or invalid.
    #[must_use]
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "The credentials are missing or not valid",
            detail,
        )
    }

    /// Returns a 403: the request is not allowed, regardless of credentials.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail)
    }

    /// Returns a 404.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    /// Returns a 405: the path exists, but not with this method.
    #[must_use]
    pub fn method_not_allowed(methods: &str) -> Self {
        let detail = format!("the path is not served with this method; use {methods}");
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
            detail,
        )
    }

    /// Returns a 408: the request did not arrive in time.
    #[must_use]
    pub fn request_timeout(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "The request did not arrive in time",
            detail,
        )
    }

    /// Returns a 409: the request conflicts with the current state. `slug` names the kind of conflict for programs, in `snake_case`.
    #[must_use]
    pub fn conflict(slug: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, slug, title, detail)
    }

    /// Returns a 412: the resource does not match `If-Match` of the request.
    #[must_use]
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "Precondition failed",
            detail,
        )
    }

    /// Returns a 413.
    #[must_use]
    pub fn content_too_large(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "content_too_large",
            "The content is too large",
            detail,
        )
    }

    /// Returns a 415.
    #[must_use]
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The media type or content coding is not supported",
            detail,
        )
    }

    /// Returns a 415: the content coding of the body is not supported.
    #[must_use]
    pub fn unsupported_coding(detail: impl Into<String>) -> Self {
        Self {
            names_codings: true,
            ..Self::unsupported_media_type(detail)
        }
    }

    /// Returns a 429: too many requests; try again after this many seconds.
    #[must_use]
    pub fn too_many_requests(detail: impl Into<String>, retry_after_s: u32) -> Self {
        let problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "Too many requests",
            detail,
        );
        Self {
            retry_after_s: Some(retry_after_s),
            ..problem
        }
    }

    /// Returns a 504: the wait timed out.
    #[must_use]
    pub fn lock_wait_timeout(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "lock_wait_timeout",
            "The wait for the lock timed out",
            detail,
        )
    }

    /// Returns a 504: the request accepts only a cached answer, and there is none.
    #[must_use]
    pub fn not_cached() -> Self {
        let detail = "the request asks for a cached answer alone (only-if-cached)";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "not_cached", "Nothing cached", detail)
    }

    /// Returns a 503: the service is unavailable; try again after this many seconds.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>, retry_after_s: u32) -> Self {
        let problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Service unavailable",
            detail,
        );
        Self {
            retry_after_s: Some(retry_after_s),
            ..problem
        }
    }

    /// Returns a 429: there is no room for more jobs.
    #[must_use]
    pub fn queue_full(detail: impl Into<String>, retry_after_s: u32) -> Self {
        Self::too_many("queue_full", "The queues are full", detail, retry_after_s)
    }

    /// Returns a 429: the limit on the number of something is reached. `slug` names the thing.
    #[must_use]
    pub fn too_many(slug: &str, title: &'static str, detail: impl Into<String>, retry_after_s: u32) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, slug, title, detail)
        }
    }

    /// Returns a 503: Redis has no room for new data.
    #[must_use]
    pub fn storage_full(detail: impl Into<String>, retry_after_s: u32) -> Self {
        let problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "storage_full",
            "There is no room for new data",
            detail,
        );
        Self {
            retry_after_s: Some(retry_after_s),
            ..problem
        }
    }

    /// Returns a 503: the task that handled the request panicked, and is restarted.
    #[must_use]
    pub fn interrupted() -> Self {
        let detail =
            "a fault of the service interrupted this request; it may or may not have been carried out; try again";
        Self::unavailable(detail, 1)
    }

    /// Returns a 500: a fault of the service. The cause is logged and not sent.
    #[must_use]
    pub fn internal(cause: &dyn fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        let detail = "the service failed; the cause is in its log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }
}

/// `Retry-After` if there is no room for new data, seconds: memory becomes free when data expire or are deleted.
const RETRY_FULL_S: u32 = 10;

impl From<NoRoom> for Problem {
    fn from(error: NoRoom) -> Self {
        Self::unavailable(error.to_string(), 1)
    }
}

impl From<Panicked> for Problem {
    fn from(_panicked: Panicked) -> Self {
        Self::interrupted()
    }
}

/// Maps a failure of Redis to an answer.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable | StoreError::Lost(_) => Self::unavailable("Redis is unavailable; try again", 1),
            StoreError::Refused(cause) => {
                tracing::warn!(%cause, "Redis refused a command");
                Self::unavailable(
                    "Redis refuses this at the moment; try again, and see /health for the cause",
                    2,
                )
            }
            StoreError::Full => Self::storage_full(error.to_string(), RETRY_FULL_S),
            StoreError::Interrupted => Self::interrupted(),
            StoreError::Answer(_) => Self::internal(&error),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.title, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status_code());
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED.as_u16() {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if self.names_codings {
            response.insert_header((ACCEPT_ENCODING, CODINGS));
        }
        response.body(serde_json::to_vec(self).unwrap_or_default())
    }
}
