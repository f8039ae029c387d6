//! A connection that several threads use.

use crate::support::{Redis, Scene};
use fleetpulse::store::{Link, Store, StoreError};
use redis::cmd;
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

#[actix_web::test]
async fn a_connection_replaced_by_another_thread_survives_that_thread() {
    let scene = Scene::on(Redis::forgetful().await);
    let address = redis::IntoConnectionInfo::into_connection_info(scene.redis.url()).unwrap();
    let store = Store::new(address, scene.keys(), Duration::from_millis(100)).unwrap();
    let link = Link::open(&store);
    link.connected().await;

    scene.redis.freeze();
    let (lost, is_lost) = oneshot::channel();
    let (thawed, is_thawed) = oneshot::channel();
    let (theirs, mut get) = (link.clone(), cmd("GET"));
    get.arg("k");
    let other = thread::spawn(move || {
        Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async {
                let error = theirs.query::<Option<String>>(&get).await.unwrap_err();
                assert!(matches!(error, StoreError::Lost(_)), "{error:?}");
                lost.send(()).unwrap();
                is_thawed.await.unwrap();
                // If a link reconnected on the runtime that finds it broken, the other runtime would drive it.
                theirs.connected().await;
                let _: Option<String> = theirs.query(&get).await.unwrap();
            });
    });
    is_lost.await.unwrap();
    scene.redis.thaw();
    thawed.send(()).unwrap();
    link.connected().await;
    tokio::task::spawn_blocking(|| other.join().unwrap()).await.unwrap();

    // Its runtime has ended, with all its tasks.
    let mut set = cmd("SET");
    let _: () = link.query(set.arg("k").arg("v")).await.unwrap();
}
