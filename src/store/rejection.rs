//! The error with which Redis rejects a connection.
//!
//! A server at `maxclients` sends an error to a new client and closes the connection. If the client has already sent its login, the
//! connection is reset and the error is lost. So a second connection is opened that sends nothing and only reads.

use redis::{ConnectionAddr, RedisError, parse_redis_value};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// How long to wait for the error; a server that accepts the connection sends nothing.
const WITHIN: Duration = Duration::from_millis(200);
/// The maximum size of the error, bytes. Redis's errors are shorter.
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
    let received = timeout(WITHIN, answer).await.ok().flatten()?;
    parse_redis_value(&received).ok()?.extract_error().err()
}

async fn read(connection: impl AsyncRead + Unpin) -> Option<Vec<u8>> {
    let mut received = Vec::new();
    connection.take(MOST).read_to_end(&mut received).await.ok()?;
    Some(received)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn the_error_that_a_server_closes_with_is_read() {
        for (sent, code) in [
            ("-ERR max number of clients reached\r\n", Some("ERR")),
            ("+OK\r\n", None),
            ("", None),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = async {
                let (mut client, _) = listener.accept().await.unwrap();
                client.write_all(sent.as_bytes()).await.unwrap();
            };
            let address = ConnectionAddr::Tcp("127.0.0.1".to_owned(), port);
            let (received, ()) = tokio::join!(rejection(&address), server);
            assert_eq!(received.as_ref().and_then(RedisError::code), code, "{sent}");
        }
    }
}
