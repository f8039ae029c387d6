//! The HTTP interface of the slice: `/v1/cache`.

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
use crate::cache::MAX_KEY;
use crate::http::{FieldError, Problem, unreserved_path_id};
use crate::ids::{Id, percent_decoded};
use crate::runtime::{apart, takes_long};
use actix_web::{HttpRequest, web};
use bytes::Bytes;

/// The state of a worker that the handlers use.
pub type State = web::Data<Cache>;

/// What a body has beside its values, bytes.
const OVERHEAD: usize = 64 * 1024;
/// The largest body of a call without values, bytes.
const MAX_BODY: usize = 256 * 1024;
/// No namespaces: words of paths.
const RESERVED: &[&str] = &["stats", "events", "tags", "counters", "tickets"];
/// Where the service keeps its own answers.
const OWN: &str = "responses";

/// Reads a body with what the cache allows: a large one on another thread.
async fn read<T: Send + 'static>(
    cache: &Cache,
    body: Bytes,
    read: impl FnOnce(&Cache, &Bytes) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    if !takes_long(body.len()) {
        return read(cache, &body);
    }
    let cache = cache.clone();
    apart(body.len(), move || read(&cache, &body)).await?
}

/// The namespace in the path, one of callers.
fn namespace(request: &HttpRequest) -> Result<Id, Problem> {
    let namespace = any_namespace(request)?;
    if namespace.as_str() == OWN {
        let detail = format!("{OWN} is the service's own, and can only be cleared");
        return Err(Problem::unacceptable_parameter("namespace", detail));
    }
    Ok(namespace)
}

/// The same, or the service's own.
fn any_namespace(request: &HttpRequest) -> Result<Id, Problem> {
    unreserved_path_id(request, "namespace", RESERVED)
}

/// The key in the path: its last word, decoded. From the path as the client wrote it, because the router leaves some of it
/// encoded and replaces what is no UTF-8.
fn key(request: &HttpRequest) -> Result<String, Problem> {
    let raw = request.uri().path().rsplit('/').next().unwrap_or_default();
    let key = percent_decoded(raw).filter(|key| (1..=MAX_KEY).contains(&key.len()));
    key.ok_or_else(|| {
        let detail = format!("must be 1 to {MAX_KEY} bytes of UTF-8, percent-encoded");
        Problem::unacceptable_parameter("key", detail)
    })
}

/// What a refusal is to a client.
impl From<CacheError> for Problem {
    fn from(error: CacheError) -> Self {
        let detail = error.to_string();
        let refused = |member| Self::unacceptable(vec![FieldError::new(member, detail.clone())]);
        match error {
            CacheError::Store(error) => error.into(),
            CacheError::Corrupt => Self::conflict("cache_corrupt", "There is something else", detail),
            CacheError::NoCounter => Self::conflict("no_counter", "There is something else", detail),
            CacheError::CounterRange => Self::conflict("counter_range", "The counter is at its end", detail),
            CacheError::TooBig { .. } => Self::too_large(detail),
            CacheError::Busy => Self::unavailable(detail, 1),
            CacheError::KeyReused => Self::unacceptable_parameter("Idempotency-Key", detail),
            CacheError::Ttl => refused("ttl_s"),
            CacheError::Key => refused("key"),
            CacheError::TooManyTags => refused("tags"),
            CacheError::NotJson(_) => refused("value"),
        }
    }
}
