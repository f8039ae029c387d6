use super::peer::Peer;
use super::phase::Phase;
use super::script::Script;
use super::{Store, StoreError};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Arg, Cmd, FromRedisValue, Pipeline, PushInfo, PushKind, Value};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// The first pause between two attempts to connect; it doubles up to [`SLOWEST_RETRY`].
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(20);
const SLOWEST_RETRY: Duration = Duration::from_secs(1);
/// A connection that worked for less time does not reset the pause: a demoted server accepts connections, answers pings, and refuses
/// commands.
const SHORT_LIVED: Duration = Duration::from_secs(1);
/// How often an unused connection is pinged. Redis closes a connection at the earliest after more than a second without traffic
/// (`timeout 1`); a connection is pinged at the latest two ticks after its last use.
const PING_IDLE: Duration = Duration::from_millis(500);

/// Commands that change nothing, so one whose reply was lost can be sent again. Scripts declare this in their header.
const READS: [&[u8]; 17] = [
    b"EXISTS",
    b"GEOSEARCH",
    b"GET",
    b"HGET",
    b"HGETALL",
    b"INFO",
    b"MGET",
    b"PING",
    b"PTTL",
    b"SCAN",
    b"SLOWLOG",
    b"TIME",
    b"TYPE",
    b"XRANGE",
    b"ZRANGE",
    b"ZREVRANGE",
    b"ZSCAN",
];

/// Commands for reports: the service works even if its Redis user may not run them.
const OPTIONAL: [&[u8]; 3] = [b"CONFIG", b"INFO", b"SLOWLOG"];

/// One multiplexed connection that is replaced when it breaks.
///
/// Every HTTP worker has its own link, so that a command and its reply stay on one thread: a hop to another thread costs more than the
/// command. Without a connection a call fails at once with [`StoreError::Unavailable`]. Nothing is queued here, because only the caller can
/// decide whether a later execution is useful.
///
/// Redis (`timeout`) and proxies close idle connections. The link notices this when the end arrives, not at the next call. Calls then
/// wait for the first attempt to reconnect before they send anything. Connections without traffic are pinged. A call whose connection
/// ends before the reply is repeated once if it only reads, or if it is a script that is repeatable. Any other call fails with
/// [`StoreError::Lost`], because Redis may have executed it.
///
/// A connection whose reply is late is abandoned, and Redis closes it before the next one is used. So a command on the old connection is
/// executed before that or never, and not after what its caller does next. The same applies to a connection that was closed: a proxy may
/// have closed it, and may still forward a command.
#[derive(Debug, Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    store: Store,
    /// The runtime on which the link was opened. Its connections are opened and driven there, whichever thread finds one broken: a
    /// thread that ends earlier must not close the connection.
    runtime: Handle,
    // Locked for a clone or a swap, never across an await.
    state: Mutex<State>,
    /// Changed only while the state is locked, so that the two agree.
    phase: watch::Sender<Phase>,
}

struct State {
    connection: Option<MultiplexedConnection>,
    /// The identity of that connection in Redis, if Redis reported it.
    peer: Option<Peer>,
    /// Abandoned connections that may still be open in Redis. Each attempt to connect adds at most one, and a successful attempt closes
    /// all.
    abandoned: Vec<Peer>,
    /// Counts attempts to connect, so that a late failure of an old connection does not drop the new one.
    generation: u64,
    /// When the last connection was made.
    since: Instant,
    /// The pause before the next connection is opened if the current one is short-lived.
    pause: Duration,
    /// Whether a call has used the connection since the last check of [`keep_alive`].
    used: bool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("phase", &*self.phase.borrow())
            .finish_non_exhaustive()
    }
}

