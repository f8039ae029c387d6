//! The one subscription of a process by which its own level hears what to forget.

use super::local::Local;
use crate::store::{Store, StoreError};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{interval, sleep};

/// How often the subscription is asked whether it still lives; a frozen Redis is noticed within this and
/// the time that a command may take (`REDIS_TIMEOUT_MS`).
const PING_EVERY: Duration = Duration::from_secs(1);
/// The first pause between two attempts to subscribe; it doubles up to the other.
const FIRST_RETRY: Duration = Duration::from_millis(20);
const SLOWEST_RETRY: Duration = Duration::from_secs(1);

/// Listens, in the background of the current runtime, from the first time that something is to be kept for as long as the
/// level is held.
pub(super) fn listen(store: &Store, local: &Arc<Local>) {
    if !store.is_configured() {
        return;
    }
    let (store, local) = (store.clone(), Arc::downgrade(local));
    tokio::spawn(async move {
        wanted(&local).await;
        keep_listening(&store, &local).await;
    });
}

/// Resolves when something is to be kept, or nothing can be any more.
async fn wanted(local: &Weak<Local>) {
    let mut look = interval(PING_EVERY);
    while let Some(local) = local.upgrade() {
        tokio::select! {
            () = local.wanted.notified() => return,
            // Lets go of the level for a moment, so that it can end.
            _ = look.tick() => {}
        }
    }
}

/// Subscribes, and again whenever the subscription ends.
async fn keep_listening(store: &Store, local: &Weak<Local>) {
    let channels = [store.keys().cache_channel()];
    let mut pause = FIRST_RETRY;
    while local.strong_count() > 0 {
        match hear_all(store, &channels, local).await {
            // It worked for a while.
            Ok(()) => pause = FIRST_RETRY,
            Err(error) => tracing::debug!(?error, "invalidations cannot be heard"),
        }
        if let Some(local) = local.upgrade()
            && local.is_heard()
        {
            tracing::debug!("invalidations are not heard: the cache in this process is emptied");
            local.note(false);
        }
        // Jitter keeps many instances from knocking in step.
        sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(SLOWEST_RETRY);
    }
}

/// Hears messages until there are no more; an error if there was no subscription.
async fn hear_all(store: &Store, channels: &[String], local: &Weak<Local>) -> Result<(), StoreError> {
    let mut subscription = store.subscribe(channels).await?;
    if let Some(local) = local.upgrade() {
        local.note(true);
    }
    let mut ping = interval(PING_EVERY);
    loop {
        tokio::select! {
            message = subscription.next() => {
                let (Some(message), Some(local)) = (message, local.upgrade()) else { return Ok(()) };
                local.hear(message.get_payload_bytes());
            }
            _ = ping.tick() => {
                if local.strong_count() == 0 || subscription.ping().await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}
