//! Unique keys, and series that one of them ends as a whole.

use super::*;
use crate::support::eventually;
use serde_json::json as value;

#[actix_web::test]
async fn a_series_continues_under_one_id_and_ends_as_a_whole() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let ids = api
        .add("q", value!({"type": "remind", "payload": 1, "unique_key": "talk:7"}))
        .await;
    let leased = api.lease("q", value!({})).await;
    let body = value!({"token": leased[0]["token"], "then": {"delay_ms": 50, "payload": 2, "type": "remind-again"}});
    let done = api.post(&format!("/v1/jobs/{}/complete", ids[0]), body.clone()).await;
    assert_eq!(done.body, value!({"state": "delayed"}));
    let done = api.post(&format!("/v1/jobs/{}/complete", ids[0]), body).await;
    assert_eq!(
        done.body,
        value!({"state": "delayed"}),
        "repeating it is answered alike"
    );
    let second = api.lease("q", value!({"wait_ms": 5_000})).await;
    assert_eq!((&second[0]["id"], &second[0]["payload"]), (&value!(ids[0]), &value!(2)));
    assert_eq!(
        (&second[0]["type"], &second[0]["attempt"]),
        (&value!("remind-again"), &value!(1))
    );
    let cancelled = api.delete("/v1/queues/q/unique/talk:7").await;
    assert_eq!((cancelled.status, &cancelled.body["id"]), (200, &value!(ids[0])));
    api.delete("/v1/queues/q/unique/talk:7").await.assert_problem(404, &[]);
    let body = value!({"token": second[0]["token"], "then": {"delay_ms": 50}});
    let late = api.post(&format!("/v1/jobs/{}/complete", ids[0]), body).await;
    late.assert_problem(409, &[]);
    Books::read(&scene, &id_of("q")).await.balance();
}

#[actix_web::test]
async fn a_unique_key_refuses_replaces_or_debounces() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let job =
        |payload: u32, mode: &str| value!({"type": "a", "payload": payload, "unique_key": "k", "unique_mode": mode});
    let first = api.post("/v1/queues/q/jobs", job(1, "refuse")).await;
    let refused = api.post("/v1/queues/q/jobs", job(2, "refuse")).await;
    assert_eq!((first.status, refused.status), (201, 200));
    assert_eq!(refused.body["jobs"][0]["outcome"], "existing");
    assert_eq!(refused.body["jobs"][0]["id"], first.body["jobs"][0]["id"]);
    let replaced = api.post("/v1/queues/q/jobs", job(3, "replace")).await;
    assert_eq!(
        (replaced.status, &replaced.body["jobs"][0]["outcome"]),
        (201, &value!("replaced"))
    );
    api.get(&format!("/v1/jobs/{}", first.body["jobs"][0]["id"].as_str().unwrap()))
        .await
        .assert_problem(404, &[]);
    let mut later = job(4, "debounce");
    later["delay_ms"] = value!(1_500);
    let debounced = api.post("/v1/queues/q/jobs", later).await;
    assert_eq!(
        debounced.body["jobs"][0],
        value!({"id": replaced.body["jobs"][0]["id"], "outcome": "debounced"})
    );
    Books::read(&scene, &id_of("q")).await.balance();
    assert!(api.lease("q", value!({})).await.is_empty(), "it waits again");
    let leased = api.lease("q", value!({"wait_ms": 5_000})).await;
    assert_eq!(leased[0]["payload"], 4);
    // A leased job cannot be changed any more: another one is enqueued, and has the key.
    let next = api.post("/v1/queues/q/jobs", job(5, "debounce")).await;
    assert_eq!(next.body["jobs"][0]["outcome"], "created");
    api.complete(&leased[0]).await;
    let refused = api.post("/v1/queues/q/jobs", job(6, "refuse")).await;
    assert_eq!(
        refused.body["jobs"][0],
        value!({"id": next.body["jobs"][0]["id"], "outcome": "existing"})
    );
    let leased = api.lease("q", value!({})).await;
    api.complete(&leased[0]).await;
    assert_eq!(
        api.post("/v1/queues/q/jobs", job(7, "refuse")).await.status,
        201,
        "the key is free at its job's end"
    );
    // For a time.
    let kept = value!({"type": "a", "unique_key": "t", "unique_for_ms": 300, "keep_result_s": 0, "priority": 9});
    assert_eq!(api.post("/v1/queues/q/jobs", kept.clone()).await.status, 201);
    let leased = api.lease("q", value!({})).await;
    api.complete(&leased[0]).await;
    assert_eq!(
        api.post("/v1/queues/q/jobs", kept.clone()).await.status,
        200,
        "the key outlives its job"
    );
    eventually(SOON, "the key is free", async || {
        (api.post("/v1/queues/q/jobs", kept.clone()).await.status == 201).then_some(())
    })
    .await;
    Books::read(&scene, &id_of("q")).await.balance();
}