impl Link {
    /// Creates a link that connects in the background, on the current runtime.
    #[must_use]
    pub fn open(store: &Store) -> Self {
        let (phase, _) = watch::channel(Phase::Connecting);
        let inner = Arc::new(Inner {
            store: store.clone(),
            runtime: Handle::current(),
            state: Mutex::new(State {
                connection: None,
                peer: None,
                abandoned: Vec::new(),
                generation: 0,
                since: Instant::now(),
                pause: FIRST_RETRY,
                used: false,
            }),
            phase,
        });
        inner.start_connecting(None);
        if store.is_configured() {
            store.add_link(inner.phase.subscribe());
            let link = Arc::downgrade(&inner);
            let task = move || keep_alive(Weak::clone(&link));
            store.supervisor().spawn_on(&inner.runtime, "redis.keep_alive", task);
        }
        Self(inner)
    }

    /// Returns the store of this link.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Returns whether there is a connection at the moment.
    #[must_use]
    pub fn is_up(&self) -> bool {
        *self.0.phase.borrow() == Phase::Up
    }

    /// Resolves when there is a connection.
    pub async fn connected(&self) {
        let mut phase = self.0.phase.subscribe();
        // The sender lives as long as `self`.
        let _ = phase.wait_for(|phase| *phase == Phase::Up).await;
    }

    /// Runs one command. Repeats it if its connection ended and the command only reads.
    pub async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, StoreError> {
        self.ask(cmd, || only_reads(cmd)).await
    }

    /// Returns the time of Redis, Unix milliseconds.
    pub async fn now_ms(&self) -> Result<i64, StoreError> {
        let (seconds, micros): (i64, i64) = self.query(&redis::cmd("TIME")).await?;
        Ok(seconds * 1_000 + micros / 1_000)
    }

