//! Random faults of three instances and their Redis: after each recovery all agree on positions, removals and profiles. The test runs
//! for some seconds, or for `SOAK_SECONDS`.

use super::NOTICE;
use crate::support::{Api, Proxy, Redis, Scene, Service, eventually, now_ms, try_send};
use fleetpulse::ids::Id;
use fleetpulse::kind::Kind;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redis::{Cmd, cmd};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::env;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const INSTANCES: usize = 3;
const ENTITIES: usize = 10;
const SENDERS: u64 = 4;
/// Longer than any recovery takes on a busy machine.
const AGREED_WITHIN: Duration = Duration::from_secs(40);

/// The faults that occur while clients send requests.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    Cut,
    CutAll,
    Freeze,
    Kill,
    Emptied,
    Flushed,
    OlderFile,
    LostSubscriptions,
}

const FAULTS: [Fault; 9] = [
    Fault::None,
    Fault::Cut,
    Fault::CutAll,
    Fault::Freeze,
    Fault::Kill,
    Fault::Emptied,
    Fault::Flushed,
    Fault::OlderFile,
    Fault::LostSubscriptions,
];

struct Storm {
    scene: Scene<Redis>,
    proxies: Vec<Proxy>,
    instances: Vec<Service>,
    rng: StdRng,
}

fn entity(n: usize) -> String {
    format!("d-{n}")
}

/// Returns a random request about an entity, with times that are late, equal or ahead.
fn request(rng: &mut StdRng, api: &Api) -> reqwest::RequestBuilder {
    let id = entity(rng.random_range(0..ENTITIES));
    let word = |rng: &mut StdRng| format!("w{}", rng.random_range(0..1_000));
    let mut members = Map::new();
    for name in ["status", "vehicle_type"] {
        if rng.random_ratio(1, 3) {
            members.insert(name.to_owned(), json!(word(rng)));
        }
    }
    if rng.random_ratio(1, 3) {
        members.insert("capacity".to_owned(), json!(rng.random_range(0..9)));
    }
    if rng.random_ratio(1, 3) {
        let name = format!("a{}", rng.random_range(0..4));
        members.insert("attributes".to_owned(), json!({ name: word(rng) }));
    }
    match rng.random_range(0..10) {
        0 => api.request(Method::DELETE, &format!("/v1/drivers/{id}/position")),
        1 => api.request(Method::DELETE, &format!("/v1/drivers/{id}")),
        2 => api.request(Method::PUT, &format!("/v1/drivers/{id}")).json(&members),
        3 | 4 => {
            if rng.random_ratio(1, 2) {
                members.insert("status".to_owned(), Value::Null);
            }
            api.request(Method::PATCH, &format!("/v1/drivers/{id}")).json(&members)
        }
        _ => {
            // Times are rounded, so that several requests have the same time.
            let at = now_ms() / 50 * 50 + rng.random_range(-20..4) * 50;
            members.insert("lat".to_owned(), json!(rng.random_range(-80.0..80.0)));
            members.insert("lon".to_owned(), json!(1));
            members.insert("timestamp".to_owned(), json!(at));
            api.request(Method::POST, &format!("/v1/drivers/{id}/position"))
                .json(&members)
        }
    }
}

/// Sends `count` requests to all instances in turn. Returns the status of each.
async fn send(seed: u64, apis: &[Api], count: usize) {
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..count {
        let api = &apis[rng.random_range(0..apis.len())];
        let answer = try_send(request(&mut rng, api)).await.unwrap();
        assert!([200, 202, 204, 503].contains(&answer.status), "{answer:?}");
    }
}

