//! The arguments of handlers. Each is read from the request before the handler runs, and answers a request that it cannot be read from.

mod arguments;
mod query;

pub(super) use arguments::check;
pub use arguments::{Argument, Arguments};
pub use query::AnyQuery;
