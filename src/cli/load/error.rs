use crate::cli::client::ClientError;
use std::io;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The service cannot be reached, or its URL is not usable.
    #[error("{url}: {source}")]
    Unreachable {
        /// The URL.
        url: String,
        /// The error.
        source: ClientError,
    },
    /// A thread or its runtime could not be started.
    #[error("cannot start a load thread: {0}")]
    Thread(#[source] io::Error),
    /// A load thread ended early.
    #[error("a load thread ended early")]
    Lost,
    /// The entities could not all be sent before the start.
    #[error("preloading was answered with status {0}")]
    Preload(u16),
    /// No request of a kind succeeded.
    #[error("no request of {0} succeeded")]
    NoSuccess(&'static str),
    /// Some of the entities that the load has created still exist.
    #[error("{0} of the entities that the load has created could not be removed; they expire with their time to live")]
    Left(u64),
    /// The report could not be printed.
    #[error("cannot write the report: {0}")]
    Report(#[from] serde_json::Error),
}
