//! Tests of the helpers, on which all other tests rely.

use super::{Redis, Scene};
use redis::cmd;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

#[actix_web::test]
async fn a_killed_redis_restarts_with_all_acknowledged_data() {
    let mut redis = Redis::durable().await;
    let url = redis.url();
    redis.query::<()>(cmd("SET").arg("word").arg("kept")).await;
    redis.kill();
    redis.restart().await;
    assert_eq!(redis.url(), url);
    assert_eq!(redis.query::<String>(cmd("GET").arg("word")).await, "kept");
}

#[actix_web::test]
async fn a_frozen_redis_does_not_answer_until_it_resumes() {
    let redis = Redis::durable().await;
    let mut connection = redis.connect().await;
    redis.freeze();
    let ping = cmd("PING");
    let mut pong = Box::pin(ping.query_async::<String>(&mut connection));
    assert!(timeout(Duration::from_millis(100), &mut pong).await.is_err());
    redis.thaw();
    assert_eq!(pong.await.unwrap(), "PONG");
}

#[actix_web::test]
async fn the_binary_starts_and_stops() {
    let scene = Scene::new().await;
    let killed = scene.start_process().await;
    killed
        .drivers()
        .place("d-1", json!({"lat": 40.7484, "lon": -73.9857}))
        .await;
    killed.kill().await;

    let service = scene.start_process().await;
    assert!(service.url().starts_with("http://127.0.0.1:"), "{}", service.url());
    assert_eq!(service.api("drivers").position("d-1").await.status, 200);
    assert!(service.terminate().await.success());
}