#[actix_web::test]
async fn a_series_ends_if_another_job_has_taken_its_key() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let first = value!({"type": "a", "unique_key": "k"});
    let ids = api.add("q", first).await;
    let leased = api.lease("q", value!({})).await;
    let second = value!({"type": "a", "unique_key": "k", "unique_mode": "replace", "delay_ms": 60_000});
    let second = api.add("q", second).await;
    let body = value!({"token": leased[0]["token"], "then": {"delay_ms": 60_000}});
    for _ in 0..2 {
        let ended = api.post(&format!("/v1/jobs/{}/complete", ids[0]), body.clone()).await;
        assert_eq!((ended.status, &ended.body["state"]), (200, &value!("cancelled")));
    }
    let cancelled = api.delete("/v1/queues/q/unique/k").await;
    assert_eq!(cancelled.body["id"], value!(second[0]));
    let books = Books::read(&scene, &id_of("q")).await;
    books.balance();
    assert_eq!((books.count("delayed"), books.count("cancelled")), (0, 2));
}

#[actix_web::test]
async fn a_job_that_lost_its_key_while_it_ran_is_not_retried() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let job = |mode: &str| value!({"type": "a", "unique_key": "k", "unique_mode": mode, "backoff": {"base_ms": 1}});
    for mode in ["replace", "debounce"] {
        for end in ["fail", "release", "none"] {
            let first = api.add("q", job("refuse")).await.remove(0);
            let lease_ms = if end == "none" { 2_000 } else { 30_000 };
            let leased = api.lease("q", value!({"lease_ms": lease_ms})).await;
            let second = api.add("q", job(mode)).await;
            // The other one runs and ends in between: the key is free again.
            let other = api.lease("q", value!({})).await;
            assert_eq!(ids_of(&other), second);
            api.complete(&other[0]).await;
            let settle = value!({"jobs": [{"id": first, "token": leased[0]["token"], "end": end, "error": "no"}]});
            for _ in 0..if end == "none" { 0 } else { 2 } {
                let settled = api.post("/v1/queues/q/settle", settle.clone()).await;
                let outcome = value!([{"id": first, "outcome": "settled", "state": "cancelled"}]);
                assert_eq!(settled.body["outcomes"], outcome, "{mode} {end}");
            }
            eventually(SOON, "it is cancelled", async || {
                let job = api.get(&format!("/v1/jobs/{first}")).await;
                (job.body["state"] == "cancelled").then_some(())
            })
            .await;
            assert!(api.lease("q", value!({})).await.is_empty(), "{mode} {end}");
            Books::read(&scene, &id_of("q")).await.balance();
        }
    }
    // After a manual retry it has the key as before.
    let first = api.add("q", job("refuse")).await.remove(0);
    let leased = api.lease("q", value!({})).await;
    let second = api.add("q", job("replace")).await.remove(0);
    let failed = value!({"token": leased[0]["token"], "error": "no"});
    api.post(&format!("/v1/jobs/{first}/fail"), failed).await;
    api.delete(&format!("/v1/jobs/{second}")).await;
    let back = api.post(&format!("/v1/jobs/{first}/retry"), value!({})).await;
    assert_eq!(back.status, 204);
    let leased = api.lease("q", value!({})).await;
    let failed = value!({"token": leased[0]["token"], "error": "no", "retry": 60_000});
    let failed = api.post(&format!("/v1/jobs/{first}/fail"), failed).await;
    assert_eq!(failed.body["state"], "delayed");
    Books::read(&scene, &id_of("q")).await.balance();
}

#[actix_web::test]
async fn an_ended_job_is_not_retried_while_another_has_its_key() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let job = value!({"type": "a", "unique_key": "k"});
    let cancelled = api.add("q", job.clone()).await;
    api.delete(&format!("/v1/jobs/{}", cancelled[0])).await;
    let dead = api.add("q", job.clone()).await;
    let leased = api.lease("q", value!({})).await;
    let failed = value!({"token": leased[0]["token"], "error": "no", "retry": false});
    api.post(&format!("/v1/jobs/{}/fail", dead[0]), failed).await;
    let third = api.add("q", job).await;
    for (id, state) in [(&cancelled[0], "cancelled"), (&dead[0], "dead")] {
        let refused = api.post(&format!("/v1/jobs/{id}/retry"), value!({})).await;
        refused.assert_problem(409, &[]);
        assert_eq!(refused.body["state"], state);
    }
    let redriven = api.post("/v1/queues/q/redrive", value!({})).await;
    assert_eq!(redriven.body, value!({"jobs": 0, "left": 1}));
    Books::read(&scene, &id_of("q")).await.balance();
    // With the key free again, one of them has it.
    api.delete(&format!("/v1/jobs/{}", third[0])).await;
    let redriven = api.post("/v1/queues/q/redrive", value!({})).await;
    assert_eq!(redriven.body, value!({"jobs": 1, "left": 0}));
    let refused = api.post(&format!("/v1/jobs/{}/retry", cancelled[0]), value!({})).await;
    refused.assert_problem(409, &[]);
    let by_key = api.delete("/v1/queues/q/unique/k").await;
    assert_eq!(by_key.body["id"], value!(dead[0]));
    Books::read(&scene, &id_of("q")).await.balance();
}

