use super::{Disconnect, Proxy, Raw, Redis, Scene, Service};
use futures_util::future::join_all;
use rand::RngExt;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long the instance waits for a reply of Redis. Clients disconnect much earlier, so that none of them is answered before.
const REDIS_TIMEOUT_MS: u64 = 600;
/// The maximum delay of a connection to Redis.
const LATEST_MS: u64 = 2_500;
/// A timeout that is long enough for a slow machine.
const FEWEST_ROUNDS: usize = 6;

/// A POST whose client disconnects before the response.
#[derive(Debug, Clone)]
pub struct AbandonedPost {
    path: String,
    body: Value,
    bearer: Option<String>,
}

impl AbandonedPost {
    pub fn new(path: impl Into<String>, body: Value) -> Self {
        Self {
            path: path.into(),
            body,
            bearer: None,
        }
    }

    /// With a session's token.
    #[must_use]
    pub fn by(mut self, token: &str) -> Self {
        self.bearer = Some(token.to_owned());
        self
    }

    /// Sends it.
    pub async fn send(&self, service: &Service) -> Raw {
        let mut client = Raw::connect(&service.url()).await;
        let body = if self.body.is_null() {
            String::new()
        } else {
            self.body.to_string()
        };
        let bearer = self.bearer.as_ref();
        let bearer = bearer.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\n{bearer}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.path,
            body.len()
        );
        client.send(head + &body).await;
        client
    }
}

/// Clients that disconnect in the middle of their calls, with FIN and with RST, from an instance whose connections to Redis are sometimes
/// delayed, also by seconds. New connections, and those of other instances, are not delayed.
pub struct DisconnectingClients {
    proxy: Proxy,
    service: Service,
}

impl DisconnectingClients {
    /// Starts the instance in addition to the other instances of a scene.
    pub async fn beside(scene: &Scene<impl AsRef<Redis>>) -> Self {
        let proxy = Proxy::to(&scene.redis.as_ref().url()).await;
        let mut args = scene.args();
        args.extend([
            format!("--redis-url={}", proxy.url()),
            format!("--redis-timeout={REDIS_TIMEOUT_MS}"),
        ]);
        let service = Service::start(&args).await;
        Self { proxy, service }
    }

    /// The instance that they call, for other callers.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Sends calls in rounds for this duration. Their clients disconnect while the commands are in transit to Redis, so that none of them is
    /// answered. Returns how many disconnected.
    pub async fn storm(&self, lasting: Duration, calls: impl Fn(usize) -> Vec<AbandonedPost>) -> usize {
        let (until, mut left) = (Instant::now() + lasting, 0);
        for round in 0.. {
            if round >= FEWEST_ROUNDS && Instant::now() >= until {
                break;
            }
            self.proxy.keep_back("");
            let calls = calls(round);
            let clients = join_all(calls.iter().map(|call| call.send(&self.service))).await;
            self.proxy.keeps_something().await;
            for (n, client) in clients.into_iter().enumerate() {
                client.leave(if n % 2 == round % 2 {
                    Disconnect::Fin
                } else {
                    Disconnect::Rst
                });
                left += 1;
            }
            // Every third time for longer than the instance waits.
            let longest = if round % 3 == 0 { LATEST_MS } else { 50 };
            sleep(Duration::from_millis(rand::rng().random_range(0..longest))).await;
            self.proxy.let_go().await;
            sleep(Duration::from_millis(20)).await;
        }
        left
    }
}
