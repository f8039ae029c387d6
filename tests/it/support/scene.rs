use super::{Redis, Service, ServiceProcess};
use fleetpulse::ids::Id;
use fleetpulse::kind::Kind;
use fleetpulse::store::Keys;
use redis::cmd;
use std::sync::Arc;
use uuid::Uuid;

/// A Redis, a key prefix of its own and settings, which the instances of one test share.
pub struct Scene<R = Arc<Redis>> {
    pub redis: R,
    prefix: String,
    args: Vec<String>,
}

impl Scene {
    /// On the Redis that the tests of this process share.
    pub async fn new() -> Self {
        Self::on(Redis::shared().await)
    }
}

impl<R: AsRef<Redis>> Scene<R> {
    /// On a Redis of the test's own.
    pub fn on(redis: R) -> Self {
        Self {
            redis,
            prefix: format!("{}:", Uuid::new_v4().simple()),
            args: Vec::new(),
        }
    }

    /// Flags for every instance that is started from now on.
    #[must_use]
    pub fn with(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Starts an instance in this process.
    pub async fn start(&self) -> Service {
        Service::start(&self.args()).await
    }

    /// Starts the binary.
    pub async fn start_process(&self) -> ServiceProcess {
        ServiceProcess::start(&self.args()).await
    }

    /// The same without waiting until it is ready.
    pub async fn start_process_unready(&self) -> ServiceProcess {
        ServiceProcess::start_unready(&self.args()).await
    }

    /// The flags that every instance is started with.
    pub fn args(&self) -> Vec<String> {
        let mut args = vec![
            format!("--redis-url={}", self.redis.as_ref().url()),
            format!("--redis-key-prefix={}", self.prefix),
        ];
        args.extend_from_slice(&self.args);
        args
    }

    /// Returns the names of keys under the scene's prefix.
    pub fn keys(&self) -> Keys {
        Keys::new(&self.prefix, 1)
    }

    /// Returns every key in Redis whose name continues with `start` after the scene's prefix, in order.
    pub async fn stored(&self, start: &str) -> Vec<String> {
        let pattern = format!("{}{start}*", self.prefix);
        let mut keys: Vec<String> = self.redis.as_ref().query(cmd("KEYS").arg(pattern)).await;
        keys.sort_unstable();
        keys
    }

    /// Returns all keys that callers had stored: every key except those that a service creates by itself some time after its start.
    /// These are the list of queues in use with its own queue, the mark of the data, the probe of its health, and its own cached answers.
    pub async fn stored_for_callers(&self) -> Vec<String> {
        let keys = self.keys();
        let own = [keys.queues(), keys.cache_warming(), keys.life(), keys.probe()];
        let mut keys = self.stored("").await;
        keys.retain(|key| !own.contains(key) && !key.contains("responses"));
        keys
    }

    /// The GEO index of a kind.
    pub fn geo(&self, kind: Kind) -> String {
        self.keys().geo(kind, 0)
    }

    /// The snapshot of an entity.
    pub fn snapshot(&self, kind: Kind, id: &str) -> String {
        self.keys().snapshot(kind, 0, &Id::parse(id).unwrap())
    }
}

impl AsRef<Self> for Redis {
    fn as_ref(&self) -> &Self {
        self
    }
}
