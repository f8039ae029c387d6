//! The calls, one by one, as workers in any language make them.

use super::*;
use crate::support::now_ms;
use futures_util::join;
use serde_json::json as value;
use std::time::Instant;
use tokio::time::sleep;

#[actix_web::test]
async fn a_job_from_its_putting_in_to_its_end() {
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
    // Never beyond the time that one attempt may take.
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
    // What runs goes on, a key is free, and one that was cancelled by mistake comes back.
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
async fn events_that_are_not_kept_any_more_are_a_gap() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    for _ in 0..4 {
        api.add("q", value!({"type": "t"})).await;
    }
    let all = api.get("/v1/queues/q/events").await.body;
    let places: Vec<&str> = (0..4).map(|n| all["events"][n]["id"].as_str().unwrap()).collect();
    let trim = async |most: usize| {
        let key = scene.keys().queue_events(&id_of("q"));
        let _: i64 = scene
            .redis
            .query(redis::cmd("XTRIM").arg(key).arg("MAXLEN").arg(most))
            .await;
    };
    let after = |place: &str| format!("/v1/queues/q/events?after={place}");
    trim(3).await;
    for (place, count, gap) in [
        ("0-0", 3, value!(null)),
        ("1-1", 3, value!(true)),
        (places[0], 3, value!(true)),
        (places[1], 2, value!(null)),
        (places[3], 0, value!(null)),
    ] {
        let page = api.get(&after(place)).await.body;
        assert_eq!(
            (page["events"].as_array().unwrap().len(), &page["gap"]),
            (count, &gap),
            "{place}"
        );
    }
    // One who waits behind the last that there was, and one who follows, are told as well.
    trim(0).await;
    let none = api.get(&after(places[3])).await.body;
    assert_eq!(
        none,
        value!({"events": [], "next": places[3]}),
        "nothing is missing yet"
    );
    let path = format!("{}&wait_ms=5000", after(places[3]));
    let (waited, _) = join!(api.get(&path), api.add("q", value!({"type": "t"})));
    assert_eq!(
        (&waited.body["gap"], &waited.body["events"][0]["event"]),
        (&value!(true), &value!("added"))
    );
    let request = api.0.request(Method::GET, &after(places[0]));
    let mut stream = request.header("accept", "text/event-stream").send().await.unwrap();
    let first = stream.chunk().await.unwrap().unwrap();
    let first = str::from_utf8(&first).unwrap();
    assert!(first.starts_with("event: gap\ndata: {\"gap\":true}\n\nid: "), "{first}");
}

#[actix_web::test]
async fn lists_and_events_tell_what_there_is_and_was() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let jobs: Vec<_> = (0..7)
        .map(|n| value!({"type": format!("t{}", n % 2), "payload": n}))
        .collect();
    let ids = api.add("q", value!(jobs)).await;
    let leased = api.lease("q", value!({"count": 2})).await;
    api.complete(&leased[0]).await;
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api
            .get(&format!("/v1/queues/q/jobs?state=ready&limit=2{cursor}"))
            .await
            .body;
        listed.extend(
            ids_of(page["jobs"].as_array().unwrap())
                .into_iter()
                .map(ToOwned::to_owned),
        );
        assert!(
            page["jobs"]
                .as_array()
                .unwrap()
                .iter()
                .all(|job| job["payload"].is_null())
        );
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, ids[2..]);
    for (state, count) in [
        ("leased", 1),
        ("done", 1),
        ("dead", 0),
        ("delayed", 0),
        ("cancelled", 0),
    ] {
        let page = api.get(&format!("/v1/queues/q/jobs?state={state}")).await.body;
        assert_eq!(page["jobs"].as_array().unwrap().len(), count, "{state}");
    }
    let events = api.get("/v1/queues/q/events").await.body;
    let told: Vec<_> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["event"])
        .collect();
    assert_eq!(told, ["added", "leased", "completed"]);
    assert_eq!(events["events"][0]["jobs"].as_array().unwrap().len(), 7);
    let path = format!(
        "/v1/queues/q/events?wait_ms=5000&after={}",
        events["next"].as_str().unwrap()
    );
    let (waited, _) = join!(api.get(&path), api.add("q", value!({"type": "t0"})));
    assert_eq!(waited.body["events"][0]["event"], "added");
    let queues = api.get("/v1/queues?limit=100").await.body;
    assert!(
        queues["queues"]
            .as_array()
            .unwrap()
            .iter()
            .any(|queue| queue["queue"] == "q"),
        "{queues}"
    );
}

#[actix_web::test]
async fn what_happens_is_streamed_and_goes_on_behind_the_last_that_a_client_has() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let ids = api.add("q", value!([{"type": "a"}])).await;
    let follow = async |last: Option<&str>| {
        let request = api.0.request(Method::GET, "/v1/queues/q/events");
        let request = request.header("accept", "text/event-stream");
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        request.send().await.unwrap()
    };
    let next = async |stream: &mut reqwest::Response| -> String {
        String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap()
    };
    let mut stream = follow(None).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let added = next(&mut stream).await;
    let (id, rest) = added.strip_prefix("id: ").unwrap().split_once('\n').unwrap();
    let data = value!({"id": id, "event": "added", "jobs": ids});
    let told = rest.strip_prefix("event: added\ndata: ").unwrap();
    assert!(told.ends_with("\n\n"), "{told:?}");
    assert_eq!(serde_json::from_str::<Value>(told).unwrap(), data);
    assert_eq!(api.lease("q", value!({})).await.len(), 1);
    assert!(next(&mut stream).await.contains("\nevent: leased\n"));
    assert!(next(&mut follow(Some(id)).await).await.contains("\nevent: leased\n"));
    assert_eq!(follow(Some("x")).await.status(), 422);
    // A service that stops ends its streams.
    drop(service);
    assert!(matches!(stream.chunk().await, Ok(None) | Err(_)));
}

#[actix_web::test]
async fn a_paused_queue_hands_nothing_out_until_it_goes_on() {
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
    // What is leased of a paused queue can be ended.
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
