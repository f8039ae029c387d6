//! Instances that were disconnected from Redis agree with it, and with each other, after the connection is back.

use super::{NOTICE, SOON, becomes, here, here_at, is_taken};
use crate::support::{Api, Proxy, Redis, Scene, Service, answered, eventually, now_ms};
use fleetpulse::ids::Id;
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::{Value, json};

/// Starts two instances on one Redis, the first behind a proxy that can be cut.
async fn pair(scene: &Scene<impl AsRef<Redis>>) -> (Proxy, Service, Service) {
    let proxy = Proxy::to(&scene.redis.as_ref().url()).await;
    let mut args = scene.args();
    args.push(format!("--redis-url={}", proxy.url()));
    let cut_off = Service::start(&args).await;
    (proxy, cut_off, scene.start().await)
}

async fn is_gone(api: &Api, id: &str) {
    eventually(SOON, &format!("{id} is gone"), async || {
        (api.position(id).await.status == 404).then_some(())
    })
    .await;
}

async fn shows(api: &Api, id: &str, member: &str, value: impl Into<Value>) {
    let value = value.into();
    eventually(SOON, &format!("{id} shows {member} {value}"), async || {
        (api.position(id).await.body[member] == value).then_some(())
    })
    .await;
}

fn status_at(timestamp_ms: i64, status: &str) -> Value {
    let mut fix = here_at(timestamp_ms);
    fix["status"] = json!(status);
    fix
}

#[actix_web::test]
async fn removals_missed_during_a_disconnection_are_applied_afterwards() {
    let scene = Scene::new().await.with(&[NOTICE]);
    let (proxy, a, b) = pair(&scene).await;
    let (a, b) = (a.drivers(), b.drivers());
    let ids: Vec<String> = (0..20).map(|n| format!("d-{n}")).collect();
    let at = now_ms();
    for id in &ids {
        b.place(id, here_at(at - 2_000)).await;
    }
    proxy.cut();
    becomes(&a, "degraded").await;
    for id in &ids {
        assert_eq!(a.post_fix(id, here_at(at - 1_000)).await.status, 202);
        assert_eq!(b.forget(id).await.status, 204);
    }
    proxy.mend();
    becomes(&a, "ok").await;
    for id in &ids {
        is_gone(&a, id).await;
        assert_eq!(b.position(id).await.status, 404);
    }
}

#[actix_web::test]
async fn an_instance_that_missed_a_removal_applies_it_later() {
    let scene = Scene::new().await.with(&[NOTICE]);
    let at = now_ms();
    let b = scene.start().await;
    b.drivers().place("d-1", here_at(at - 10_000)).await;
    b.drivers().forget("d-1").await;
    // The instance loads an index that does not contain the entity.
    let (proxy, a, _) = pair(&scene).await;
    let a = a.drivers();
    proxy.cut();
    becomes(&a, "degraded").await;
    assert_eq!(a.post_fix("d-1", here_at(at - 5_000)).await.status, 202);
    proxy.mend();
    becomes(&a, "ok").await;
    is_gone(&a, "d-1").await;
    assert_eq!(b.drivers().position("d-1").await.status, 404);
}

#[actix_web::test]
async fn an_acknowledged_change_is_not_undone_by_what_was_buffered_before_it() {
    let scene = Scene::new().await.with(&[NOTICE]);
    let (proxy, a, b) = pair(&scene).await;
    let (a, b) = (a.drivers(), b.drivers());
    let at = now_ms() - 5_000;
    for id in ["patched", "put", "moved"] {
        b.place(id, status_at(at, "available")).await;
    }
    proxy.cut();
    becomes(&a, "degraded").await;
    for id in ["patched", "put", "moved"] {
        assert_eq!(a.post_fix(id, status_at(at + 1_000, "stale")).await.status, 202);
    }
    b.patch_profile("patched", json!({"status": "busy"})).await;
    b.put_profile("put", json!({"status": "busy"})).await;
    b.place("moved", status_at(at + 2_000, "busy")).await;
    proxy.mend();
    becomes(&a, "ok").await;
    for id in ["patched", "put", "moved"] {
        for api in [&a, &b] {
            shows(api, id, "status", "busy").await;
        }
        assert_eq!(b.profile(id).await.body["status"], "busy");
        let found = a.nearby("lat=40.7484&lon=-73.9857&status=stale").await;
        assert!(found.ids().is_empty(), "{found:?}");
    }
}

