//! Pushes fixes over one connection: sends, reads the answer, retries where that helps, and counts.

use super::SimulateError;
use super::summary::Tally;
use crate::cli::client::{Client, Endpoint, Limits};
use crate::cli::encode::{JSON, NDJSON, Template};
use crate::tracking::Kind;
use indicatif::ProgressBar;
use serde::Deserialize;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The most attempts of a request.
const ATTEMPTS: u32 = 6;
/// The delay before a retry if the service names none, and the longest that it can name.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The answer to a batch.
#[derive(Debug, Deserialize)]
struct BatchAnswer {
    accepted: u64,
    stale: u64,
    buffered: u64,
    rejected: Vec<Rejected>,
}

#[derive(Debug, Deserialize)]
struct Rejected {
    detail: String,
}

/// A connection that pushes fixes and counts their outcomes.
#[derive(Debug)]
pub(super) struct Pusher {
    client: Client,
    single: Template,
    batch: Template,
    request: Vec<u8>,
    bar: ProgressBar,
    /// Their outcomes so far.
    pub(super) tally: Tally,
}

impl Pusher {
    /// Opens `count` connections.
    pub(super) async fn open(
        url: &str,
        kind: Kind,
        count: u32,
        timeout: Duration,
        bar: &ProgressBar,
    ) -> Result<Vec<Self>, SimulateError> {
        let unreachable = |source| SimulateError::Unreachable {
            url: url.to_owned(),
            source,
        };
        let endpoint = Endpoint::parse(url).map_err(unreachable)?;
        let limits = Limits {
            timeout,
            ..Limits::default()
        };
        let mut pushers = Vec::new();
        for _ in 0..count {
            let mut client = Client::new(endpoint.clone(), limits);
            client.connect().await.map_err(unreachable)?;
            pushers.push(Self {
                client,
                single: Template::post(&endpoint, &format!("/v1/{kind}/*/position"), JSON),
                batch: Template::post(&endpoint, &format!("/v1/{kind}/positions"), NDJSON),
                request: Vec::new(),
                bar: bar.clone(),
                tally: Tally::default(),
            });
        }
        Ok(pushers)
    }

    /// Counts fixes that were sent and not answered as lost.
    pub(super) const fn give_up(&mut self) {
        let tally = &mut self.tally;
        let answered = tally.accepted + tally.stale + tally.buffered + tally.rejected;
        tally.lost = tally.sent.saturating_sub(answered);
    }

    /// Pushes one fix; returns whether it was accepted.
    pub(super) async fn single(&mut self, id: &str, body: &[u8]) -> bool {
        self.single.write(&mut self.request, id.as_bytes(), body);
        self.exchange(1, |tally, status, _body| match status {
            204 => tally.accepted += 1,
            202 => tally.buffered += 1,
            _ => tally.stale += 1,
        })
        .await
    }

    /// Pushes fixes, one a line; returns whether the request was accepted.
    pub(super) async fn batch(&mut self, lines: &[u8], count: u64) -> bool {
        self.batch.write(&mut self.request, b"", lines);
        self.exchange(count, move |tally, _status, body| {
            let Ok(answer) = serde_json::from_slice::<BatchAnswer>(body) else {
                tally.lost += count;
                tally.error("an answer that is not a batch's", 1);
                return;
            };
            tally.accepted += answer.accepted;
            tally.stale += answer.stale;
            tally.buffered += answer.buffered;
            tally.rejected += answer.rejected.len() as u64;
            for rejected in answer.rejected {
                tally.error(&format!("rejected: {}", rejected.detail), 1);
            }
        })
        .await
    }

    async fn exchange(&mut self, count: u64, understand: impl FnOnce(&mut Tally, u16, &[u8])) -> bool {
        let tally = &mut self.tally;
        tally.sent += count;
        self.bar.inc(count);
        for attempt in 1..=ATTEMPTS {
            let started = Instant::now();
            let pause = match self.client.send(&self.request).await {
                Ok(response) => {
                    tally.latencies.record(started.elapsed());
                    if response.is_success() {
                        understand(tally, response.status, response.body);
                        return true;
                    }
                    tally.error(&format!("status {}", response.status), 1);
                    if response.status != 503 {
                        tally.rejected += count;
                        return false;
                    }
                    response.retry_after.unwrap_or(PAUSE)
                }
                Err(error) => {
                    tally.error(error.kind(), 1);
                    PAUSE * attempt
                }
            };
            if attempt < ATTEMPTS {
                tally.retries += 1;
                sleep(pause.min(LONGEST_PAUSE)).await;
            }
        }
        tally.lost += count;
        false
    }
}
