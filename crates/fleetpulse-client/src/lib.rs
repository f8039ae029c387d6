#![doc = include_str!("../README.md")]

mod attempt;
mod builder;
pub mod cache;
mod call;
mod client;
mod error;
pub mod inventory;
pub mod jobs;
pub mod json;
pub mod limits;
pub mod locks;
mod problem_type;
mod retry;
pub mod sessions;
pub mod tracking;

pub use attempt::{Attempt, AttemptOutcome};
pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{Error, FieldError, Problem, Source};
pub use problem_type::ProblemType;
pub use retry::RetryPolicy;
