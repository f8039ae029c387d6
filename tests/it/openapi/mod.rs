//! The `OpenAPI` document: well-formed, complete, and correct.

mod call;
mod constraints;
mod form;
mod probes;
mod request;
mod snapshot;
