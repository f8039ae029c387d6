//! The means themselves: stories that trust them are worth no more than they are.

use super::{Redis, Scene};
use redis::cmd;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

#[actix_web::test]
async fn a_killed_redis_comes_back_with_what_it_acknowledged() {
    let mut redis = Redis::durable().await;
    let url = redis.url();
    redis.query::<()>(cmd("SET").arg("word").arg("kept")).await;
    redis.kill();
    redis.restart().await;
    assert_eq!(redis.url(), url);
    assert_eq!(redis.query::<String>(cmd("GET").arg("word")).await, "kept");
}

#[actix_web::test]
async fn a_frozen_redis_is_silent_until_it_goes_on() {
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
async fn the_binary_runs_and_ends_as_it_is_told() {
    let scene = Scene::new().await;
    let killed = scene.start_process().await;
    killed
        .drivers()
        .place("d-1", json!({"lat": 40.7484, "lon": -73.9857}))
        .await;
    killed.kill().await;

    let told = scene.start_process().await;
    assert!(told.url().starts_with("http://127.0.0.1:"), "{}", told.url());
    assert_eq!(told.api("drivers").position("d-1").await.status, 200);
    assert!(told.terminate().await.success());
}
