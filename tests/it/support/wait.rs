use super::Answer;
use fleetpulse::clock;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Between two looks at what is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until there is something to see and gives it back; fails the test after `within`. For statements that are only
/// ever true "soon", such as what another instance has heard.
pub async fn eventually<T>(within: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        sleep(LOOK_EVERY).await;
    }
}

/// Calls an instance whose Redis has come back until that is there for the worker that answers: it may be on its way back to
/// it still, or learn by this very call that its connection has ended, and both are a 503 that says to come back.
pub async fn answered(mut call: impl AsyncFnMut() -> Answer) -> Answer {
    eventually(Duration::from_secs(20), "Redis is back for every worker", async || {
        Some(call().await).filter(|answer| answer.status != 503)
    })
    .await
}

/// Unix microseconds, by the clock that the service and Redis read as well.
pub fn now_us() -> i64 {
    clock::now().timestamp_micros()
}