#[actix_web::test]
async fn an_entity_first_seen_during_an_outage_gets_its_stored_profile() {
    let scene = Scene::new().await.with(&[NOTICE]);
    let (proxy, a, b) = pair(&scene).await;
    let (a, b) = (a.drivers(), b.drivers());
    let ids: Vec<String> = (0..20).map(|n| format!("d-{n:02}")).collect();
    for id in &ids {
        b.put_profile(id, json!({"status": "available", "capacity": 4})).await;
    }
    proxy.cut();
    becomes(&a, "degraded").await;
    for (n, id) in ids.iter().enumerate() {
        let mut fix = here();
        if n % 2 == 0 {
            fix["vehicle_type"] = json!("van");
        }
        assert_eq!(a.post_fix(id, fix).await.status, 202);
    }
    proxy.mend();
    becomes(&a, "ok").await;
    for api in [&a, &b] {
        eventually(SOON, "all are found by their stored status", async || {
            let query = "lat=40.7484&lon=-73.9857&status=available&min_capacity=4&limit=100";
            (api.nearby(query).await.ids().len() == ids.len()).then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn profiles_and_removals_are_restored_in_an_emptied_redis() {
    let mut scene = Scene::on(Redis::forgetful().await).with(&[NOTICE]);
    let (one, two) = (scene.start().await, scene.start().await);
    let (one, two) = (one.drivers(), two.drivers());
    let at = now_ms();
    for n in 0..10 {
        let id = format!("d-{n}");
        one.place(&id, status_at(at, "available")).await;
        for round in 0..5 {
            one.patch_profile(&id, json!({ "capacity": round })).await;
        }
        shows(&two, &id, "capacity", 4).await;
    }
    one.forget("d-0").await;
    is_gone(&two, "d-0").await;

    scene.redis.kill();
    becomes(&one, "degraded").await;
    scene.redis.restart().await;
    for api in [&one, &two] {
        becomes(api, "ok").await;
    }
    for n in 1..10 {
        eventually(SOON, "Redis has the profile again", async || {
            let profile = answered(async || two.profile(&format!("d-{n}")).await).await.body;
            (profile["status"] == "available" && profile["capacity"] == 4).then_some(())
        })
        .await;
    }
    // Redis's numbers start again; changes count all the same.
    answered(async || one.patch_profile("d-1", json!({"status": "busy"})).await).await;
    for api in [&one, &two] {
        shows(api, "d-1", "status", "busy").await;
    }
    // A late fix from before the removal does not restore the entity.
    eventually(SOON, "Redis has the removal", async || {
        let snapshot: Option<String> = scene
            .redis
            .query(cmd("GET").arg(scene.snapshot(Kind::Drivers, "d-0")))
            .await;
        snapshot?.contains("deleted").then_some(())
    })
    .await;
    let late = answered(async || one.post_fix("d-0", here_at(at + 1)).await).await;
    assert_eq!(late.body["outcome"], "stale");
}

#[actix_web::test]
async fn a_redis_restored_from_an_older_file_is_updated() {
    let scene = Scene::on(Redis::forgetful().await).with(&[NOTICE]);
    let service = scene.start().await;
    let api = service.drivers();
    let key = |id: &str| scene.keys().profile(Kind::Drivers, 0, &Id::parse(id).unwrap());
    let at = now_ms() - 10_000;
    for id in ["changed", "deleted"] {
        api.place(id, status_at(at, "old")).await;
        let dump: Vec<u8> = scene.redis.query(cmd("DUMP").arg(key(id))).await;
        api.patch_profile(id, json!({"status": "new", "capacity": 4})).await;
        if id == "deleted" {
            api.delete_profile(id).await;
        }
        let restore = cmd("RESTORE").arg(key(id)).arg(0).arg(dump).arg("REPLACE").to_owned();
        let _: String = scene.redis.query(&restore).await;
    }
    // Redis restarts with the content of its file.
    let _: u64 = scene
        .redis
        .query(cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub"))
        .await;
    let profile = eventually(SOON, "the change is in Redis again", async || {
        let profile = answered(async || api.profile("changed").await).await.body;
        (profile["status"] == "new").then_some(profile)
    })
    .await;
    assert_eq!(profile["capacity"], 4);
    eventually(SOON, "the deletion is in Redis again", async || {
        (answered(async || api.profile("deleted").await).await.status == 404).then_some(())
    })
    .await;
    shows(&api, "changed", "status", "new").await;
    shows(&api, "deleted", "status", Value::Null).await;
}

#[actix_web::test]
async fn a_removal_wins_over_an_unsaved_fix_with_a_future_timestamp() {
    let scene = Scene::new().await.with(&[NOTICE]);
    let (proxy, a, b) = pair(&scene).await;
    let (a, b) = (a.drivers(), b.drivers());
    let ids: Vec<String> = (0..40).map(|n| format!("d-{n}")).collect();
    proxy.cut();
    becomes(&a, "degraded").await;
    let ahead = now_ms() + 50_000;
    for id in &ids {
        assert_eq!(a.post_fix(id, here_at(ahead)).await.status, 202);
    }
    proxy.mend();
    // As soon as the worker is connected to Redis again, whether or not the fix was written by then.
    for id in &ids {
        let answer = a.forget(id).await;
        assert!([202, 204].contains(&answer.status), "{answer:?}");
    }
    becomes(&a, "ok").await;
    for id in &ids {
        for api in [&a, &b] {
            is_gone(api, id).await;
        }
    }
    is_taken(&a, "later", here()).await;
    for id in &ids {
        assert_eq!(a.position(id).await.status, 404, "{id} does not come back");
    }
}
