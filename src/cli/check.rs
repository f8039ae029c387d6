//! `fleetpulse check`: asks a running service whether it is alive, for container health checks without curl.

use super::client::{Client, ClientError, Endpoint, Limits};
use clap::Args;
use std::time::Duration;

/// What `check` takes.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The service
    #[arg(long, env = "FLEETPULSE_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// What to ask: alive (/health/live) or ready (/health/ready)
    #[arg(long, default_value = "/health/live")]
    pub path: String,
}

/// Why the service does not pass.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be asked.
    #[error("the service cannot be asked")]
    Client(#[from] ClientError),
    /// It said no.
    #[error("the service answers {0}")]
    Status(u16),
}

/// Asks once.
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
