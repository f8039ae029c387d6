//! Requests of the service to itself that fill its response cache.

use crate::cli::client::{Client, Endpoint, Limits};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Fills the response cache of the service with ordinary requests to itself.
pub(super) async fn warm_path(mut address: SocketAddr, path: &'static str) -> Result<(), String> {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let endpoint = Endpoint::parse(&format!("http://{address}")).map_err(|error| error.to_string())?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nCache-Control: no-cache\r\n\r\n");
    let mut client = Client::new(endpoint, Limits::default());
    let answer = client
        .send(request.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    if answer.is_success() {
        Ok(())
    } else {
        Err(format!("{path} is answered with {}", answer.status))
    }
}
