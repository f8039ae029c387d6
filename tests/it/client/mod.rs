//! The Rust client (`fleetpulse-client`) against the real service.

mod attempts;
mod cache;
mod inventory;
mod jobs;
mod limits;
mod locks;
mod pool;
mod problems;
mod retries;
mod sessions;
mod tracking;

use crate::support::Service;
use fleetpulse_client::{Client, ClientBuilder, Error, ProblemType};
use std::fmt::Debug;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// A client with a timeout that is long enough for a busy machine.
fn builder(url: &str) -> ClientBuilder {
    Client::builder(url).timeout(Duration::from_secs(30))
}

fn client(service: &Service) -> Client {
    builder(&service.url()).build().unwrap()
}

/// The status and the type of the problem that a call failed with.
#[track_caller]
fn problem<T: Debug>(answer: Result<T, Error>) -> (u16, ProblemType) {
    let error = answer.expect_err("the call fails");
    let problem = error.problem().unwrap_or_else(|| panic!("{error:?}"));
    (problem.status, problem.problem_type())
}
