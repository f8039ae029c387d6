//! The HTTP layer that the handlers of all slices share: routes, arguments, problems, bodies and their members, query strings, answers.
//!
//! # How to write a handler
//!
//! A handler is an `async fn` that takes the parts of a request as typed arguments and returns `Result<HttpResponse, Problem>`:
//!
//! ```ignore
//! /// Renew a lock
//! #[utoipa::path(post, path = "/v1/locks/{name}/renew", operation_id = "renew_lock", tag = "locks", ..)]
//! pub async fn renew(
//!     Path(name): Path<Id>,
//!     state: web::Data<State>,
//!     Body(Renewal { token, ttl }): Body<Renewal>,
//! ) -> Result<HttpResponse, Problem> {
//!     let grant = state.locks.renew(&name, &token, ttl).await?;
//!     reply::value(StatusCode::OK, &GrantBody::new(&name, &grant))
//! }
//! ```
//!
//! | argument | reads | to make a type of it |
//! |---|---|---|
//! | [`Path<T>`](Path), `Path<(A, B)>` | the parameters of the path, in their order | implement [`PathValue`] |
//! | [`Query<T>`](Query) | the query string | implement [`QueryParameters`] |
//! | [`AnyQuery`] | nothing; any query string is accepted | |
//! | [`IdempotencyKey`] | `Idempotency-Key`; [`UnreadKey`] where the body decides whether it is refused | |
//! | [`Client`] | whether the client is still connected | |
//! | [`AnswerContext`] | `Accept`, and the memory for answers; [`LargeAnswer`] refuses the call if too little is free | |
//! | [`Kind`](crate::kind::Kind) | the kind of entity, of a path with `{kind}` | |
//! | [`Body<T>`](Body) | the body, as JSON; [`WithBytes`] with its bytes | implement [`FromBody`] |
//! | [`Unparsed<MAX>`](Unparsed) | the body, for a handler with a parser of its own | |
//! | `web::Data<T>` | the application's data | |
//! | a type of the slice | a header, such as the token of a session | implement `FromRequest` and [`Argument`] |
//!
//! Faults are found in this order: a query parameter that no argument reads (400); an `Idempotency-Key` that no argument reads, of a
//! `POST` that is not idempotent (422); then the arguments, in the order in which the handler takes them. So the body comes last: nothing
//! of it is read if anything else is wrong. Neither refusal can be forgotten, because both follow from the types of the arguments.
//!
//! The handler gets a line in the `routes.rs` of its slice: method, path, name in the metrics, scope. Mounting, the `OpenAPI` document
//! and `fleetpulse routes` read that table ([`Route`]). A handler that takes `HttpRequest` has to refuse what it does not read.

mod answers;
mod body;
mod body_bounds;
mod caller;
mod close;
mod coding;
mod connection;
mod decode;
mod edge;
mod extract;
mod fields;
mod gone;
mod heads;
mod idempotency;
mod metrics;
mod mount;
pub mod names;
mod observe;
mod problem;
mod query;
pub mod reply;
mod request;
mod route;
mod settings;
mod sse;
mod stamp;
pub mod timestamp;

pub use answers::{AnswerLimit, Answers, BoundAnswers};
pub use body::{BodyTimeout, MediaType, RawBody};
pub use body_bounds::Bodies;
pub use caller::{Caller, Callers, NetworkError, Networks, ProxyHeader};
pub use close::CloseWhenStopping;
pub use connection::{Connection, Stream, Timeouts};
pub use edge::{Edge, HostNameError, HostNames, OriginError, Origins, Rules};
pub use extract::{
    AnswerContext, AnyQuery, AppData, Argument, Arguments, Body, Client, FromBody, IdempotencyKey, LargeAnswer, Path,
    PathValue, PathValues, Query, QueryParameters, Unparsed, UnreadKey, WithBytes,
};
pub use fields::{Fields, MAX_FAULTS, Scalar};
pub use gone::{deliver, gone};
pub use heads::Heads;
pub use idempotency::{REPLAYED, idempotency_key, no_idempotency_key};
pub use metrics::HttpMetrics;
pub use mount::{mount, not_found};
pub use problem::{FieldError, Problem};
pub use query::QueryString;
pub use request::{asks_for, bearer, path_external_id, path_id, unreserved_path_id};
pub(crate) use route::routes;
pub use route::{Endpoint, Route, Scope, operations, serve};
pub use settings::HttpSettings;
pub use sse::{EVENT_STREAM, ServerEvents};
pub use stamp::{Stamp, Stamps};
pub use timestamp::TimeBody;
