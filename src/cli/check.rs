//! `fleetpulse check`: checks whether a running service is alive, for container health checks without curl.

use super::client::{Client, ClientError, Endpoint, Limits};
use clap::Args;
use std::time::Duration;

/// The arguments of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The service
    #[arg(long, env = "FLEETPULSE_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The check: alive (/health/live) or ready (/health/ready)
    #[arg(long, default_value = "/health/live")]
    pub path: String,
}

/// Why the check failed.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The service cannot be reached.
    #[error("the service cannot be reached")]
    Client(#[from] ClientError),
    /// The service answered with another status than a 2xx.
    #[error("the service answers {0}")]
    Status(u16),
}

/// Sends one request.
///
/// # Errors
/// [`CheckError`] for anything but a 2xx.
pub async fn run(args: CheckArgs) -> Result<(), CheckError> {
    let endpoint = Endpoint::parse(&args.url)?;
    let request = format!(
        "GET {}{} HTTP/1.1\r\nhost: {}\r\n\r\n",
        endpoint.prefix(),
        args.path,
        endpoint.authority()
    );
    let limits = Limits {
        timeout: Duration::from_secs(3),
        ..Limits::default()
    };
    let mut client = Client::new(endpoint, limits);
    let response = client.send(request.as_bytes()).await?;
    if response.is_success() {
        Ok(())
    } else {
        Err(CheckError::Status(response.status))
    }
}
