//! Redis's clock is set back by an hour.
//!
//! The tests do not change a clock. Moving all stored times an hour ahead has the same effect.

use super::SOON;
use crate::support::{Redis, Scene, Service, eventually, now_ms, send};
use fleetpulse::ids::Id;
use redis::{Cmd, cmd};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

const HOUR_MS: i64 = 3_600_000;

async fn call(service: &Service, method: Method, path: &str, body: Value) -> (u16, Value) {
    let answer = send(service.drivers().request(method, path).json(&body)).await;
    (answer.status, answer.body)
}

async fn post(service: &Service, path: &str, body: Value) -> (u16, Value) {
    call(service, Method::POST, path, body).await
}

fn id(id: &str) -> Id {
    Id::parse(id).unwrap()
}

/// Runs a Lua script with keys. Its argument is an hour.
async fn eval(scene: &Scene<impl AsRef<Redis>>, source: &str, keys: &[String]) {
    let mut eval = cmd("EVAL");
    eval.arg(source)
        .arg(keys.len())
        .arg(keys)
        .arg(HOUR_MS)
        .arg(now_ms() + HOUR_MS);
    let _: () = scene.redis.as_ref().query(&eval).await;
}

async fn query<T: redis::FromRedisValue>(scene: &Scene<Arc<Redis>>, cmd: &mut Cmd) -> T {
    scene.redis.query(cmd).await
}

#[actix_web::test]
async fn a_lock_is_held_for_no_longer_than_it_was_granted_or_renewed_for() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let ahead = async |name: &str| {
        let mut ahead = cmd("HINCRBY");
        ahead.arg(scene.keys().lock(&id(name))).arg("until_ms").arg(HOUR_MS);
        query::<i64>(&scene, &mut ahead).await;
    };
    let waiting = json!({"ttl_ms": 1_000, "wait_ms": 15_000});
    assert_eq!(
        post(&service, "/v1/locks/granted", json!({"ttl_ms": 2_000})).await.0,
        201
    );
    ahead("granted").await;
    assert_eq!(post(&service, "/v1/locks/granted", waiting).await.0, 201);

    // A lock that was renewed for longer than it was granted for keeps that time.
    let (_, grant) = post(&service, "/v1/locks/renewed", json!({"ttl_ms": 1_000})).await;
    let renewal = json!({"token": grant["token"], "ttl_ms": 600_000});
    assert_eq!(post(&service, "/v1/locks/renewed/renew", renewal).await.0, 200);
    ahead("renewed").await;
    assert_eq!(
        post(&service, "/v1/locks/renewed", json!({"ttl_ms": 1_000})).await.0,
        409
    );
    let mut until = cmd("HGET");
    until.arg(scene.keys().lock(&id("renewed"))).arg("until_ms");
    let until: i64 = query(&scene, &mut until).await;
    let left = until - now_ms();
    assert!((500_000..=600_000).contains(&left), "{left}");
}

#[actix_web::test]
async fn a_session_lasts_no_longer_than_its_idle_time() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let (_, session) = post(&service, "/v1/sessions", json!({"subject": "anna", "idle_ttl_s": 60})).await;
    let keys = scene.stored("session:").await;
    let shift = "for _, field in ipairs({'seen', 'ends', 'absolute'}) do redis.call('HINCRBY', KEYS[1], field, ARGV[1]) end \
                 redis.call('HINCRBY', KEYS[1], 'born', ARGV[1] * 1000) \
                 redis.call('PEXPIREAT', KEYS[1], redis.call('HGET', KEYS[1], 'ends'))";
    eval(&scene, shift, &keys).await;
    let validation = service.drivers().request(Method::GET, "/v1/sessions/current");
    let valid = send(validation.bearer_auth(session["token"].as_str().unwrap())).await;
    assert_eq!(valid.status, 200, "{valid:?}");
    let left: i64 = query(&scene, cmd("PTTL").arg(&keys[0])).await;
    assert!((1..=60_000).contains(&left), "{left}");
}

#[actix_web::test]
async fn cached_values_are_not_fresh_for_longer_and_new_values_are_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let put = json!({"value": 1, "ttl_s": 5});
    assert_eq!(call(&service, Method::PUT, "/v1/cache/n/old", put.clone()).await.0, 204);
    let keys = scene.keys();
    let (entry, version) = (
        keys.cache_entry(&id("n"), "old").name,
        keys.cache_namespace(&id("n")).name,
    );
    // The creation time and the end of freshness of an entry; the time by which its namespace is outdated.
    let shift = "local function ahead(key, at) \
                   local ms = struct.unpack('>I8', redis.call('GETRANGE', key, at, at + 7)) \
                   redis.call('SETRANGE', key, at, struct.pack('>I8', ms + ARGV[1])) \
                 end \
                 ahead(KEYS[1], 16) ahead(KEYS[1], 24) \
                 redis.call('SETRANGE', KEYS[2], 16, struct.pack('>I8', ARGV[2]))";
    eval(&scene, shift, &[entry, version]).await;
    assert_eq!(service.drivers().get("/v1/cache/n/old").await.status, 404);
    assert_eq!(call(&service, Method::PUT, "/v1/cache/n/new", put).await.0, 204);
    assert_eq!(service.drivers().get("/v1/cache/n/new").await.body["value"], 1);
}

