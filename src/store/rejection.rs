//! The error with which Redis rejects a connection.
//!
//! A server at `maxclients` sends an error to a new client and closes the connection. If the client has sent its login meanwhile, the
//! connection is reset and the error is lost. So a second connection is made that sends nothing and only reads.

use redis::{ConnectionAddr, RedisError, parse_redis_value};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// How long that may take; a server that accepts the connection sends nothing.
const WITHIN: Duration = Duration::from_millis(200);
/// More than any such error has, bytes.
const MOST: u64 = 256;

/// Returns the error that a server sends to a new connection, if it does.
pub(super) async fn rejection(address: &ConnectionAddr) -> Option<RedisError> {
    let answer = async {
        match address {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                read(TcpStream::connect((host.as_str(), *port)).await.ok()?).await
            }
            ConnectionAddr::Unix(path) => read(UnixStream::connect(path).await.ok()?).await,
            _ => None,
        }
    };
    let said = timeout(WITHIN, answer).await.ok().flatten()?;
    parse_redis_value(&said).ok()?.extract_error().err()
}

async fn read(connection: impl AsyncRead + Unpin) -> Option<Vec<u8>> {
    let mut said = Vec::new();
    connection.take(MOST).read_to_end(&mut said).await.ok()?;
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn the_error_that_a_server_closes_with_is_read() {
        for (says, code) in [
            ("-ERR max number of clients reached\r\n", Some("ERR")),
            ("+OK\r\n", None),
            ("", None),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = async {
                let (mut client, _) = listener.accept().await.unwrap();
                client.write_all(says.as_bytes()).await.unwrap();
            };
            let address = ConnectionAddr::Tcp("127.0.0.1".to_owned(), port);
            let (said, ()) = tokio::join!(rejection(&address), server);
            assert_eq!(said.as_ref().and_then(RedisError::code), code, "{says}");
        }
    }
}
