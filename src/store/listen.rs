use super::link::{FIRST_RETRY, rest, slower};
use super::{Store, StoreError};
use crate::runtime::failpoint_of;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::interval;

/// How often a subscription is pinged. A frozen Redis is detected within this time plus the time that a command may
/// take (`REDIS_TIMEOUT_MS`).
pub const PING_EVERY: Duration = Duration::from_secs(1);

/// Receives the messages of a channel, which is subscribed again whenever the subscription ends.
pub trait Listener: Send + Sync + 'static {
    /// Records whether messages are received from now on: after each attempt to subscribe, and when a subscription has ended. Messages
    /// between the end of one and the start of the next are missed.
    fn note(&self, heard: bool);

    /// Receives a message.
    fn hear(&self, message: &[u8]);
}

/// Reports the end of a subscription, also after a panic: messages are missed from then on.
struct Heard<'a, L: Listener>(&'a Weak<L>);

impl<L: Listener> Drop for Heard<'_, L> {
    fn drop(&mut self) {
        note(self.0, false);
    }
}

fn note(listener: &Weak<impl Listener>, heard: bool) {
    if let Some(listener) = listener.upgrade() {
        listener.note(heard);
    }
}

impl Store {
    /// Listens to a channel in a task called `name`, on the current runtime: from the first notification of `wanted`, for as long as
    /// the listener is held. Code that drops the listener has to notify `wanted` as well. Without any Redis the listener is informed at
    /// once.
    pub fn listen<L: Listener>(&self, name: &'static str, channel: String, wanted: &Arc<Notify>, listener: &Arc<L>) {
        if !self.is_configured() {
            listener.note(false);
            return;
        }
        let (store, wanted, listener) = (self.clone(), Arc::clone(wanted), Arc::downgrade(listener));
        let is_wanted = Arc::new(AtomicBool::new(false));
        self.supervisor().spawn(name, move || {
            let (store, wanted, listener) = (store.clone(), Arc::clone(&wanted), Weak::clone(&listener));
            let (is_wanted, channel) = (Arc::clone(&is_wanted), channel.clone());
            async move {
                // Kept for a restart after a panic: the waiters have already sent their notification.
                if !is_wanted.load(Ordering::Acquire) {
                    wanted.notified().await;
                    is_wanted.store(true, Ordering::Release);
                }
                failpoint_of(name, "wanted");
                store.keep_listening(name, channel, listener).await;
            }
        });
    }

    /// Subscribes, and again whenever the subscription ends.
    async fn keep_listening(&self, name: &'static str, channel: String, listener: Weak<impl Listener>) {
        let channels = [channel];
        let mut pause = FIRST_RETRY;
        while listener.strong_count() > 0 {
            match self.listen_once(name, &channels, &listener).await {
                // It worked for a while.
                Ok(()) => pause = FIRST_RETRY,
                Err(error) => {
                    tracing::debug!(?error, channel = channels[0], "a channel cannot be heard");
                    note(&listener, false);
                }
            }
            rest(pause).await;
            pause = slower(pause);
        }
    }

    /// Listens until the subscription ends, or the listener is gone; an error if there was none.
    async fn listen_once(
        &self,
        name: &'static str,
        channels: &[String],
        listener: &Weak<impl Listener>,
    ) -> Result<(), StoreError> {
        let mut subscription = self.subscribe(channels).await?;
        note(listener, true);
        let _heard = Heard(listener);
        let mut ping = interval(PING_EVERY);
        loop {
            tokio::select! {
                message = subscription.next() => {
                    let (Some(message), Some(listener)) = (message, listener.upgrade()) else { return Ok(()) };
                    failpoint_of(name, "message");
                    listener.hear(message.get_payload_bytes());
                }
                _ = ping.tick() => {
                    if listener.strong_count() == 0 || subscription.ping().await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}
