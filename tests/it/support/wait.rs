use super::Answer;
use fleetpulse::clock;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The pause between two checks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Repeats a check until it returns something, and returns that. Fails the test after `within`. For conditions that become true soon, such
/// as that another instance has received a message.
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

/// Repeats a call after an outage of Redis until the worker that answers is connected again. Until then it may still be connecting, or may
/// detect the end of its connection only by this call; both are a 503 with `Retry-After`.
pub async fn answered(mut call: impl AsyncFnMut() -> Answer) -> Answer {
    eventually(Duration::from_secs(20), "Redis is back for every worker", async || {
        Some(call().await).filter(|answer| answer.status != 503)
    })
    .await
}

/// Unix microseconds, by the same clock as the service and Redis.
pub fn now_us() -> i64 {
    clock::now().timestamp_micros()
}
