use std::net::SocketAddr;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The way from one instance to Redis, which can be cut while others keep theirs.
pub struct Proxy {
    address: SocketAddr,
    open: watch::Sender<bool>,
}

impl Proxy {
    /// Leads to a `redis://` URL; open at first.
    pub async fn to(url: &str) -> Self {
        let upstream = url.strip_prefix("redis://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, is_open) = watch::channel(true);
        tokio::spawn(async move {
            // Ends when the channel does, with the proxy.
            while is_open.has_changed().is_ok() {
                let (client, _) = listener.accept().await.unwrap();
                if *is_open.borrow() {
                    tokio::spawn(lead(client, upstream.clone(), is_open.clone()));
                }
            }
        });
        Self { address, open }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Breaks every connection and takes no new one.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    pub fn mend(&self) {
        self.open.send_replace(true);
    }
}

async fn lead(mut client: TcpStream, upstream: String, mut is_open: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = is_open.wait_for(|open| !open) => {}
    }
}
