//! Idle connections that the peer closes.

use super::SOON;
use crate::support::{Api, Proxy, Redis, Scene, Service, eventually, send};
use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};

/// Longer than a short-lived connection lasts, and than the time after which Redis closes idle connections in these tests.
const OLD_S: u64 = 3;

/// Returns the number that a line of `CLIENT LIST` has under a name.
fn number(client: &str, name: &str) -> u64 {
    let field = client
        .split(' ')
        .find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    field.unwrap().parse().unwrap()
}

/// Waits until the service's connections for commands are old.
async fn are_old(redis: &Redis, count: usize) {
    eventually(SOON, "its connections are old", async || {
        let mut list = cmd("CLIENT");
        let clients: String = redis.query(list.arg("LIST").arg("TYPE").arg("NORMAL")).await;
        let old = clients.lines().filter(|client| number(client, "age") >= OLD_S).count();
        (old >= count).then_some(())
    })
    .await;
}

async fn post(api: &Api, path: &str, body: Value) -> (u16, Value) {
    let answer = send(api.request(Method::POST, path).json(&body)).await;
    (answer.status, answer.body)
}

/// Makes calls that write. Each must be carried out at the first attempt.
async fn all_are_carried_out(api: &Api, name: &str) {
    let check = json!({"policy": "closed", "key": name});
    let job = json!({"type": "t"});
    let session = json!({"subject": name});
    let (lock, jobs) = (format!("/v1/locks/{name}"), format!("/v1/queues/{name}/jobs"));
    let (checked, locked, added, opened, placed) = tokio::join!(
        post(api, "/v1/limits/check", check),
        post(api, &lock, json!({"ttl_ms": 1_000})),
        post(api, &jobs, job),
        post(api, "/v1/sessions", session),
        api.post_fix(name, json!({"lat": 1, "lon": 1})),
    );
    assert_eq!((checked.0, &checked.1["allowed"]), (200, &true.into()), "{checked:?}");
    assert_eq!(
        (locked.0, added.0, opened.0),
        (201, 201, 201),
        "{locked:?} {added:?} {opened:?}"
    );
    assert_eq!(placed.status, 204, "{placed:?}");
}

const FLAGS: [&str; 2] = ["--workers=1", "--limits=closed=gcra:10/1h,fail=closed"];

#[actix_web::test]
async fn idle_connections_are_kept_alive() {
    let scene = Scene::on(Redis::forgetful().await).with(&FLAGS);
    let mut timeout = cmd("CONFIG");
    let _: () = scene.redis.query(timeout.arg("SET").arg("timeout").arg(1)).await;
    let service = scene.start().await;
    // One of the worker, one of everything else. Without pings Redis would have closed them after a second.
    are_old(&scene.redis, 2).await;
    all_are_carried_out(&service.drivers(), "first").await;
}

#[actix_web::test]
async fn an_idle_connection_that_was_closed_does_not_fail_the_next_call() {
    let scene = Scene::on(Redis::forgetful().await).with(&FLAGS);
    let proxy = Proxy::to(&scene.redis.url()).await;
    let mut args = scene.args();
    args.push(format!("--redis-url={}", proxy.url()));
    let service = Service::start(&args).await;
    for round in ["first", "second"] {
        are_old(&scene.redis, 2).await;
        proxy.close_all().await;
        all_are_carried_out(&service.drivers(), round).await;
    }
}
