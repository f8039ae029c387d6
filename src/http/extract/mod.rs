//! The arguments of handlers. Each is read from the request before the handler runs. If that fails, the request is answered with its fault.

mod answer;
mod arguments;
mod body;
mod client;
mod key;
mod kind;
mod path;
mod query;

pub use answer::{AnswerContext, LargeAnswer};
pub(super) use arguments::check;
pub use arguments::{Argument, Arguments};
pub use body::{AppData, Body, FromBody, Unparsed, WithBytes};
pub use client::Client;
pub use key::{IdempotencyKey, UnreadKey};
pub use path::{Path, PathValue, PathValues};
pub use query::{AnyQuery, Query, QueryParameters};
