//! Enqueues a few jobs and runs the jobs of the queue `mail` until Ctrl-C.
//!
//! `cargo run -p fleetpulse-client --example worker_pool -- http://127.0.0.1:8080 4`

#![expect(clippy::print_stdout, reason = "the output of the example")]

use fleetpulse_client::jobs::{Completion, Failure, LeasedJob, NewJob, WorkerPool};
use fleetpulse_client::{Client, Error};
use serde::{Deserialize, Serialize};
use std::env;
use tokio::signal::ctrl_c;

const QUEUE: &str = "mail";

#[derive(Serialize, Deserialize)]
struct Mail {
    to: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut args = env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
    let concurrency = args.next().and_then(|text| text.parse().ok()).unwrap_or(4);
    let client = Client::new(&url)?;

    for to in ["ada@example.org", "", "grace@example.org"] {
        let job = NewJob::with_payload("send", &Mail { to: to.to_owned() })?;
        client.jobs().enqueue(QUEUE, &[job]).await?;
    }
    let pool = WorkerPool::new(client, QUEUE)
        .types(&["send"])
        .concurrency(concurrency)
        .on_error(|error| println!("worker pool: {error}"));
    // Where the signal cannot be handled, the pool stops at once.
    pool.run(send, async { ctrl_c().await.unwrap_or_default() }).await;
    Ok(())
}

/// Sends a mail. A job may run more than once: a real mail server would get the id of the job as the id of the message.
async fn send(job: LeasedJob) -> Result<Completion, Failure> {
    // A payload that cannot be read does not become readable by a retry.
    let mail: Mail = job.read().map_err(Failure::permanent)?;
    if mail.to.is_empty() {
        println!("{}: no address", job.id);
        return Err(Failure::permanent("the mail has no address"));
    }
    println!("{}: attempt {} to send a mail to {}", job.id, job.attempt, mail.to);
    Completion::with_result(&"sent").map_err(Failure::new)
}
