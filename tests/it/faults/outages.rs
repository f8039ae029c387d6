//! Redis is unavailable from the start, or for one instance only.

use super::{NOTICE, SOON, becomes, here, here_at, is_stored, is_taken, stored_ms};
use crate::support::{Proxy, Redis, Scene, Service, eventually, now_ms};
use fleetpulse::tracking::input::parse_rfc3339;
use serde_json::json;

#[actix_web::test]
async fn a_service_that_starts_without_redis_works_and_connects_later() {
    let mut scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    scene.redis.kill();
    let service = scene.start().await;
    let api = service.drivers();
    becomes(&api, "degraded").await;
    let at = now_ms();
    let taken = api.post_fix("d-1", here_at(at)).await;
    assert_eq!((taken.status, &taken.body["outcome"]), (202, &"buffered".into()));
    let found = api.nearby("lat=40.7484&lon=-73.9857").await;
    assert_eq!((found.ids(), &found.body["stale"]), (vec!["d-1"], &true.into()));
    let batch = json!([{"id": "d-2", "lat": 1, "lon": 1, "timestamp": at}]);
    assert_eq!(api.post_batch(&batch).await.body["buffered"], 1);

    scene.redis.restart().await;
    becomes(&api, "ok").await;
    is_stored(&scene, "d-1", at).await;
    is_stored(&scene, "d-2", at).await;
    assert_eq!(api.nearby("lat=40.7484&lon=-73.9857").await.body["stale"], false);
    is_taken(&api, "d-3", here()).await;
}

#[actix_web::test]
async fn calls_that_need_redis_fail_at_once_with_retry_after() {
    let scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = scene.start().await;
    let api = service.drivers();
    api.place("d-1", here()).await;
    scene.redis.kill();
    becomes(&api, "degraded").await;
    for answer in [
        api.put_profile("d-1", json!({"status": "busy"})).await,
        api.patch_profile("d-1", json!({"status": "busy"})).await,
        api.delete_profile("d-1").await,
        api.nearby("lat=40.7484&lon=-73.9857&source=redis").await,
    ] {
        answer.assert_problem(503, &[]);
        assert!(answer.retry_after.is_some());
    }
    // Profile members of a fix are accepted with the fix.
    let taken = api.post_fix("d-1", json!({"lat": 1, "lon": 1, "status": "busy"})).await;
    assert_eq!(taken.status, 202);
    assert_eq!(api.nearby("lat=1&lon=1&status=busy").await.ids(), ["d-1"]);
}

/// Two instances on one Redis, the first behind a proxy that can be cut.
async fn pair(scene: &Scene) -> (Proxy, Service, Service) {
    let proxy = Proxy::to(&scene.redis.url()).await;
    let mut args = scene.args();
    args.push(format!("--redis-url={}", proxy.url()));
    let cut_off = Service::start(&args).await;
    (proxy, cut_off, scene.start().await)
}

#[actix_web::test]
async fn the_newest_wins_between_buffered_fixes_and_those_of_other_instances() {
    let scene = Scene::new().await.with(&[NOTICE]);
    let (proxy, a, b) = pair(&scene).await;
    let (a, b) = (a.drivers(), b.drivers());
    let at = now_ms();
    proxy.cut();
    becomes(&a, "degraded").await;
    for (id, timestamp) in [("older", at), ("newer", at + 2_000), ("alone", at)] {
        assert_eq!(a.post_fix(id, here_at(timestamp)).await.status, 202);
    }
    for id in ["older", "newer"] {
        b.place(id, here_at(at + 1_000)).await;
    }
    let nearby = "lat=40.7484&lon=-73.9857";
    let mut ids = a.nearby(nearby).await.body;
    assert_eq!(ids["results"].take().as_array().unwrap().len(), 3);

    proxy.mend();
    becomes(&a, "ok").await;
    is_stored(&scene, "newer", at + 2_000).await;
    is_stored(&scene, "alone", at).await;
    is_stored(&scene, "older", at + 1_000).await;
    // Both instances agree with Redis.
    for api in [&a, &b] {
        for id in ["older", "newer", "alone"] {
            let stored = stored_ms(&scene, id).await.unwrap();
            eventually(SOON, id, async || {
                let answered = api.position(id).await.body["timestamp"].take();
                let answered = parse_rfc3339(answered.as_str()?);
                (answered == Some(stored)).then_some(())
            })
            .await;
        }
    }
}

#[actix_web::test]
async fn a_removal_during_an_outage_is_executed_later_unless_a_newer_fix_exists() {
    let scene = Scene::new().await.with(&[NOTICE]);
    let (proxy, a, b) = pair(&scene).await;
    let (a, b) = (a.drivers(), b.drivers());
    for id in ["gone", "back"] {
        a.place(id, here()).await;
    }
    proxy.cut();
    becomes(&a, "degraded").await;
    for id in ["gone", "back"] {
        assert_eq!(a.forget(id).await.status, 202);
        assert_eq!(a.position(id).await.status, 404);
    }
    assert!(a.nearby("lat=40.7484&lon=-73.9857").await.ids().is_empty());
    // The other instance has not received it yet.
    assert_eq!(b.position("gone").await.status, 200);
    let later = now_ms() + 1_000;
    b.place("back", here_at(later)).await;

    proxy.mend();
    becomes(&a, "ok").await;
    for api in [&a, &b] {
        eventually(SOON, "the removal is everywhere", async || {
            (api.position("gone").await.status == 404).then_some(())
        })
        .await;
        eventually(SOON, "every instance has the newer fix", async || {
            (api.position("back").await.status == 200).then_some(())
        })
        .await;
    }
    assert_eq!(stored_ms(&scene, "gone").await, None);
    assert_eq!(stored_ms(&scene, "back").await, Some(later));
    // A fix from before the removal that arrives late is still ignored.
    assert_eq!(
        b.post_fix("gone", here_at(later - 10_000)).await.body["outcome"],
        "stale"
    );
}

#[actix_web::test]
async fn buffered_profile_members_are_merged_with_those_of_other_instances() {
    let scene = Scene::new().await.with(&[NOTICE]);
    let (proxy, a, b) = pair(&scene).await;
    let (a, b) = (a.drivers(), b.drivers());
    a.place(
        "known",
        json!({"lat": 40.7484, "lon": -73.9857, "status": "free", "capacity": 4}),
    )
    .await;
    proxy.cut();
    becomes(&a, "degraded").await;
    let busy = json!({"lat": 40.7484, "lon": -73.9857, "status": "busy"});
    for id in ["known", "new"] {
        assert_eq!(a.post_fix(id, busy.clone()).await.status, 202);
        assert_eq!(a.position(id).await.body["status"], "busy");
        let patch = json!({"capacity": 6, "vehicle_type": "van"});
        assert_eq!(b.patch_profile(id, patch).await.status, 204);
    }

    proxy.mend();
    becomes(&a, "ok").await;
    for (api, id) in [(&a, "known"), (&b, "known"), (&a, "new"), (&b, "new")] {
        eventually(SOON, "all of it is everywhere", async || {
            let shown = api.position(id).await.body;
            (shown["status"] == "busy" && shown["capacity"] == 6 && shown["vehicle_type"] == "van").then_some(())
        })
        .await;
        assert_eq!(api.profile(id).await.body["capacity"], 6);
    }
}
