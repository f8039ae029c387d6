//! The calls of workers, in any language: a job from its enqueueing to its end.

use super::*;
use crate::support::now_ms;
use futures_util::join;
use serde_json::json as value;
use std::time::Instant;

#[actix_web::test]
async fn a_job_from_its_enqueueing_to_its_end() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let body = value!({"type": "send-email", "payload": {"to": "ada", "n": 1.50}, "priority": 5, "timeout_ms": 60_000});
    let added = api.post("/v1/queues/mail/jobs", body).await;
    assert_eq!(
        (added.status, &added.body["jobs"][0]["outcome"]),
        (201, &value!("created")),
        "{added:?}"
    );
    let id = added.body["jobs"][0]["id"].as_str().unwrap().to_owned();

    let found = api.get(&format!("/v1/jobs/{id}")).await.body;
    assert_eq!(
        (&found["state"], &found["queue"], &found["attempts"]),
        (&value!("ready"), &value!("mail"), &value!(0))
    );
    assert_eq!(found["payload"], value!({"to": "ada", "n": 1.5}));

    let leased = api.lease("mail", value!({"lease_ms": 5_000})).await;
    assert_eq!(leased.len(), 1);
    let job = &leased[0];
    assert_eq!(
        (&job["id"], &job["type"], &job["attempt"]),
        (&value!(id), &value!("send-email"), &value!(1))
    );
    assert_eq!(
        (&job["priority"], &job["max_attempts"], &job["timeout_ms"]),
        (&value!(5), &value!(5), &value!(60_000))
    );
    let ends = stamp(&job["lease_expires_at"]);
    assert!((now_ms()..=now_ms() + 6_000).contains(&ends), "{job}");

    let token = job["token"].as_str().unwrap();
    let extended = api
        .post(
            &format!("/v1/jobs/{id}/extend"),
            value!({"token": token, "lease_ms": 20_000}),
        )
        .await;
    assert!(
        stamp(&extended.body["lease_expires_at"]) >= ends + 10_000,
        "{extended:?}"
    );
    // Never beyond the timeout of one attempt.
    let extended = api
        .post(
            &format!("/v1/jobs/{id}/extend"),
            value!({"token": token, "lease_ms": 600_000}),
        )
        .await;
    assert!(
        stamp(&extended.body["lease_expires_at"]) <= now_ms() + 61_000,
        "{extended:?}"
    );
    let progress = value!({"token": token, "progress": {"done": 3, "of": 7}});
    assert_eq!(api.post(&format!("/v1/jobs/{id}/progress"), progress).await.status, 204);

    let done = value!({"token": token, "result": {"message": "m-1"}});
    let completed = api.post(&format!("/v1/jobs/{id}/complete"), done.clone()).await;
    assert_eq!((completed.status, &completed.body), (200, &value!({"state": "done"})));
    let again = api.post(&format!("/v1/jobs/{id}/complete"), done).await;
    assert_eq!(
        (again.status, again.body),
        (200, completed.body),
        "a repeated call is answered alike"
    );

    let found = api.get(&format!("/v1/jobs/{id}")).await.body;
    assert_eq!(
        (&found["state"], &found["result"]),
        (&value!("done"), &value!({"message": "m-1"}))
    );
    assert_eq!(found["progress"], value!({"done": 3, "of": 7}));
    assert!(
        stamp(&found["kept_until"]) >= stamp(&found["ended_at"]) + 3_599_000,
        "{found}"
    );
    let queue = api.get("/v1/queues/mail").await.body;
    assert_eq!(queue["counts"]["done"], 1);
    assert_eq!(
        (&queue["totals"]["added"], &queue["totals"]["completed"]),
        (&value!(1), &value!(1))
    );
    assert!(
        queue["wait_ms"]["p50"].is_number() && queue["run_ms"]["p99"].is_number(),
        "{queue}"
    );
    Books::read(&scene, &id_of("mail")).await.balance();
}

