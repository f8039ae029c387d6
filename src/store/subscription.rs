use super::{Store, StoreError};
use futures_util::StreamExt;
use redis::Msg;
use redis::aio::{PubSubSink, PubSubStream};
use std::time::Duration;

/// A subscription to channels, on a connection of its own.
pub struct Subscription {
    sink: PubSubSink,
    messages: PubSubStream,
    timeout: Duration,
}

impl Store {
    /// Subscribes to channels. Returns when Redis has confirmed all of them, so that no message published later is missed.
    pub async fn subscribe(&self, channels: &[String]) -> Result<Subscription, StoreError> {
        let subscribing = async {
            let (mut sink, messages) = self.subscriber().await?.split();
            sink.subscribe(channels).await.map_err(StoreError::classify)?;
            let timeout = self.timeout();
            Ok(Subscription {
                sink,
                messages,
                timeout,
            })
        };
        tokio::time::timeout(self.timeout(), subscribing)
            .await
            .map_err(|_elapsed| StoreError::Unavailable)?
    }
}

impl Subscription {
    /// Returns the next message; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Msg> {
        self.messages.next().await
    }

    /// Checks that Redis still answers on this connection.
    pub async fn ping(&mut self) -> Result<(), StoreError> {
        match tokio::time::timeout(self.timeout, self.sink.ping::<redis::Value>()).await {
            Ok(answer) => answer.map(drop).map_err(StoreError::classify),
            Err(_elapsed) => Err(StoreError::Unavailable),
        }
    }
}
