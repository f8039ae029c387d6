//! What every slice's handlers share: problems, bodies, query strings, the request log.

mod body;
mod observe;
mod problem;
mod query;

pub use body::{Body, BodyTimeout, MediaType};
pub use observe::Observe;
pub use problem::{FieldError, Problem};
pub use query::Query;
