use parking_lot::Mutex;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// The way from one instance to Redis, which can be cut while others keep theirs.
pub struct Proxy {
    address: SocketAddr,
    open: watch::Sender<bool>,
    /// Held by the connections that were opened since the last call of [`Self::close_all`].
    round: Arc<Mutex<watch::Sender<bool>>>,
}

impl Proxy {
    /// Leads to a `redis://` URL; open at first.
    pub async fn to(url: &str) -> Self {
        Self::far_from(url, Duration::ZERO).await
    }

    /// The same, and what is sent arrives so much later.
    pub async fn far_from(url: &str, latency: Duration) -> Self {
        let upstream = url.strip_prefix("redis://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, is_open) = watch::channel(true);
        let round = Arc::new(Mutex::new(watch::channel(true).0));
        let rounds = Arc::clone(&round);
        tokio::spawn(async move {
            // Ends when the channel does, with the proxy.
            while is_open.has_changed().is_ok() {
                let (client, _) = listener.accept().await.unwrap();
                if *is_open.borrow() {
                    let lasts = rounds.lock().subscribe();
                    tokio::spawn(lead(client, upstream.clone(), latency, is_open.clone(), lasts));
                }
            }
        });
        Self { address, open, round }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Breaks every connection and takes no new one.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Closes every connection, as a proxy does with idle ones, and accepts new ones. Returns when they are closed.
    pub async fn close_all(&self) {
        let round = mem::replace(&mut *self.round.lock(), watch::channel(true).0);
        round.send_replace(false);
        round.closed().await;
    }

    pub fn mend(&self) {
        self.open.send_replace(true);
    }
}

async fn lead(
    client: TcpStream,
    upstream: String,
    latency: Duration,
    mut is_open: watch::Receiver<bool>,
    // Dropped after the sockets, so that the end of all receivers is the end of all connections.
    mut lasts: watch::Receiver<bool>,
) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let ((mut asks, mut hears), (mut answers, mut is_asked)) = (client.into_split(), server.into_split());
    tokio::select! {
        _ = copy(&mut answers, &mut hears) => {}
        _ = late(&mut asks, &mut is_asked, latency) => {}
        _ = is_open.wait_for(|open| !open) => {}
        _ = lasts.wait_for(|lasts| !lasts) => {}
    }
}

async fn late(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, latency: Duration) -> io::Result<()> {
    if latency.is_zero() {
        return copy(from, to).await.map(drop);
    }
    let mut bytes = vec![0; 65_536];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        sleep(latency).await;
        to.write_all(&bytes[..read]).await?;
    }
}
