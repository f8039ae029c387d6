//! Redis is suspended: connections stay open, and nothing is answered.

use super::{NOTICE, becomes, here_at, is_stored, is_taken};
use crate::support::{Redis, Scene, now_ms};
use std::time::{Duration, Instant};

#[actix_web::test]
async fn fixes_are_buffered_within_the_timeout_and_written_when_redis_resumes() {
    let scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = scene.start().await;
    let api = service.drivers();
    let at = now_ms();
    api.place("d-1", here_at(at)).await;

    scene.redis.freeze();
    let asked = Instant::now();
    let taken = api.post_fix("d-1", here_at(at + 1)).await;
    assert_eq!((taken.status, &taken.body["outcome"]), (202, &"buffered".into()));
    // Once 300 ms of waiting, and no more than that; the rest is what a busy machine may take.
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert_eq!(api.post_fix("d-2", here_at(at)).await.status, 202);
    let mut found = api.nearby("lat=40.7484&lon=-73.9857").await;
    let mut ids = found.ids();
    ids.sort_unstable();
    assert_eq!(ids, ["d-1", "d-2"]);
    becomes(&api, "degraded").await;
    found = api.nearby("lat=40.7484&lon=-73.9857&source=redis").await;
    found.assert_problem(503, &[]);
    assert!(found.retry_after.is_some());

    scene.redis.thaw();
    becomes(&api, "ok").await;
    is_stored(&scene, "d-1", at + 1).await;
    is_stored(&scene, "d-2", at).await;
    is_taken(&api, "d-1", here_at(at + 2)).await;
}