    /// Runs a pipeline whose keys share a slot. Repeats it if its connection ended and all its commands only read.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, StoreError> {
        match self.send_all(pipeline).await {
            Err(error) if error.is_closed() && pipeline.cmd_iter().all(only_reads) => self
                .send_all(pipeline)
                .await
                .map_err(|again| unless_unknown(again, error)),
            answer => answer,
        }
    }

    /// Runs a script. A server that does not have it yet receives its source. The script is repeated if its connection ended and its
    /// header declares it repeatable.
    pub async fn run<T: FromRedisValue>(&self, script: &Script, call: &Cmd) -> Result<T, StoreError> {
        if cfg!(debug_assertions) {
            super::script::assert_contract(script, call);
        }
        match self.ask(call, || script.is_repeatable()).await {
            Err(StoreError::Refused(error)) if is_unknown_script(&error) => {
                let call = script.with_source(call);
                self.ask(&call, || script.is_repeatable()).await
            }
            answer => answer,
        }
    }

    async fn ask<T: FromRedisValue>(&self, cmd: &Cmd, is_repeatable: impl Fn() -> bool) -> Result<T, StoreError> {
        let value = match self.send(cmd).await {
            Err(error) if error.is_closed() && is_repeatable() => {
                self.send(cmd).await.map_err(|again| unless_unknown(again, error))?
            }
            Err(error) if error.is_lost() && !is_repeatable() => {
                // Its caller may undo it on another connection, or from another process.
                let _ = timeout(self.store().timeout(), self.old_one_closed(&error)).await;
                return Err(error);
            }
            answer => answer?,
        };
        T::from_redis_value(value).map_err(|error| StoreError::Answer(error.to_string()))
    }

    /// Resolves when no command of a lost connection can be executed any more. A proxy may have closed the connection and still hold the
    /// command. For a closed connection this also resolves when the first attempt to reconnect has failed, because Redis is probably
    /// unavailable.
    async fn old_one_closed(&self, lost: &StoreError) {
        if lost.is_late() {
            return self.connected().await;
        }
        let mut phase = self.0.phase.subscribe();
        // The sender lives as long as `self`.
        let _ = phase.wait_for(|phase| *phase != Phase::Connecting).await;
    }

    async fn send(&self, cmd: &Cmd) -> Result<Value, StoreError> {
        let (mut connection, generation) = self.current().await?;
        let answer = connection.send_packed_command(cmd).await.and_then(Value::extract_error);
        self.note_refusal(&answer, || is_optional(cmd));
        self.check(generation, answer)
    }

    async fn send_all<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, StoreError> {
        let (mut connection, generation) = self.current().await?;
        let answer = pipeline.query_async(&mut connection).await;
        self.note_refusal(&answer, || pipeline.cmd_iter().any(is_optional));
        self.check(generation, answer)
    }

    /// Records that Redis refused a command, for the health of the service.
    fn note_refusal<T>(&self, answer: &redis::RedisResult<T>, is_optional: impl Fn() -> bool) {
        if let Err(error) = answer
            && error.code().is_some()
            && !is_unknown_script(error)
            && !is_optional()
        {
            self.store().note_refusal(error);
        }
    }

    /// Returns the connection. While the first attempt to connect is in progress, waits for its end.
    async fn current(&self) -> Result<(MultiplexedConnection, u64), StoreError> {
        {
            let state = self.0.state.lock();
            if let Some(connection) = &state.connection
                && state.used
            {
                return Ok((connection.clone(), state.generation));
            }
        }
        // The end of an idle connection may have arrived and not been read yet. Before the runtime returns to this task it polls its
        // sockets and runs the connection's driver, which notices the end.
        yield_now().await;
        // The sender lives as long as `self`.
        let _ = self
            .0
            .phase
            .subscribe()
            .wait_for(|phase| *phase != Phase::Connecting)
            .await;
        let mut state = self.0.state.lock();
        state.used = true;
        let connection = state.connection.clone().ok_or(StoreError::Unavailable)?;
        Ok((connection, state.generation))
    }

    fn check<T>(&self, generation: u64, answer: redis::RedisResult<T>) -> Result<T, StoreError> {
        answer.map_err(|error| {
            let error = StoreError::classify(error);
            if error.is_lost() {
                tracing::debug!(?error, "a connection to Redis is replaced");
                self.replace(generation, error.is_closed());
            }
            error
        })
    }

    /// Drops the connection of that generation and opens a new one; after a pause if it was short-lived. If the peer closed it, and did
    /// not just fail to answer, a new one is likely to succeed soon, and calls wait for that attempt.
    fn replace(&self, generation: u64, was_closed: bool) {
        let mut state = self.0.state.lock();
        if state.generation != generation {
            return;
        }
        let Some(connection) = state.connection.take() else {
            return;
        };
        let short_lived = state.since.elapsed() < SHORT_LIVED;
        let pause = short_lived.then_some(state.pause);
        state.pause = if short_lived { slower(state.pause) } else { FIRST_RETRY };
        self.0.phase.send_replace(if was_closed && !short_lived {
            Phase::Connecting
        } else {
            Phase::Down
        });
        let peer = state.peer.take();
        state.abandoned.extend(peer);
        drop(state);
        drop(connection);
        self.0.start_connecting(pause);
    }
}

/// Returns the error of a call that was repeated and failed again: the first error, unless Redis does not have the script. The first
/// attempt may have been executed, whatever the second one returned.
fn unless_unknown(again: StoreError, first: StoreError) -> StoreError {
    match again {
        StoreError::Refused(error) if is_unknown_script(&error) => StoreError::Refused(error),
        _ => first,
    }
}

fn is_optional(cmd: &Cmd) -> bool {
    matches!(cmd.args_iter().next(), Some(Arg::Simple(name)) if OPTIONAL.contains(&name))
}

fn only_reads(cmd: &Cmd) -> bool {
    matches!(cmd.args_iter().next(), Some(Arg::Simple(name)) if READS.contains(&name))
}

fn is_unknown_script(error: &redis::RedisError) -> bool {
    matches!(error.kind(), redis::ErrorKind::Server(redis::ServerErrorKind::NoScript))
}

pub(super) fn slower(pause: Duration) -> Duration {
    (pause * 2).min(SLOWEST_RETRY)
}

