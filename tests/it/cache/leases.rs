//! Leases: one instance computes for all, and a failed computation does not block the others.

use super::{MINUTE, SOON, embedded, embedded_at, get_or, id, minute};
use crate::support::{Redis, Scene, eventually};
use actix_web::rt;
use fleetpulse::cache::{Policy, Source};
use redis::cmd;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

#[actix_web::test]
async fn a_lease_of_a_failed_computation_is_released() {
    let scene = Scene::on(Redis::forgetful().await);
    let (namespace, key) = (id("n"), "k");
    let keys = scene.keys();
    let prefix = keys.cache_tag(&id("t")).name;
    let prefix = prefix.split_once("cache-version:").unwrap().0;
    // It may take leases and write entries, but versions it can only read: one half of its commands is refused.
    let mut user = cmd("ACL");
    user.arg(&["SETUSER", "half", "on", ">secret", "allcommands", "allchannels"])
        .arg(format!("%RW~{prefix}cache:*"))
        .arg(format!("%RW~{prefix}cache-lease:*"))
        .arg(format!("%R~{prefix}cache-version:*"));
    let () = scene.redis.query(&user).await;
    let url = scene.redis.url().replace("redis://", "redis://half:secret@");
    let (half, whole) = (embedded_at(&url, &scene).await, embedded(&scene).await);
    let policy = Policy::new(minute()).leased(MINUTE);
    // From now on Redis has the scripts, so that each half is one call.
    assert_eq!(get_or(&whole, "n", "other", &policy, 1).await, 1);
    // Computed, but not stored.
    assert_eq!(get_or(&half, "n", key, &policy, 1).await, 1);
    let lease = keys.cache_lease(&namespace, key).name;
    eventually(SOON, "its lease is released", async || {
        let there: bool = scene.redis.query(cmd("EXISTS").arg(&lease)).await;
        (!there).then_some(())
    })
    .await;
    let entry = keys.cache_entry(&namespace, key).name;
    let marked: bool = scene.redis.query(cmd("EXISTS").arg(entry)).await;
    assert!(marked, "it had been taken");
    assert_eq!(get_or(&whole, "n", key, &policy, 2).await, 2);
}

#[actix_web::test]
async fn a_value_computed_by_another_instance_is_marked() {
    let scene = Scene::new().await;
    let (here, there) = (embedded(&scene).await, embedded(&scene).await);
    let policy = Policy::new(minute()).leased(MINUTE);
    let (begun, gate) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let first = {
        let (policy, begun, gate) = (policy.clone(), Arc::clone(&begun), Arc::clone(&gate));
        rt::spawn(async move {
            let compute = move || async move {
                begun.store(true, Ordering::SeqCst);
                gate.notified().await;
                Ok::<_, Infallible>(1_u64)
            };
            there.get_or_compute(&id("n"), "k", &policy, compute).await.unwrap()
        })
    };
    let has_begun = async || begun.load(Ordering::SeqCst).then_some(());
    eventually(SOON, "it has begun there", has_begun).await;
    let waiting = {
        let here = here.clone();
        rt::spawn(async move {
            let compute = || async { Ok::<_, Infallible>(2_u64) };
            here.get_or_compute(&id("n"), "k", &policy, compute).await.unwrap()
        })
    };
    let waits = async || (here.shared().stats().computing == 1).then_some(());
    eventually(SOON, "it is waited for here", waits).await;
    gate.notify_one();
    assert_eq!(first.await.unwrap().source, Source::Computed);
    let waited = waiting.await.unwrap();
    assert_eq!((waited.value, waited.source), (1, Source::Joined));
    let stats = here.shared().stats().total;
    assert_eq!((stats.computed, stats.computations_saved), (0, 1));
}