#[actix_web::test]
async fn dead_and_cancelled_jobs_have_no_key_and_a_refusal_does_not_free_one() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let kept = value!({"type": "a", "unique_key": "k", "unique_for_ms": 600_000, "backoff": {"base_ms": 0}});
    let outcome = async || {
        let answer = api.post("/v1/queues/q/jobs", kept.clone()).await;
        answer.body["jobs"][0]["outcome"].as_str().unwrap().to_owned()
    };
    // Cancelled by its id, by its key, while it runs; failed without a retry; lost at its last attempt.
    for end in ["id", "key", "running", "fail", "lost"] {
        let mut job = kept.clone();
        job["max_attempts"] = value!(if end == "lost" { 1 } else { 5 });
        let id = api.add("q", job).await.remove(0);
        assert_eq!(outcome().await, "existing", "{end}");
        if !["id", "key"].contains(&end) {
            let lease_ms = if end == "lost" { 100 } else { 60_000 };
            let leased = api.lease("q", value!({"lease_ms": lease_ms})).await;
            let failed = value!({"token": leased[0]["token"], "error": "no", "retry": false});
            if end == "fail" {
                api.post(&format!("/v1/jobs/{id}/fail"), failed).await;
            }
        }
        let ended = match end {
            "key" => api.delete("/v1/queues/q/unique/k").await.status,
            "id" | "running" => api.delete(&format!("/v1/jobs/{id}")).await.status,
            _ => 200,
        };
        assert!([200, 204].contains(&ended), "{end}: {ended}");
        eventually(SOON, "it has ended", async || {
            let job = api.get(&format!("/v1/jobs/{id}")).await;
            ["dead", "cancelled"]
                .contains(&job.body["state"].as_str().unwrap())
                .then_some(())
        })
        .await;
        api.delete("/v1/queues/q/unique/k").await.assert_problem(404, &[]);
        Books::read(&scene, &id_of("q")).await.balance();
    }
    // A job that is done keeps its key, even if its cancellation is requested.
    assert_eq!(outcome().await, "created");
    let leased = api.lease("q", value!({})).await;
    api.complete(&leased[0]).await;
    for _ in 0..2 {
        api.delete("/v1/queues/q/unique/k").await.assert_problem(409, &[]);
        assert_eq!(outcome().await, "existing");
    }
    Books::read(&scene, &id_of("q")).await.balance();
}

#[actix_web::test]
async fn a_job_that_is_debounced_repeatedly_runs_after_max_wait() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let job = |n: u32, delay_ms: u32, max_wait_ms: u32| {
        value!({"type": "a", "payload": n, "delay_ms": delay_ms, "unique_key": "k", "unique_mode": "debounce",
            "max_wait_ms": max_wait_ms})
    };
    let id = api.add("q", job(0, 60_000, 100_000)).await.remove(0);
    let first = api.get(&format!("/v1/jobs/{id}")).await.body;
    for (n, delay_ms, due_ms) in [
        (1, 99_000, 99_000..110_000),
        (2, 600_000, 100_000..100_010),
        (3, 500, 500..30_000),
    ] {
        let again = api.post("/v1/queues/q/jobs", job(n, delay_ms, 100_000)).await;
        assert_eq!(again.body["jobs"][0], value!({"id": id, "outcome": "debounced"}));
        let found = api.get(&format!("/v1/jobs/{id}")).await.body;
        assert_eq!(
            (&found["payload"], &found["created_at"]),
            (&value!(n), &first["created_at"])
        );
        let due = stamp(&found["run_at"]) - stamp(&first["created_at"]);
        assert!(due_ms.contains(&due), "{n}: {due}");
    }
    // After its maximum wait it is ready, and stays ahead of later jobs, however often it is debounced.
    api.add("q", value!({"type": "a", "payload": "later"})).await;
    for n in 4..6 {
        api.add("q", job(n, 600_000, 1)).await;
    }
    let leased = api.lease("q", value!({"count": 2})).await;
    assert_eq!(
        (&leased[0]["payload"], &leased[1]["payload"]),
        (&value!(5), &value!("later"))
    );
    // Once it has run, the maximum wait starts again.
    let failed = value!({"token": leased[0]["token"], "error": "no", "retry": 60_000});
    api.post(&format!("/v1/jobs/{id}/fail"), failed).await;
    api.add("q", job(6, 50_000, 40_000)).await;
    let found = api.get(&format!("/v1/jobs/{id}")).await.body;
    let due = stamp(&found["run_at"]) - stamp(&found["created_at"]);
    assert!(
        (40_000..40_010).contains(&due) && found["created_at"] != first["created_at"],
        "{found}"
    );
    let wrong = value!({"type": "a", "unique_key": "k", "max_wait_ms": 5});
    api.post("/v1/queues/q/jobs", wrong)
        .await
        .assert_problem(422, &["/max_wait_ms"]);
    Books::read(&scene, &id_of("q")).await.balance();
}