impl Storm {
    async fn begin(seed: u64) -> Self {
        let scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
        let (mut proxies, mut instances) = (Vec::new(), Vec::new());
        for _ in 0..INSTANCES {
            let proxy = Proxy::to(&scene.redis.url()).await;
            let mut args = scene.args();
            args.push(format!("--redis-url={}", proxy.url()));
            instances.push(Service::start(&args).await);
            proxies.push(proxy);
        }
        Self {
            scene,
            proxies,
            instances,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    fn apis(&self) -> Vec<Api> {
        self.instances.iter().map(Service::drivers).collect()
    }

    /// Sends requests to all instances while a fault begins and ends.
    async fn round(&mut self, fault: Fault) {
        let apis = self.apis();
        let seeds: Vec<u64> = (0..SENDERS).map(|_| self.rng.random()).collect();
        let sending = join_all(seeds.iter().map(|seed| send(*seed, &apis, 60)));
        let happening = async {
            sleep(Duration::from_millis(self.rng.random_range(0..100))).await;
            happen(fault, &mut self.scene, &self.proxies, &mut self.rng).await;
        };
        tokio::join!(sending, happening);
        self.proxies.iter().for_each(Proxy::mend);
    }

    async fn query<T: redis::FromRedisValue>(&self, cmd: &Cmd) -> T {
        self.scene.redis.query(cmd).await
    }

    /// Returns what Redis has of an entity: its position, if there is one, and its profile.
    async fn truth(&self, id: &str) -> (Option<Value>, Value) {
        let snapshot: Option<String> = self.query(cmd("GET").arg(self.scene.snapshot(Kind::Drivers, id))).await;
        let snapshot = snapshot.map(|json| serde_json::from_str::<Value>(&json).unwrap());
        let key = self.scene.keys().profile(Kind::Drivers, 0, &Id::parse(id).unwrap());
        let hash: Map<String, Value> = {
            let hash: std::collections::BTreeMap<String, String> = self.query(cmd("HGETALL").arg(key)).await;
            let visible = hash.into_iter().filter(|(name, _)| {
                ["status", "vehicle_type", "capacity"].contains(&name.as_str()) || name.starts_with("a:")
            });
            visible.map(|(name, value)| (name, json!(value))).collect()
        };
        let place = snapshot.filter(|snapshot| snapshot["deleted"] != true);
        (place, Value::Object(hash))
    }

    /// Waits until every instance and Redis agree on every entity.
    async fn agrees(&self, what: &str) {
        for id in (0..ENTITIES).map(entity) {
            for (n, api) in self.apis().iter().enumerate() {
                let mut seen = String::new();
                let agreed = tokio::time::timeout(
                    AGREED_WITHIN,
                    eventually(2 * AGREED_WITHIN, "", async || {
                        let (place, profile) = self.truth(&id).await;
                        let shown = api.position(&id).await;
                        seen = format!("Redis {place:?} {profile}, instance {}", shown.body);
                        let is_same = match &place {
                            None => shown.status == 404,
                            Some(place) => shown.body["lat"] == place["lat"] && shown_profile(&shown.body) == profile,
                        };
                        is_same.then_some(())
                    }),
                );
                assert!(agreed.await.is_ok(), "{what}: {id} at instance {n}: {seen}");
            }
        }
    }
}

/// Returns the profile that an answer shows, in the form of Redis's hash.
fn shown_profile(body: &Value) -> Value {
    let mut fields = Map::new();
    for name in ["status", "vehicle_type"] {
        if let Some(word) = body[name].as_str() {
            fields.insert(name.to_owned(), json!(word));
        }
    }
    if let Some(capacity) = body["capacity"].as_u64() {
        fields.insert("capacity".to_owned(), json!(capacity.to_string()));
    }
    for (name, value) in body["attributes"].as_object().into_iter().flatten() {
        fields.insert(format!("a:{name}"), json!(value.to_string()));
    }
    Value::Object(fields)
}

async fn happen(fault: Fault, scene: &mut Scene<Redis>, proxies: &[Proxy], rng: &mut StdRng) {
    let a_while = Duration::from_millis(rng.random_range(100..700));
    match fault {
        Fault::None => {}
        Fault::Cut => {
            let proxy = &proxies[rng.random_range(0..proxies.len())];
            proxy.cut();
            sleep(a_while).await;
            proxy.mend();
        }
        Fault::CutAll => {
            proxies.iter().for_each(Proxy::cut);
            sleep(a_while).await;
            proxies.iter().for_each(Proxy::mend);
        }
        Fault::Freeze => {
            scene.redis.freeze();
            sleep(a_while).await;
            scene.redis.thaw();
        }
        Fault::Kill => {
            scene.redis.kill();
            sleep(a_while).await;
            scene.redis.restart().await;
        }
        Fault::Emptied => {
            let _: String = scene.redis.query(&cmd("FLUSHALL")).await;
            scene.redis.kill();
            sleep(a_while).await;
            scene.redis.restart().await;
        }
        Fault::Flushed => {
            let _: String = scene.redis.query(&cmd("FLUSHALL")).await;
        }
        Fault::OlderFile => older_file(scene, a_while).await,
        Fault::LostSubscriptions => lose_subscriptions(scene).await,
    }
}

async fn lose_subscriptions(scene: &Scene<Redis>) {
    let _: u64 = scene
        .redis
        .query(cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub"))
        .await;
}

/// Restarts Redis with an older copy of its file.
async fn older_file(scene: &Scene<Redis>, age: Duration) {
    let mut kept = Vec::new();
    for key in scene.stored("").await {
        let dump: Option<Vec<u8>> = scene.redis.query(cmd("DUMP").arg(&key)).await;
        let ends: i64 = scene.redis.query(cmd("PEXPIRETIME").arg(&key)).await;
        kept.extend(dump.map(|dump| (key, dump, ends.max(0))));
    }
    sleep(age).await;
    let _: String = scene.redis.query(&cmd("FLUSHALL")).await;
    for (key, dump, ends) in kept {
        let mut restore = cmd("RESTORE");
        restore.arg(key).arg(ends).arg(dump).arg("REPLACE").arg("ABSTTL");
        let _: String = scene.redis.query(&restore).await;
    }
    // A server that has read an older file has a `run_id` of its own; this one keeps its own, and is another one by this key.
    let _: u64 = scene.redis.query(cmd("DEL").arg(scene.keys().life())).await;
    lose_subscriptions(scene).await;
}

#[actix_web::test]
async fn all_instances_converge_after_every_repair() {
    let seed: u64 = rand::random();
    let seconds = env::var("SOAK_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(12);
    let ends = Instant::now() + Duration::from_secs(seconds);
    let mut storm = Storm::begin(seed).await;
    let mut rounds = 0;
    while Instant::now() < ends || rounds < FAULTS.len() {
        // Each fault once, then in random order.
        let fault = FAULTS
            .get(rounds)
            .copied()
            .unwrap_or(FAULTS[storm.rng.random_range(0..FAULTS.len())]);
        storm.round(fault).await;
        storm.agrees(&format!("seed {seed}, round {rounds}, {fault:?}")).await;
        rounds += 1;
    }
    // Data that answers do not show has to agree as well: removals, and profiles of entities without a position.
    let apis = storm.apis();
    let late = now_ms() - 60_000;
    for id in (0..ENTITIES).map(entity) {
        let fix = json!({"lat": 1, "lon": 1, "timestamp": late});
        apis[0].post_fix(&id, fix).await;
    }
    storm.agrees(&format!("seed {seed}, after late positions")).await;
    for id in (0..ENTITIES).map(entity) {
        let fix = json!({"lat": 2, "lon": 1, "timestamp": now_ms() + 1_000});
        apis[1].post_fix(&id, fix).await;
    }
    storm.agrees(&format!("seed {seed}, with all placed")).await;
    // An instance that starts now agrees as well.
    storm.instances.push(storm.scene.start().await);
    storm.agrees(&format!("seed {seed}, with a new instance")).await;
}
