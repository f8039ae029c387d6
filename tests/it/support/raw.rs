use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any timeout that a test sets for the service.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a client goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    Fin,
    Rst,
}

/// A connection on which a test says what no well-bred client would.
pub struct Raw(TcpStream);

impl Raw {
    pub async fn connect(url: &str) -> Self {
        let address = url.strip_prefix("http://").unwrap();
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Sends bytes. A service that has closed already is none the worse for it.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.0.write_all(bytes.as_ref()).await;
        self
    }

    /// Says that no more will be said, and can still read.
    pub async fn close_own_side(&mut self) {
        let _ = self.0.shutdown().await;
    }

    /// Goes away without reading on: with a FIN, or with a RST.
    pub fn leave(self, how: Leaving) {
        if how == Leaving::Rst {
            self.0.set_zero_linger().unwrap();
        }
    }

    /// Everything that comes back until the service closes.
    pub async fn rest(&mut self) -> String {
        let mut answer = Vec::new();
        // A reset after the answer is one way to close.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut answer))
            .await
            .expect("it is closed");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What came back by now, if anything did.
    pub async fn answered(&mut self) -> Option<String> {
        let mut answer = vec![0; 4096];
        let read = timeout(Duration::from_millis(1), self.0.read(&mut answer)).await.ok()?;
        Some(String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).into_owned())
    }

    /// The head of the next answer; whatever of its body came along is dropped.
    pub async fn head(&mut self) -> String {
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            let count = timeout(PATIENCE, self.0.read(&mut buffer))
                .await
                .expect("it answers")
                .unwrap_or(0);
            if count == 0 {
                break;
            }
            answer.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}
