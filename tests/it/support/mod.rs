//! What the stories are told with: a real Redis, the service in this process or as one of its own, a client, patience.
//!
//! A [`Scene`] is a Redis and a key prefix of its own; every instance started in it sees the same data.

mod api;
mod leash;
mod process;
mod redis;
mod scene;
mod service;
mod tests;
mod wait;

pub use api::{Answer, Api, ids, send};
pub use process::ServiceProcess;
pub use redis::Redis;
pub use scene::Scene;
pub use service::Service;
pub use wait::{eventually, now_ms};