#[actix_web::test]
async fn a_hold_expires_after_its_duration() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let item = json!({"quantity": 1});
    assert_eq!(call(&service, Method::PUT, "/v1/inventory/seat", item).await.0, 201);
    let hold = json!({"quantity": 1, "ttl_s": 2});
    let (status, held) = post(&service, "/v1/inventory/seat/reservations", hold).await;
    assert_eq!(status, 201, "{held}");
    let keys = scene.keys();
    let shift = "for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do \
                   local text = redis.call('HGET', KEYS[1], id) \
                   local state, created, expires, rest = string.match(text, '^(%a) (%d+) (%d+) (.+)$') \
                   local text = string.format('%s %d %d ', state, created + ARGV[1], expires + ARGV[1]) .. rest \
                   redis.call('HSET', KEYS[1], id, text) \
                   redis.call('ZINCRBY', KEYS[2], ARGV[1], id) \
                 end \
                 redis.call('SET', KEYS[3], string.format('%d -', ARGV[2]))";
    let p = fleetpulse::store::Keys::inventory_partition("seat");
    let moved = [
        keys.inventory_reservations(p),
        keys.inventory_due(p),
        keys.inventory_clock(p),
    ];
    eval(&scene, shift, &moved).await;
    let api = service.drivers();
    eventually(SOON, "its stock is back", async || {
        (api.get("/v1/inventory/seat").await.body["available"] == 1).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn jobs_and_schedules_do_not_wait_until_the_clock_catches_up() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let queue = "/v1/queues/q";
    let leased = json!({"type": "leased", "max_attempts": 5});
    assert_eq!(post(&service, &format!("{queue}/jobs"), leased).await.0, 201);
    let taken = post(&service, &format!("{queue}/lease"), json!({"lease_ms": 3_000})).await;
    assert_eq!(taken.1["jobs"].as_array().unwrap().len(), 1);
    let unique = json!({"type": "delayed", "delay_ms": 3_000, "unique_key": "k", "unique_for_ms": 4_000});
    assert_eq!(post(&service, &format!("{queue}/jobs"), unique.clone()).await.0, 201);
    let schedule = json!({"every_ms": 3_000, "job": {"type": "fired"}});
    let set = call(&service, Method::PUT, &format!("{queue}/schedules/s"), schedule).await;
    assert!(set.0 < 300, "{set:?}");
    let shift = "local function later(text, at) \
                   local ms = tonumber(string.sub(text, at, at + 12)) \
                   if ms == 0 then return text end \
                   return string.sub(text, 1, at - 1) .. string.format('%013d', ms + ARGV[1]) .. string.sub(text, at + 13) \
                 end \
                 for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do \
                   local spec = later(redis.call('HGET', KEYS[2], id), 10) \
                   local _, at = string.find(spec, '^%d+ %d+ ', 24) \
                   redis.call('HSET', KEYS[2], id, later(spec, at + 1)) \
                   local run = redis.call('HGET', KEYS[3], id) \
                   if run then \
                     run = later(run, 19) \
                     if string.sub(run, 1, 1) == 'w' then run = later(run, 44) end \
                     redis.call('HSET', KEYS[3], id, run) \
                   end \
                 end \
                 for _, key in ipairs({KEYS[4], KEYS[5], KEYS[10], KEYS[13]}) do \
                   for _, name in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', '(+inf')) do redis.call('ZINCRBY', key, ARGV[1], name) end \
                 end \
                 local ends, holder = string.match(redis.call('HGET', KEYS[9], 'k'), '^(%d+) (.+)$') \
                 redis.call('HSET', KEYS[9], 'k', string.format('%d ', ends + ARGV[1]) .. holder) \
                 local what = later(redis.call('HGET', KEYS[12], 's'), 1) \
                 what = string.gsub(what, '\"start_ms\":(%d+)', function(ms) return string.format('\"start_ms\":%d', ms + ARGV[1]) end) \
                 redis.call('HSET', KEYS[12], 's', what) \
                 redis.call('HSET', KEYS[1], 'clock', ARGV[2])";
    eval(&scene, shift, &scene.keys().queue(&id("q"), 3)).await;
    let api = service.drivers();
    eventually(
        SOON,
        "all that was due is ready, and the schedule has fired",
        async || {
            let ready = api.get(&format!("{queue}/jobs?state=ready")).await.body.to_string();
            let is_there = |kind: &str| ready.contains(&format!("\"{kind}\""));
            ["leased", "delayed", "fired"]
                .iter()
                .all(|kind| is_there(kind))
                .then_some(())
        },
    )
    .await;
    eventually(SOON, "the unique key is free again", async || {
        let added = post(&service, &format!("{queue}/jobs"), unique.clone()).await;
        (added.1["jobs"][0]["outcome"] == "created").then_some(())
    })
    .await;
}
