use crate::store::embedded::EmbeddedError;
use crate::store::{RedisSourceError, StoreError};
use crate::wiring::SetupError;
use std::io;
use std::net::SocketAddr;

/// Why the service cannot start, or ended in failure.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The settings contradict each other.
    #[error(transparent)]
    Settings(#[from] RedisSourceError),
    /// A slice cannot start.
    #[error(transparent)]
    Slice(#[from] SetupError),
    /// The embedded Redis does not start.
    #[error("the embedded Redis does not start")]
    Embedded(#[source] EmbeddedError),
    /// The address of Redis is invalid.
    #[error("the address of Redis is not valid")]
    Store(#[source] StoreError),
    /// The address to listen on is in use or does not belong to this machine.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The error.
        #[source]
        source: io::Error,
    },
    /// The data in Redis are laid out for another number of partitions.
    #[error(
        "the data in Redis are laid out in {found} partitions, this service is set to {wanted}; use another REDIS_KEY_PREFIX"
    )]
    Layout {
        /// The number in Redis.
        found: u16,
        /// The number in the settings.
        wanted: u16,
    },
    /// The metrics cannot be registered.
    #[error("the metrics cannot be set up")]
    Metrics(#[from] prometheus::Error),
    /// A second signal arrived while the service was stopping.
    #[error("ended by a second signal before it had stopped; data that were not written yet are lost")]
    Interrupted,
    /// The server failed.
    #[error("the HTTP server failed")]
    Server(#[source] io::Error),
}

impl AppError {
    /// Returns whether the settings are the reason, so that another start with the same settings fails as well.
    #[must_use]
    pub const fn is_of_settings(&self) -> bool {
        matches!(self, Self::Settings(_) | Self::Slice(SetupError::Settings(_)))
    }
}
