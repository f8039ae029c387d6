//! The HTTP interface of the slice: `/v1/cache`.

mod arguments;
mod batch;
mod counters;
mod entries;
mod input;
mod invalidate;
mod namespace;
mod tickets;

pub use batch::*;
pub use counters::*;
pub use entries::*;
pub use input::{KeyBody, NamespaceBody};
pub use invalidate::*;
pub use namespace::*;
pub use tickets::*;

use super::{Cache, CacheError};
use crate::http::{FieldError, Problem};
use actix_web::web;

/// The state of a worker that the handlers use.
pub type State = web::Data<Cache>;

/// The size that a body may have besides its values, in bytes.
const OVERHEAD: usize = 64 * 1024;
/// The maximum size of a body without values, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// Maps errors of the slice to problems.
impl From<CacheError> for Problem {
    fn from(error: CacheError) -> Self {
        let detail = error.to_string();
        let refused = |member| Self::validation_failed(vec![FieldError::new(member, detail.clone())]);
        match error {
            CacheError::Store(error) => error.into(),
            CacheError::Corrupt => Self::conflict("cache_corrupt", "The stored value has another type", detail),
            CacheError::NoCounter => Self::conflict("no_counter", "The stored value has another type", detail),
            CacheError::CounterRange => Self::conflict("counter_range", "The counter would exceed its range", detail),
            CacheError::TooBig { .. } => Self::content_too_large(detail),
            CacheError::Busy => Self::unavailable(detail, 1),
            CacheError::KeyReused => Self::invalid_parameter("Idempotency-Key", detail),
            CacheError::Ttl => refused("ttl_s"),
            CacheError::Key => refused("key"),
            CacheError::TooManyTags => refused("tags"),
            CacheError::NotJson(_) => refused("value"),
        }
    }
}
