//! What every slice's handlers share: problems, bodies and their members, query strings, answers, the request log.

mod body;
mod caller;
mod close;
mod coding;
mod decode;
mod edge;
mod fields;
mod gone;
mod heads;
mod idempotency;
pub mod names;
mod observe;
mod problem;
mod query;
mod raw;
pub mod reply;
mod request;
mod stamp;
pub mod timestamp;

pub use body::{Body, BodyTimeout, MediaType};
pub use caller::{Caller, Callers, NetworkError, Networks, ProxyHeader};
pub use close::CloseWhenStopping;
pub use edge::{Edge, HostNameError, HostNames, OriginError, Origins, Rules};
pub use fields::{Fields, MAX_FAULTS, unknown_member};
pub use gone::{client_gone, deliver, gone, remember_connection};
pub use heads::Heads;
pub use idempotency::{REPLAYED, idempotency_key, no_idempotency_key};
pub use observe::Observe;
pub use problem::{FieldError, Problem};
pub use query::Query;
pub use raw::{RawObject, elements, raw};
pub use request::{asks_for, bearer, no_query, path_external_id, path_id, unreserved_path_id};
pub use stamp::{Stamp, Stamps};
pub use timestamp::TimeBody;
