use parking_lot::Mutex;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// A timeout that is longer than any expected event takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy between one instance and Redis, which can be interrupted without affecting other instances.
pub struct Proxy {
    address: SocketAddr,
    open: watch::Sender<bool>,
    /// Held by the connections that were opened since the last call of [`Self::close_all`].
    round: Arc<Mutex<watch::Sender<bool>>>,
    gate: Arc<watch::Sender<Gate>>,
    trouble: watch::Sender<Trouble>,
}

/// The fault of the proxy, for open and for new connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Nothing,
    /// Nothing arrives at either end, and no connection ends.
    BlackHole,
    /// A connection ends within the next answer.
    CutAnswers,
}

/// Connections that are delayed while the others are not.
#[derive(Default)]
struct Gate {
    /// How often connections were delayed.
    rounds: u64,
    /// Connections that were open then are delayed from the first occurrence of this text on; `None` if none is delayed.
    from: Option<String>,
    /// Commands are forwarded, and the replies are delayed.
    is_answered_late: bool,
    /// Connections that hold something are closed on the side of the instance.
    is_hung_up: bool,
    /// The number of connections that hold something.
    keeping: usize,
}

impl Gate {
    fn keeps(&self, born: u64, sent: &[u8]) -> bool {
        let has = |from: &String| sent.windows(from.len().max(1)).any(|piece| piece == from.as_bytes());
        born < self.rounds && self.from.as_ref().is_some_and(|from| from.is_empty() || has(from))
    }
}

impl Proxy {
    /// Starts a proxy to a `redis://` URL, without a fault.
    pub async fn to(url: &str) -> Self {
        Self::far_from(url, Duration::ZERO).await
    }

    /// Starts a proxy that delays everything by this time.
    pub async fn far_from(url: &str, latency: Duration) -> Self {
        let upstream = url.strip_prefix("redis://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, is_open) = watch::channel(true);
        let round = Arc::new(Mutex::new(watch::channel(true).0));
        let rounds = Arc::clone(&round);
        let gate = Arc::new(watch::channel(Gate::default()).0);
        let gates = Arc::clone(&gate);
        let (trouble, troubles) = watch::channel(Trouble::Nothing);
        tokio::spawn(async move {
            // Ends when the channel does, with the proxy.
            while is_open.has_changed().is_ok() {
                let (client, _) = listener.accept().await.unwrap();
                if *is_open.borrow() {
                    let lasts = rounds.lock().subscribe();
                    let late = (latency, Arc::clone(&gates));
                    let way = (is_open.clone(), troubles.clone());
                    tokio::spawn(lead(client, upstream.clone(), late, way, lasts));
                }
            }
        });
        Self {
            address,
            open,
            round,
            gate,
            trouble,
        }
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
        self.trouble.send_replace(Trouble::Nothing);
    }

    /// Applies a fault until [`Self::mend`].
    pub fn trouble(&self, trouble: Trouble) {
        self.trouble.send_replace(trouble);
    }

    /// Holds back what the currently open connections send, from the first occurrence of `from` on. Connections that are opened later are not
    /// delayed.
    pub fn keep_back(&self, from: &str) {
        self.make_late(from, false);
    }

    /// Does the same with the replies: Redis executes the commands.
    pub fn keep_answers_back(&self, from: &str) {
        self.make_late(from, true);
    }

    fn make_late(&self, from: &str, is_answered_late: bool) {
        self.gate.send_modify(|gate| {
            gate.rounds += 1;
            gate.from = Some(from.to_owned());
            gate.is_answered_late = is_answered_late;
            gate.is_hung_up = false;
        });
    }

    /// Closes the connections that hold something on the side of the instance. What they hold is still sent to Redis after [`Self::let_go`].
    pub fn hang_up(&self) {
        self.gate.send_modify(|gate| gate.is_hung_up = true);
    }

    /// Resolves when something is held back.
    pub async fn keeps_something(&self) {
        let mut gate = self.gate.subscribe();
        let kept = timeout(PATIENCE, gate.wait_for(|gate| gate.keeping > 0)).await;
        kept.expect("it is sent").unwrap();
    }

    /// Forwards what was held back. Returns when it has arrived, or its connection has ended.
    pub async fn let_go(&self) {
        self.gate.send_modify(|gate| gate.from = None);
        let mut gate = self.gate.subscribe();
        let arrived = timeout(PATIENCE, gate.wait_for(|gate| gate.keeping == 0)).await;
        arrived.expect("it arrives").unwrap();
    }
}

async fn lead(
    client: TcpStream,
    upstream: String,
    (latency, gate): (Duration, Arc<watch::Sender<Gate>>),
    (mut is_open, trouble): (watch::Receiver<bool>, watch::Receiver<Trouble>),
    // Dropped after the sockets, so that the end of all receivers is the end of all connections.
    mut lasts: watch::Receiver<bool>,
) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let ((mut asks, mut hears), (mut answers, mut is_asked)) = (client.into_split(), server.into_split());
    let (mute, keeps) = (AtomicBool::new(false), AtomicBool::new(false));
    tokio::select! {
        // What is held back when connections are cut is discarded.
        biased;
        _ = is_open.wait_for(|open| !open) => {}
        _ = lasts.wait_for(|lasts| !lasts) => {}
        _ = answering(&mut answers, &mut hears, &gate, (&mute, &keeps), trouble.clone()) => {}
        _ = late(&mut asks, &mut is_asked, latency, (&gate, &mute, &keeps), trouble) => {}
    }
}

