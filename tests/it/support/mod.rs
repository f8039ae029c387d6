//! Helpers of the tests: a real Redis, the service in this process or in another one, a client, and functions that wait.
//!
//! A [`Scene`] is a Redis and a key prefix of its own; every instance started in it sees the same data.

mod api;
mod described;
mod disconnecting_clients;
mod document;
mod folder;
mod leash;
mod process;
mod proxy;
mod raw;
mod receiver;
mod redis;
mod scene;
mod service;
mod tests;
mod wait;

pub use api::{Answer, Api, http_client, ids, send, try_send};
pub use disconnecting_clients::{AbandonedPost, DisconnectingClients};
pub use document::{Document, any_json};
pub use fleetpulse::clock::now_ms;
pub use folder::Folder;
pub use process::ServiceProcess;
pub use proxy::{Proxy, Trouble};
pub use raw::{Disconnect, Raw};
pub use receiver::{HttpAnswer, Receiver};
pub use redis::Redis;
pub use scene::Scene;
pub use service::Service;
pub use wait::{answered, eventually, now_us};

/// The flags `--NAME=VALUE` of both lists; of one that is given twice the last counts.
fn last_of_each<'a>(base: &[&'a str], more: &'a [impl AsRef<str>]) -> Vec<&'a str> {
    let name = |flag: &'a str| flag.split('=').next();
    let mut flags: Vec<&str> = Vec::new();
    for flag in base.iter().copied().chain(more.iter().map(AsRef::as_ref)) {
        flags.retain(|earlier| name(earlier) != name(flag));
        flags.push(flag);
    }
    flags
}
