//! The HTTP interface of the slice; a file per resource.

mod check;
mod policies;

pub use check::{__path_check, DecisionBody, check};
pub use policies::{__path_policies, __path_reset, PoliciesBody, PolicyBody, policies, reset};

use super::{LimitError, Limits};
use actix_web::web;

/// The state of a worker that the handlers use.
pub type State = web::Data<Limits>;
