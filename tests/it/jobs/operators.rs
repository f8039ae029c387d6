//! The calls of operators: cancel, drain, pause, redrive and clear.

use super::*;
use futures_util::join;
use serde_json::json as value;
use tokio::time::sleep;

#[actix_web::test]
async fn a_cancelled_job_is_taken_from_its_worker() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let ids = api
        .add(
            "q",
            value!([{"type": "a"}, {"type": "a"}, {"type": "a", "delay_ms": 60_000}]),
        )
        .await;
    let leased = api.lease("q", value!({})).await;
    let token = &leased[0]["token"];
    for id in &ids {
        assert_eq!(api.delete(&format!("/v1/jobs/{id}")).await.status, 204);
        assert_eq!(
            api.delete(&format!("/v1/jobs/{id}")).await.status,
            204,
            "repeating it changes nothing"
        );
        assert_eq!(api.get(&format!("/v1/jobs/{id}")).await.body["state"], "cancelled");
    }
    for (path, body) in [
        ("complete", value!({"token": token})),
        ("extend", value!({"token": token, "lease_ms": 1_000})),
        ("progress", value!({"token": token, "progress": 1})),
    ] {
        let answer = api.post(&format!("/v1/jobs/{}/{path}", ids[0]), body).await;
        answer.assert_problem(409, &[]);
        assert_eq!(answer.body["state"], "cancelled");
    }
    assert!(api.lease("q", value!({"count": 9})).await.is_empty());
    Books::read(&scene, &id_of("q")).await.balance();
    // And back again.
    assert_eq!(
        api.post(&format!("/v1/jobs/{}/retry", ids[1]), value!({})).await.status,
        204
    );
    let leased = api.lease("q", value!({"count": 9})).await;
    assert_eq!(ids_of(&leased), [&ids[1]]);
    let done = api
        .post(
            &format!("/v1/jobs/{}/complete", ids[1]),
            value!({"token": leased[0]["token"]}),
        )
        .await;
    assert_eq!(done.status, 200);
    api.delete(&format!("/v1/jobs/{}", ids[1]))
        .await
        .assert_problem(409, &[]);
    Books::read(&scene, &id_of("q")).await.balance();
}

#[actix_web::test]
async fn the_waiting_jobs_of_a_queue_are_cancelled_in_pieces() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let mut jobs: Vec<_> = (0..250).map(|n| value!({"type": format!("t{}", n % 3)})).collect();
    jobs[0]["unique_key"] = value!("k");
    jobs[0]["unique_for_ms"] = value!(600_000);
    let ids = api.add("q", value!(jobs)).await;
    api.add(
        "q",
        value!([{"type": "t0", "delay_ms": 600_000}, {"type": "t1", "delay_ms": 600_000}]),
    )
    .await;
    let leased = api.lease("q", value!({"types": ["t1"]})).await;
    let drain = async |query: &str| api.delete(&format!("/v1/queues/q/jobs?{query}")).await;
    for (query, jobs, left) in [
        ("state=ready&limit=1", 1, 248),
        ("state=ready&limit=130", 130, 118),
        ("state=ready", 118, 0),
        ("state=ready", 0, 0),
        ("state=delayed", 2, 0),
    ] {
        let drained = drain(query).await;
        assert_eq!(
            (drained.status, drained.body),
            (200, value!({"jobs": jobs, "left": left})),
            "{query}"
        );
        Books::read(&scene, &id_of("q")).await.balance();
    }
    // Leased jobs continue, the keys are free, and a job that was cancelled by mistake can be restored.
    api.complete(&leased[0]).await;
    let again = api.post("/v1/queues/q/jobs", jobs[0].clone()).await;
    assert_eq!(again.body["jobs"][0]["outcome"], "created");
    assert_eq!(
        api.post(&format!("/v1/jobs/{}/retry", ids[2]), value!({})).await.status,
        204
    );
    for wrong in ["", "state=leased", "state=ready&limit=0", "state=ready&limit=10001"] {
        assert_eq!(drain(wrong).await.status, 422, "{wrong}");
    }
    Books::read(&scene, &id_of("q")).await.balance();
}

#[actix_web::test]
async fn a_paused_queue_leases_nothing_until_it_is_resumed() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    assert_eq!(api.post("/v1/queues/q/pause", value!({})).await.status, 204);
    let ids = api.add("q", value!([{"type": "a"}])).await;
    assert!(api.lease("q", value!({"wait_ms": 200})).await.is_empty());
    assert_eq!(api.get("/v1/queues/q").await.body["paused"], true);
    let (leased, resumed) = join!(api.lease("q", value!({"wait_ms": 10_000})), async {
        sleep(Duration::from_millis(100)).await;
        api.post("/v1/queues/q/resume", value!({})).await
    });
    assert_eq!((ids_of(&leased), resumed.status), (vec![&*ids[0]], 204));
    // Leased jobs of a paused queue can be settled.
    assert_eq!(api.post("/v1/queues/q/pause", value!({})).await.status, 204);
    api.complete(&leased[0]).await;
}

#[actix_web::test]
async fn dead_jobs_are_redriven_or_cleared() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let ids = api
        .add("q", value!([{"type": "a"}, {"type": "b"}, {"type": "a"}]))
        .await;
    for job in api.lease("q", value!({"count": 9})).await {
        let path = format!("/v1/jobs/{}/fail", job["id"].as_str().unwrap());
        let failed = api
            .post(&path, value!({"token": job["token"], "error": "no", "retry": false}))
            .await;
        assert_eq!(failed.body["state"], "dead");
    }
    let redriven = api.post("/v1/queues/q/redrive", value!({"limit": 2})).await;
    assert_eq!(redriven.body, value!({"jobs": 2, "left": 1}));
    assert_eq!(api.lease("q", value!({"count": 9})).await.len(), 2);
    let cleared = api.delete("/v1/queues/q/dead").await;
    assert_eq!(cleared.body, value!({"jobs": 1, "left": 0}));
    let mut gone = 0;
    for id in &ids {
        gone += usize::from(api.get(&format!("/v1/jobs/{id}")).await.status == 404);
    }
    assert_eq!(gone, 1);
    Books::read(&scene, &id_of("q")).await.balance();
}
