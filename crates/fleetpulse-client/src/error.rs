use crate::ProblemType;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// The start of the `type` of each problem of the service.
const PROBLEM_PREFIX: &str = "urn:fleetpulse:problem:";

/// The cause of a failed call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service answered with an error.
    #[error("the service answered {0}")]
    Problem(Box<Problem>),
    /// No answer arrived in time. The service may have carried out the call.
    #[error("no answer arrived in time: check the service, or set a longer timeout")]
    Timeout(#[source] Source),
    /// The connection could not be opened, or it broke. If it broke, the service may have carried out the call.
    #[error("the service cannot be reached, or the connection broke: check the URL and the service")]
    Transport(#[source] Source),
    /// The answer is larger than [`crate::ClientBuilder::max_answer_bytes`].
    #[error("the answer is larger than {max_bytes} bytes: request less, or set a higher limit")]
    AnswerTooLarge {
        /// The limit, bytes.
        max_bytes: usize,
    },
    /// The answer, or a value in it, does not have the expected form.
    #[error("the answer does not have the expected form")]
    Decode(#[source] serde_json::Error),
    /// A value of the caller cannot be written as JSON.
    #[error("the value cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// An argument that cannot be sent, such as an empty name.
    #[error("{0}")]
    Argument(String),
    /// The client cannot be built, for example because TLS cannot be set up.
    #[error("the client cannot be built")]
    Build(#[source] Source),
}

/// The source of an [`Error`].
pub type Source = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// Returns the problem that the service answered with.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Returns the HTTP status of the answer, if the service answered with an error.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.problem().map(|problem| problem.status)
    }

    /// Returns whether the service answered with a problem of this type.
    #[must_use]
    pub fn is(&self, problem_type: ProblemType) -> bool {
        self.problem()
            .is_some_and(|problem| problem.problem_type() == problem_type)
    }

    pub(crate) fn of_transport(error: reqwest::Error) -> Self {
        // The URL may contain personal data, such as the id of a user.
        let error = error.without_url();
        if error.is_timeout() {
            Self::Timeout(error.into())
        } else {
            Self::Transport(error.into())
        }
    }
}

/// An error answer of the service (RFC 9457).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Problem {
    /// The URN of the type; `about:blank` if the answer does not describe the error, such as an answer of a proxy.
    #[serde(rename = "type", default = "about_blank")]
    pub type_uri: String,
    /// A short summary of the type.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What is wrong with this request.
    #[serde(default)]
    pub detail: String,
    /// The invalid fields.
    #[serde(default)]
    pub errors: Vec<FieldError>,
    /// The time after which a repeated call may succeed (`Retry-After`).
    #[serde(skip)]
    pub retry_after: Option<Duration>,
    /// Further members, such as `available` of `insufficient_stock`.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

/// An invalid field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct FieldError {
    /// The JSON pointer of the field in the body; empty for the body as a whole.
    #[serde(default)]
    pub pointer: Option<String>,
    /// The name of a parameter of the path, the query or a header.
    #[serde(default)]
    pub parameter: Option<String>,
    /// What is wrong with the field.
    pub detail: String,
}

fn about_blank() -> String {
    "about:blank".to_owned()
}

impl Problem {
    /// Returns the type.
    #[must_use]
    pub fn problem_type(&self) -> ProblemType {
        ProblemType::from_name(self.name())
    }

    /// Returns the last part of the type, such as `not_found`; empty if it is not a type of the service.
    #[must_use]
    pub fn name(&self) -> &str {
        self.type_uri.strip_prefix(PROBLEM_PREFIX).unwrap_or_default()
    }

    /// Reads the body of an error answer. A body that is not a problem gives a problem without a type.
    pub(crate) fn read(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let problem = serde_json::from_slice(body).unwrap_or_else(|_| Self {
            type_uri: about_blank(),
            title: String::new(),
            status,
            detail: "the answer does not describe the error".to_owned(),
            errors: Vec::new(),
            retry_after,
            members: Map::new(),
        });
        Self {
            status,
            retry_after,
            ..problem
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.name().is_empty() {
            write!(f, " {}", self.name())?;
        }
        write!(f, ": {}", self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_members_and_its_fields() {
        let body = br#"{"type":"urn:fleetpulse:problem:insufficient_stock","title":"t","status":409,"detail":"d","available":3,
            "errors":[{"pointer":"/quantity","detail":"e"}]}"#;
        let problem = Problem::read(409, None, body);
        assert_eq!(problem.problem_type(), ProblemType::InsufficientStock);
        assert_eq!(problem.members["available"], 3);
        assert_eq!(problem.errors[0].pointer.as_deref(), Some("/quantity"));
        assert_eq!(problem.to_string(), "409 insufficient_stock: d");
    }

    #[test]
    fn an_error_of_a_proxy_has_no_type() {
        let wait = Some(Duration::from_secs(2));
        let problem = Problem::read(502, wait, b"<html>Bad Gateway</html>");
        assert_eq!((problem.status, problem.name(), problem.retry_after), (502, "", wait));
        assert_eq!(problem.problem_type(), ProblemType::Unknown);
    }
}