#[actix_web::test]
async fn many_are_put_in_and_settled_in_order_and_the_next_come_with_it() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let jobs: Vec<_> = (0..6)
        .map(|n| value!({"type": format!("t{}", n % 3), "payload": n}))
        .collect();
    let ids = api.add("q", value!(jobs)).await;
    let leased = api.lease("q", value!({"count": 4})).await;
    assert_eq!(ids_of(&leased), ids[..4]);
    let ends: Vec<_> = leased
        .iter()
        .zip(["complete", "fail", "release", "complete"])
        .map(|(job, end)| value!({"id": job["id"], "token": job["token"], "end": end, "error": "no", "retry": false}))
        .collect();
    let settled = api
        .post(
            "/v1/queues/q/settle",
            value!({"jobs": ends, "lease_next": {"count": 10}}),
        )
        .await;
    assert_eq!(settled.status, 200, "{settled:?}");
    let states: Vec<_> = settled.body["outcomes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["state"])
        .collect();
    assert_eq!(states, ["done", "dead", "ready", "done"]);
    let next = settled.body["jobs"].as_array().unwrap();
    assert_eq!(ids_of(next), [&ids[2], &ids[4], &ids[5]]);
    assert_eq!(next[0]["attempt"], 1, "what was given back does not count");
    Books::read(&scene, &id_of("q")).await.balance();

    let job = &next[0];
    let path = format!("/v1/jobs/{}/fail", job["id"].as_str().unwrap());
    let failed = api
        .post(
            &path,
            value!({"token": job["token"], "error": "later", "retry": 60_000, "lease_next": {}}),
        )
        .await;
    assert_eq!(failed.body, value!({"state": "delayed", "jobs": []}));
    let found = api.get(&format!("/v1/jobs/{}", ids[2])).await.body;
    assert_eq!(
        (&found["errors"][0]["error"], &found["errors"][0]["attempt"]),
        (&value!("later"), &value!(1))
    );
    assert!(stamp(&found["due_at"]) > now_ms() + 50_000, "{found}");
    assert_eq!(
        api.post(&format!("/v1/jobs/{}/retry", ids[2]), value!({})).await.status,
        204
    );
    assert_eq!(ids_of(&api.lease("q", value!({"count": 10})).await), [&ids[2]]);
}

#[actix_web::test]
async fn a_settlement_that_is_not_its_workers_is_refused_and_takes_no_jobs() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let ids = api.add("q", value!([{"type": "a"}, {"type": "a"}])).await;
    let leased = api.lease("q", value!({})).await;
    let wrong = value!({"token": "AAAAAAAAAAAAAAAA", "lease_next": {"count": 1}});
    let refused = api.post(&format!("/v1/jobs/{}/complete", ids[0]), wrong).await;
    refused.assert_problem(409, &[]);
    assert_eq!(refused.body["state"], "leased");
    assert_eq!(
        ids_of(&api.lease("q", value!({})).await),
        [&ids[1]],
        "the other was not taken"
    );
    let patient = value!({"token": "AAAAAAAAAAAAAAAA", "lease_next": {"count": 1, "wait_ms": 20_000}});
    let started = Instant::now();
    let refused = api.post(&format!("/v1/jobs/{}/complete", ids[0]), patient).await;
    refused.assert_problem(409, &[]);
    assert!(started.elapsed() < SOON / 2, "it is not waited for the next");
    let none = value!({"token": leased[0]["token"]});
    for (path, body) in [
        ("complete", none.clone()),
        ("fail", value!({"token": leased[0]["token"], "error": "x"})),
        ("extend", value!({"token": leased[0]["token"], "lease_ms": 1_000})),
        ("progress", value!({"token": leased[0]["token"], "progress": 1})),
        ("retry", value!({})),
    ] {
        for id in ["q.AAAAAAAAAAAAA", "q", "x.y"] {
            let answer = api.post(&format!("/v1/jobs/{id}/{path}"), body.clone()).await;
            answer.assert_problem(404, &[]);
        }
    }
    api.get("/v1/jobs/q.AAAAAAAAAAAAA").await.assert_problem(404, &[]);
    api.delete("/v1/jobs/q.AAAAAAAAAAAAA").await.assert_problem(404, &[]);
}

#[actix_web::test]
async fn who_has_nothing_to_settle_is_given_the_next_or_waits_for_it() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let settle = async |next: Value| {
        let body = value!({"jobs": [], "lease_next": next});
        api.post("/v1/queues/q/settle", body).await.body
    };
    let none = settle(value!({"count": 9})).await;
    assert_eq!(none, value!({"outcomes": [], "jobs": []}));
    let ids = api.add("q", value!([{"type": "a"}])).await;
    let next = settle(value!({"count": 9})).await;
    assert_eq!(ids_of(next["jobs"].as_array().unwrap()), ids);
    let waiting = settle(value!({"wait_ms": 20_000}));
    let (next, ids) = join!(waiting, api.add("q", value!([{"type": "a"}])));
    assert_eq!(ids_of(next["jobs"].as_array().unwrap()), ids);
}

#[actix_web::test]
async fn workers_take_the_types_that_they_know() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let jobs: Vec<_> = (0..9)
        .map(|n| value!({"type": format!("t{}", n % 3), "payload": n}))
        .collect();
    api.add("q", value!(jobs)).await;
    let payloads = |leased: &[Value]| {
        leased
            .iter()
            .map(|job| job["payload"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    let leased = api.lease("q", value!({"count": 2, "types": ["t1"]})).await;
    assert_eq!(payloads(&leased), [1, 4]);
    let leased = api
        .lease("q", value!({"count": 9, "types": ["t1", "t2", "other"]}))
        .await;
    assert_eq!(payloads(&leased), [2, 5, 7, 8]);
    assert!(api.lease("q", value!({"types": ["other"]})).await.is_empty());
    let leased = api.lease("q", value!({"count": 9})).await;
    assert_eq!(payloads(&leased), [0, 3, 6]);
}