/// Counted as long as a connection holds something back.
struct Keeping<'a>(&'a watch::Sender<Gate>);

impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|gate| gate.keeping -= 1);
    }
}

async fn late(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    latency: Duration,
    (gate, mute, keeps): (&watch::Sender<Gate>, &AtomicBool, &AtomicBool),
    mut trouble: watch::Receiver<Trouble>,
) -> io::Result<()> {
    let (born, mut changes) = (gate.borrow().rounds, gate.subscribe());
    let mut bytes = vec![0; 65_536];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        if !latency.is_zero() {
            sleep(latency).await;
        }
        if trouble
            .wait_for(|trouble| *trouble != Trouble::BlackHole)
            .await
            .is_err()
        {
            return Ok(());
        }
        let is_kept = gate.send_if_modified(|gate| {
            let is_kept = gate.keeps(born, &bytes[..read]);
            if is_kept && gate.is_answered_late {
                mute.store(true, Ordering::Relaxed);
                return false;
            }
            gate.keeping += usize::from(is_kept);
            is_kept
        });
        keeps.store(is_kept, Ordering::Relaxed);
        let _keeping = is_kept.then(|| Keeping(gate));
        if is_kept && changes.wait_for(|gate| gate.from.is_none()).await.is_err() {
            return Ok(());
        }
        to.write_all(&bytes[..read]).await?;
    }
}

async fn answering(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    gate: &watch::Sender<Gate>,
    (mute, keeps): (&AtomicBool, &AtomicBool),
    mut trouble: watch::Receiver<Trouble>,
) -> io::Result<()> {
    let (mut changes, mut hanging_up) = (gate.subscribe(), gate.subscribe());
    let mut bytes = vec![0; 65_536];
    let mut is_open = true;
    loop {
        let hung_up = async {
            let is_hung_up = |gate: &Gate| gate.is_hung_up && keeps.load(Ordering::Relaxed);
            hanging_up.wait_for(is_hung_up).await.is_ok()
        };
        let read = tokio::select! {
            read = from.read(&mut bytes) => Some(read?),
            _ = hung_up, if is_open => None,
        };
        let Some(read) = read else {
            is_open = false;
            to.shutdown().await?;
            continue;
        };
        if read == 0 {
            return Ok(());
        }
        let trouble = trouble.wait_for(|trouble| *trouble != Trouble::BlackHole);
        let Ok(trouble) = trouble.await.map(|now| *now) else {
            return Ok(());
        };
        if trouble == Trouble::CutAnswers {
            return to.write_all(&bytes[..read / 2]).await;
        }
        let is_kept = gate.send_if_modified(|gate| {
            let keeps = gate.from.is_some() && mute.load(Ordering::Relaxed);
            gate.keeping += usize::from(keeps);
            keeps
        });
        if is_kept {
            let _keeping = Keeping(gate);
            if changes.wait_for(|gate| gate.from.is_none()).await.is_err() {
                return Ok(());
            }
        }
        mute.store(false, Ordering::Relaxed);
        if is_open {
            to.write_all(&bytes[..read]).await?;
        }
    }
}