/// Adds jitter, so that the workers of many instances do not connect at the same time.
pub(super) async fn rest(pause: Duration) {
    tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
}

/// Connects, after a pause if one is given, and retries until it succeeds or the link is no longer in use.
async fn connect(link: Weak<Inner>, first: Option<Duration>) {
    if let Some(pause) = first {
        rest(pause).await;
    }
    let mut pause = first.map_or(FIRST_RETRY, slower);
    loop {
        let Some((store, generation)) = link.upgrade().map(|link| (link.store.clone(), link.next_generation())) else {
            return;
        };
        let ended = Arc::new(AtomicBool::new(false));
        let abandoned = link.upgrade().map(|link| link.state.lock().abandoned.clone());
        let attempt = store
            .connect(notice_end(&link, generation, &ended), &abandoned.unwrap_or_default())
            .await;
        let Some(link_here) = link.upgrade() else { return };
        match attempt {
            Ok((connection, peer)) => {
                if link_here.take_up(connection, peer, &ended) {
                    return;
                }
                tracing::debug!("a connection to Redis was closed at once");
            }
            Err(error) => {
                tracing::debug!(?error, "Redis cannot be reached");
                store.note_unreachable(&error);
            }
        }
        link_here.phase.send_replace(Phase::Down);
        drop(link_here);
        rest(pause).await;
        pause = slower(pause);
    }
}

/// Returns the function that a connection's driver calls when it has read the end of the connection.
fn notice_end(
    link: &Weak<Inner>,
    generation: u64,
    ended: &Arc<AtomicBool>,
) -> impl Fn(PushInfo) -> Result<(), StoreError> + Send + Sync + 'static {
    let (link, ended) = (Weak::clone(link), Arc::clone(ended));
    move |push| {
        if push.kind == PushKind::Disconnection {
            ended.store(true, Ordering::Release);
            if let Some(link) = link.upgrade() {
                tracing::debug!("a connection to Redis was closed");
                Link(link).replace(generation, true);
            }
        }
        Ok(())
    }
}

impl Inner {
    /// Opens a connection in the background, after a pause if one is given.
    fn start_connecting(self: &Arc<Self>, first: Option<Duration>) {
        let link = Arc::downgrade(self);
        let task = move || connect(Weak::clone(&link), first);
        self.store
            .supervisor()
            .spawn_on(&self.runtime, "redis.connecting", task);
    }

    fn next_generation(&self) -> u64 {
        let mut state = self.state.lock();
        state.generation += 1;
        state.generation
    }

    /// Makes a connection the current one, unless it has ended already.
    fn take_up(&self, connection: MultiplexedConnection, peer: Option<Peer>, ended: &AtomicBool) -> bool {
        let mut state = self.state.lock();
        // The new connection has closed them.
        state.abandoned.clear();
        if ended.load(Ordering::Acquire) {
            return false;
        }
        state.connection = Some(connection);
        state.peer = peer;
        state.since = Instant::now();
        state.used = true;
        self.phase.send_replace(Phase::Up);
        true
    }

    /// Returns the connection if no call has used it since the last call of this function.
    fn idle(&self) -> Option<(MultiplexedConnection, u64)> {
        let mut state = self.state.lock();
        if mem::take(&mut state.used) {
            return None;
        }
        Some((state.connection.clone()?, state.generation))
    }
}

/// Pings the connection whenever no call uses it. So neither Redis nor a proxy closes it as idle, and a connection that was silently
/// dropped is detected before a caller needs it.
async fn keep_alive(link: Weak<Inner>) {
    let mut tick = interval(PING_IDLE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ping = redis::cmd("PING");
    loop {
        tick.tick().await;
        let Some(link) = link.upgrade().map(Link) else { return };
        if let Some((mut connection, generation)) = link.0.idle() {
            let answer = connection
                .send_packed_command(&ping)
                .await
                .and_then(Value::extract_error);
            // `check` handles an error.
            let _ = link.check(generation, answer);
        }
    }
}
