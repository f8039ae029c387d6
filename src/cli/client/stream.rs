//! A connection, with or without TLS.

use super::endpoint::Endpoint;
use super::error::ClientError;
use crate::outgoing;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection to the service.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    // Boxed, because its buffers would make every plain connection as large.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Opens a connection; its certificate has to be valid for the host and issued by an authority that this machine trusts.
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(endpoint.address())
            .await
            .map_err(ClientError::Connect)?;
        // A request is one write: waiting for more to fill a segment would only add Nagle's delay.
        stream.set_nodelay(true).map_err(ClientError::Connect)?;
        let Some(host) = endpoint.tls_host() else {
            return Ok(Self::Plain(stream));
        };
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| ClientError::Connect(io::Error::other(error)))?;
        let connector = TlsConnector::from(config()?);
        let stream = connector.connect(name, stream).await.map_err(ClientError::Connect)?;
        Ok(Self::Tls(Box::new(stream)))
    }

    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer).await,
            Self::Tls(stream) => stream.read(buffer).await,
        }
    }
}

/// The configuration of all connections: loading the roots takes some milliseconds.
fn config() -> Result<Arc<ClientConfig>, ClientError> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let made = outgoing::tls_config().map_err(|error| ClientError::Connect(io::Error::other(error)))?;
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(made))))
}
