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
    /// Records whether messages are received from now on: called after each attempt to subscribe, and when a subscription has ended.
    /// Messages between the end of a subscription and the start of the next are missed.
    fn set_subscribed(&self, subscribed: bool);

    /// Handles a message.
    fn receive(&self, message: &[u8]);
}

/// Reports the end of a subscription when dropped, also after a panic.
struct Subscribed<'a, L: Listener>(&'a Weak<L>);

impl<L: Listener> Drop for Subscribed<'_, L> {
    fn drop(&mut self) {
        set_subscribed(self.0, false);
    }
}

fn set_subscribed(listener: &Weak<impl Listener>, subscribed: bool) {
    if let Some(listener) = listener.upgrade() {
        listener.set_subscribed(subscribed);
    }
}

impl Store {
    /// Subscribes `listener` to a channel in a task called `name` on the current runtime: from the first notification of `wanted` until the
    /// listener is dropped. Code that drops the listener must notify `wanted` as well. Without a Redis the listener is informed at once that
    /// it is not subscribed.
    pub fn listen<L: Listener>(&self, name: &'static str, channel: String, wanted: &Arc<Notify>, listener: &Arc<L>) {
        if !self.is_configured() {
            listener.set_subscribed(false);
            return;
        }
        let (store, wanted, listener) = (self.clone(), Arc::clone(wanted), Arc::downgrade(listener));
        let is_wanted = Arc::new(AtomicBool::new(false));
        self.supervisor().spawn(name, move || {
            let (store, wanted, listener) = (store.clone(), Arc::clone(&wanted), Weak::clone(&listener));
            let (is_wanted, channel) = (Arc::clone(&is_wanted), channel.clone());
            async move {
                // Remembered for a restart after a panic, because the notification is sent only once.
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
                // It was subscribed, so the next attempt may follow soon.
                Ok(()) => pause = FIRST_RETRY,
                Err(error) => {
                    tracing::debug!(?error, channel = channels[0], "cannot subscribe to a channel");
                    set_subscribed(&listener, false);
                }
            }
            rest(pause).await;
            pause = slower(pause);
        }
    }

    /// Subscribes, and receives messages until the subscription ends or the listener is dropped. An error if the subscription failed.
    async fn listen_once(
        &self,
        name: &'static str,
        channels: &[String],
        listener: &Weak<impl Listener>,
    ) -> Result<(), StoreError> {
        let mut subscription = self.subscribe(channels).await?;
        set_subscribed(listener, true);
        let _subscribed = Subscribed(listener);
        let mut ping = interval(PING_EVERY);
        loop {
            tokio::select! {
                message = subscription.next() => {
                    let (Some(message), Some(listener)) = (message, listener.upgrade()) else { return Ok(()) };
                    failpoint_of(name, "message");
                    listener.receive(message.get_payload_bytes());
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
