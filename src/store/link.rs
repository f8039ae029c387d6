use super::script::Script;
use super::{Store, StoreError};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, Value};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{SetOnce, watch};

/// The first pause between two attempts to connect; it doubles up to [`SLOWEST_RETRY`].
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(20);
const SLOWEST_RETRY: Duration = Duration::from_secs(1);
/// A connection that was of use for less did not end the search: a server that has been demoted takes connections and
/// answers a ping, and refuses what it is asked for.
const SHORT_LIVED: Duration = Duration::from_secs(1);

/// One multiplexed connection that is replaced when it breaks.
///
/// Every HTTP worker holds a link of its own, so that a command and its answer stay on one thread: a hop to another
/// thread costs more than the command. Without a connection a call fails at once with [`StoreError::Away`]; nothing is
/// queued for later here, because only the caller knows whether later makes sense.
#[derive(Debug, Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    store: Store,
    // A std-style mutex: held for a clone or a swap, never across an await.
    state: Mutex<State>,
    /// Set when the first attempt to connect has ended, well or not.
    tried: SetOnce<()>,
    up: watch::Sender<bool>,
}

struct State {
    connection: Option<MultiplexedConnection>,
    /// Counts connections, so that a late failure of an old one does not throw away the new one.
    generation: u64,
    /// When the last connection was made.
    since: Instant,
    /// What to wait before the next one if that one is short-lived.
    pause: Duration,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("up", &*self.up.borrow())
            .finish_non_exhaustive()
    }
}

impl Link {
    /// A link that begins to connect, in the background of the current runtime.
    #[must_use]
    pub fn open(store: &Store) -> Self {
        let (up, _) = watch::channel(false);
        let inner = Arc::new(Inner {
            store: store.clone(),
            state: Mutex::new(State {
                connection: None,
                generation: 0,
                since: Instant::now(),
                pause: FIRST_RETRY,
            }),
            tried: SetOnce::new(),
            up,
        });
        tokio::spawn(connect(Arc::downgrade(&inner), None));
        Self(inner)
    }

    /// The store that this link leads to.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Whether there is a connection right now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        *self.0.up.borrow()
    }

    /// Resolves when there is a connection.
    pub async fn connected(&self) {
        let mut up = self.0.up.subscribe();
        // The sender lives as long as `self`.
        let _ = up.wait_for(|up| *up).await;
    }

    /// Runs one command.
    pub async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, StoreError> {
        let (mut connection, generation) = self.current().await?;
        let answer = connection.send_packed_command(cmd).await.and_then(Value::extract_error);
        let value = self.judge(generation, answer)?;
        T::from_redis_value(value).map_err(|error| StoreError::Answer(error.to_string()))
    }

    /// Runs a pipeline, all of whose keys share a slot.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, StoreError> {
        let (mut connection, generation) = self.current().await?;
        let answer = pipeline.query_async(&mut connection).await;
        self.judge(generation, answer)
    }

    /// Runs a script; a server that does not know it yet is sent its source.
    pub async fn run<T: FromRedisValue>(&self, script: &Script, call: &Cmd) -> Result<T, StoreError> {
        if cfg!(debug_assertions) {
            super::script::assert_contract(script, call);
        }
        match self.query(call).await {
            Err(StoreError::Refused(error)) if is_unknown_script(&error) => self.query(&script.with_source(call)).await,
            answer => answer,
        }
    }

    /// The connection. Before the first attempt has ended nobody can say that Redis is away, so its end is waited for: a
    /// request that comes with the start of the service is not told so.
    async fn current(&self) -> Result<(MultiplexedConnection, u64), StoreError> {
        if !self.0.tried.initialized() {
            self.0.tried.wait().await;
        }
        let state = self.0.state.lock();
        state
            .connection
            .clone()
            .map(|connection| (connection, state.generation))
            .ok_or(StoreError::Away)
    }

    fn judge<T>(&self, generation: u64, answer: redis::RedisResult<T>) -> Result<T, StoreError> {
        answer.map_err(|error| {
            let error = StoreError::classify(error);
            if error.is_lost() {
                self.replace(generation, &error);
            }
            error
        })
    }

    /// Drops the connection of that generation and looks for a new one; not at once if it was short-lived.
    fn replace(&self, generation: u64, why: &StoreError) {
        let mut state = self.0.state.lock();
        if state.generation != generation || state.connection.take().is_none() {
            return;
        }
        let short_lived = state.since.elapsed() < SHORT_LIVED;
        let pause = short_lived.then_some(state.pause);
        state.pause = if short_lived { slower(state.pause) } else { FIRST_RETRY };
        drop(state);
        tracing::debug!(error = ?why, "a connection to Redis is replaced");
        self.0.up.send_replace(false);
        tokio::spawn(connect(Arc::downgrade(&self.0), pause));
    }
}

fn is_unknown_script(error: &redis::RedisError) -> bool {
    matches!(error.kind(), redis::ErrorKind::Server(redis::ServerErrorKind::NoScript))
}

pub(super) fn slower(pause: Duration) -> Duration {
    (pause * 2).min(SLOWEST_RETRY)
}

/// Jitter keeps the workers of many instances from knocking in step.
pub(super) async fn rest(pause: Duration) {
    tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
}

/// Connects, after a pause if one is given, and, until it has, tries again; ends when nobody holds the link any more.
async fn connect(link: Weak<Inner>, first: Option<Duration>) {
    if let Some(pause) = first {
        rest(pause).await;
    }
    let mut pause = first.map_or(FIRST_RETRY, slower);
    loop {
        let Some(store) = link.upgrade().map(|link| link.store.clone()) else {
            return;
        };
        let attempt = store.connect().await;
        let Some(link) = link.upgrade() else { return };
        match attempt {
            Ok(connection) => {
                let mut state = link.state.lock();
                state.connection = Some(connection);
                state.generation += 1;
                state.since = Instant::now();
                drop(state);
                link.up.send_replace(true);
                // A second attempt finds it set.
                let _ = link.tried.set(());
                return;
            }
            Err(error) => {
                tracing::debug!(?error, "Redis cannot be reached");
                let _ = link.tried.set(());
            }
        }
        drop(link);
        rest(pause).await;
        pause = slower(pause);
    }
}
