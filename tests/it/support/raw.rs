use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any timeout that a test sets for the service.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a client disconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnect {
    Fin,
    Rst,
}

/// A connection on which a test sends arbitrary bytes.
pub struct Raw(TcpStream);

impl Raw {
    pub async fn connect(url: &str) -> Self {
        let address = url.strip_prefix("http://").unwrap();
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Sends bytes. The service may have closed the connection already.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.0.write_all(bytes.as_ref()).await;
        self
    }

    /// Closes the sending side, and can still read.
    pub async fn close_own_side(&mut self) {
        let _ = self.0.shutdown().await;
    }

    /// Disconnects without reading: with a FIN or a RST.
    pub fn leave(self, how: Disconnect) {
        if how == Disconnect::Rst {
            self.0.set_zero_linger().unwrap();
        }
    }

    /// Returns everything that is received until the service closes the connection.
    pub async fn rest(&mut self) -> String {
        let mut answer = Vec::new();
        // A reset after the answer is one way to close.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut answer))
            .await
            .expect("it is closed");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends bytes as long as the service accepts them. Returns how many it accepted before it accepted none for some time.
    pub async fn say_while_taken(&mut self, bytes: impl AsRef<[u8]>) -> usize {
        let (bytes, mut taken) = (bytes.as_ref(), 0);
        while taken < bytes.len() {
            match timeout(Duration::from_millis(500), self.0.write(&bytes[taken..])).await {
                Ok(Ok(count)) if count > 0 => taken += count,
                _ => break,
            }
        }
        taken
    }

    /// Receives one byte; none if the service has closed the connection.
    pub async fn one_byte(&mut self) -> Option<u8> {
        let byte = timeout(PATIENCE, self.0.read_u8()).await;
        byte.expect("something is received, or it is closed").ok()
    }

    /// Receives some bytes; nothing once the service has closed the connection.
    pub async fn read_piece(&mut self, most: usize) -> Vec<u8> {
        let mut piece = vec![0; most];
        let read = timeout(PATIENCE, self.0.read(&mut piece)).await;
        piece.truncate(read.expect("something is received, or it is closed").unwrap_or(0));
        piece
    }

    /// Reads until a text was received this many times. Returns how often it was, if the service closes the connection earlier.
    pub async fn count(&mut self, text: &str, most: usize) -> usize {
        let (mut counted, mut tail, mut buffer) = (0, Vec::new(), vec![0; 64 * 1024]);
        while counted < most {
            let read = timeout(PATIENCE, self.0.read(&mut buffer)).await;
            match read.expect("it answers") {
                Ok(read) if read > 0 => tail.extend_from_slice(&buffer[..read]),
                _ => break,
            }
            while let Some(at) = tail.windows(text.len()).position(|window| window == text.as_bytes()) {
                tail.drain(..at + text.len());
                counted += 1;
            }
            let kept = tail.len().min(text.len() - 1);
            tail.drain(..tail.len() - kept);
        }
        counted
    }

    /// Returns what was received so far, if anything.
    pub async fn answered(&mut self) -> Option<String> {
        let mut answer = vec![0; 4096];
        let read = timeout(Duration::from_millis(1), self.0.read(&mut answer)).await.ok()?;
        Some(String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).into_owned())
    }

    /// Returns the head of the next response, and drops what was received of its body.
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
