use super::{Link, StoreError};
use crate::runtime::caught;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

/// The first pause between two attempts to release something. It doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Link {
    /// Releases something in the background, and retries until it would have expired anyway, `lasting` after Redis stored it. A Redis
    /// that was suspended executes what was sent when it resumes, however late; so after a failure that time counts from when Redis is
    /// reachable again. Without a runtime, as at the end of a process, or with too many releases in progress, it is left to expire.
    pub fn give_back<F>(&self, name: &'static str, lasting: Duration, call: impl Fn(Self) -> F + Send + 'static)
    where
        F: Future<Output = Result<(), StoreError>> + Send,
    {
        let permit = self.store().giving_back(name).try_acquire_owned();
        let (Ok(runtime), Ok(permit)) = (Handle::try_current(), permit) else {
            return;
        };
        let link = self.clone();
        let giving_back = async move {
            let _permit = permit;
            let mut pause = FIRST_PAUSE;
            let mut moot = None;
            while let Err(error) = call(link.clone()).await {
                tracing::debug!(%error, task = name, "a release failed and is retried");
                link.connected().await;
                let moot = *moot.get_or_insert_with(|| Instant::now() + lasting);
                // Jitter keeps callers from retrying at the same time.
                sleep_until(moot.min(Instant::now() + pause.mul_f64(rand::random_range(0.5..1.0)))).await;
                if Instant::now() >= moot {
                    return;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        runtime.spawn(caught(name, giving_back));
    }
}
