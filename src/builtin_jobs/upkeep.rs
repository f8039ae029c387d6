//! Maintenance jobs. Their work is done by functions of other slices, which are passed in.

use super::payload::read;
use super::settings::WORK_QUEUE;
use crate::jobs::Fault;
use crate::jobs::worker::{Context, Job, JobFailure, Outcome};
use crate::store::StoreError;
use futures_util::future::BoxFuture;
use serde_json::json;
use serde_json::value::to_raw_value;
use std::time::Duration;
use tokio::time::Instant;

/// The duration of a sweep before it yields to other jobs.
const TURN: Duration = Duration::from_secs(5);

/// Sweeps a piece from a cursor on; 0 is the start.
pub type Sweep = dyn Fn(u64) -> BoxFuture<'static, Result<SweepPiece, StoreError>> + Send + Sync;

/// A piece of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepPiece {
    /// The cursor of the next piece; 0 at the end.
    pub next: u64,
    /// The number of sessions that were checked.
    pub looked_at: u64,
    /// The number of sessions that were removed.
    pub removed: u64,
}

/// Fills the cache and returns the number of filled parts; none if another instance fills it.
pub type Warmup = dyn Fn() -> BoxFuture<'static, Result<u64, String>> + Send + Sync;

/// `cleanup_expired_sessions`: removes ended sessions from the lists of their subjects. It works in pieces, and after a few seconds continues
/// as the same job, so that it does not block other jobs and resumes after a crash.
#[derive(Debug, Clone, Copy)]
pub struct CleanupExpiredSessions {
    cursor: u64,
    looked_at: u64,
    removed: u64,
}

impl Job for CleanupExpiredSessions {
    const NAME: &'static str = "cleanup_expired_sessions";
    const QUEUE: &'static str = WORK_QUEUE;
    type State = Box<Sweep>;

    fn parse(payload: &str) -> Result<Self, Vec<Fault>> {
        read(payload, |fields| {
            // As text: a cursor of Redis may use all of its 64 bits.
            let mut number = |name: &'static str| {
                let text = fields.text(name, 20)?;
                let number = text.parse().ok();
                if number.is_none() {
                    fields.refuse(name, "must be a whole number in a string");
                }
                number
            };
            Some(Self {
                cursor: number("cursor").unwrap_or(0),
                looked_at: number("looked_at").unwrap_or(0),
                removed: number("removed").unwrap_or(0),
            })
        })
    }

    async fn run(mut self, context: Context<Box<Sweep>>) -> Result<Outcome, JobFailure> {
        let start = Instant::now();
        loop {
            let piece = context(self.cursor).await?;
            self.looked_at = self.looked_at.saturating_add(piece.looked_at);
            self.removed = self.removed.saturating_add(piece.removed);
            self.cursor = piece.next;
            if self.cursor == 0 {
                let result = json!({ "looked_at": self.looked_at, "removed": self.removed });
                return Ok(Outcome::result(&result)?);
            }
            if start.elapsed() >= TURN {
                let payload = json!({
                    "cursor": self.cursor.to_string(),
                    "looked_at": self.looked_at.to_string(),
                    "removed": self.removed.to_string(),
                });
                return Ok(Outcome::Then {
                    kind: None,
                    payload: Some(to_raw_value(&payload)?),
                    delay: Duration::ZERO,
                });
            }
        }
    }
}

/// `cache_warmup`: fills the cache.
#[derive(Debug, Clone, Copy)]
pub struct CacheWarmup;

impl Job for CacheWarmup {
    const NAME: &'static str = "cache_warmup";
    const QUEUE: &'static str = WORK_QUEUE;
    const TIMEOUT: Duration = Duration::from_mins(10);
    type State = Box<Warmup>;

    fn parse(payload: &str) -> Result<Self, Vec<Fault>> {
        read(payload, |_fields| Some(Self))
    }

    async fn run(self, context: Context<Box<Warmup>>) -> Result<Outcome, JobFailure> {
        let warmed = context().await.map_err(JobFailure::new)?;
        Ok(Outcome::result(&json!({ "warmed": warmed }))?)
    }
}
