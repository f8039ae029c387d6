//! All faults of an invalid request are reported at once, and nothing is stored in Redis.

use super::*;

/// The keys of queues; not the list of those in use, in which the service's own is from the start.
async fn keys_in_redis(scene: &Scene) -> Vec<String> {
    scene.stored("q:").await
}

#[actix_web::test]
async fn an_invalid_job() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let year_ms = 366_u64 * 86_400_000;
    let faults: [(Value, &[&str]); 31] = [
        (body!({}), &["/type"]),
        (body!(7), &[""]),
        (body!([]), &[""]),
        (body!([{"type": "a"}, 7]), &["/1"]),
        (body!({"type": ""}), &["/type"]),
        (body!({"type": "a b"}), &["/type"]),
        (body!({"type": 7}), &["/type"]),
        (body!({"type": "a", "priority": 1_001}), &["/priority"]),
        (body!({"type": "a", "priority": -1}), &["/priority"]),
        (body!({"type": "a", "priority": 1.5}), &["/priority"]),
        (body!({"type": "a", "delay_ms": year_ms + 1}), &["/delay_ms"]),
        (body!({"type": "a", "delay_ms": -1}), &["/delay_ms"]),
        (body!({"type": "a", "delay_ms": 1, "run_at": 1}), &["/run_at"]),
        (body!({"type": "a", "run_at": "tomorrow"}), &["/run_at"]),
        (body!({"type": "a", "run_at": "2199-01-01T00:00:00Z"}), &["/run_at"]),
        (body!({"type": "a", "run_at": 1e300}), &["/run_at"]),
        (body!({"type": "a", "run_at": u64::MAX}), &["/run_at"]),
        (body!({"type": "a", "max_attempts": 0}), &["/max_attempts"]),
        (body!({"type": "a", "max_attempts": 101}), &["/max_attempts"]),
        (body!({"type": "a", "backoff": 7}), &["/backoff"]),
        (
            body!({"type": "a", "backoff": {"kind": "x", "jitter": 2}}),
            &["/backoff/kind", "/backoff/jitter"],
        ),
        (body!({"type": "a", "backoff": {"base_ms": -1}}), &["/backoff/base_ms"]),
        (body!({"type": "a", "timeout_ms": 86_400_001}), &["/timeout_ms"]),
        (body!({"type": "a", "unique_key": "a\nb"}), &["/unique_key"]),
        (
            body!({"type": "a", "unique_key": "k", "unique_for_ms": 0}),
            &["/unique_for_ms"],
        ),
        (
            body!({"type": "a", "unique_key": "k", "unique_mode": "x"}),
            &["/unique_mode"],
        ),
        (
            body!({"type": "a", "unique_mode": "replace", "unique_for_ms": 1_000}),
            &["/unique_mode", "/unique_for_ms"],
        ),
        (body!({"type": "a", "keep_result_s": 31_622_401}), &["/keep_result_s"]),
        (body!({"type": "a", "payload": "x".repeat(65_535)}), &["/payload"]),
        (
            body!([{"type": "a"}, {"type": "b", "priority": 7_000}, {"payload": 1}]),
            &["/1/priority", "/2/type"],
        ),
        (
            body!([{"type": "a"}, {"type": "a", "run_at": 9_000_000_000_000_u64}]),
            &["/1/run_at"],
        ),
    ];
    for (body, pointers) in faults {
        let answer = api.post("/v1/queues/q/jobs", body.clone()).await;
        answer.assert_problem(422, pointers);
    }
    let many: Vec<Value> = (0..1_001).map(|_| body!({"type": "a"})).collect();
    api.post("/v1/queues/q/jobs", body!(many))
        .await
        .assert_problem(422, &[""]);
    let types: Vec<Value> = (0..65).map(|n| body!({"type": format!("t{n}")})).collect();
    api.post("/v1/queues/q/jobs", body!(types))
        .await
        .assert_problem(409, &[]);
    let kept = keys_in_redis(&scene).await;
    assert!(kept.is_empty(), "{kept:?}");
    // It has not registered a queue either.
    let queues = api.get("/v1/queues").await.body;
    assert!(!queues.to_string().contains("\"q\""), "{queues}");
    // `null` counts as not given: the default applies.
    let taken = body!({"type": "a", "payload": null, "priority": null, "backoff": null});
    assert_eq!(api.post("/v1/queues/q/jobs", taken).await.status, 201);
    assert_eq!(api.lease("q", body!({})).await[0]["payload"], Value::Null);
}

#[actix_web::test]
async fn an_invalid_lease_request() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let ids = api.add("q", body!([{"type": "a"}])).await;
    let faults: [(Value, &[&str]); 10] = [
        (body!([]), &[""]),
        (body!({"count": 0}), &["/count"]),
        (body!({"count": 1_001}), &["/count"]),
        (body!({"lease_ms": 0}), &["/lease_ms"]),
        (body!({"lease_ms": 3_600_001}), &["/lease_ms"]),
        (body!({"wait_ms": -1}), &["/wait_ms"]),
        (body!({"wait_ms": 60_001}), &["/wait_ms"]),
        (body!({"types": "a"}), &["/types"]),
        (body!({"types": ["a", "b c", 7]}), &["/types/1", "/types/2"]),
        (body!({"count": "1", "wait_ms": 1.5}), &["/count", "/wait_ms"]),
    ];
    for (body, pointers) in faults {
        api.post("/v1/queues/q/lease", body.clone())
            .await
            .assert_problem(422, pointers);
    }
    let leased = api.lease("q", body!({})).await;
    let (path, token) = (format!("/v1/jobs/{}", ids[0]), &leased[0]["token"]);
    let big = "x".repeat(65_535);
    let faults: [(&str, Value, &[&str]); 19] = [
        ("complete", body!({}), &["/token"]),
        ("complete", body!({"token": "short"}), &["/token"]),
        ("complete", body!({"token": "----------------"}), &["/token"]),
        ("complete", body!({"token": token, "result": big}), &["/result"]),
        (
            "complete",
            body!({"token": token, "result": 1, "then": {"delay_ms": 1}}),
            &["/result"],
        ),
        ("complete", body!({"token": token, "then": {}}), &["/then/delay_ms"]),
        (
            "complete",
            body!({"token": token, "then": {"delay_ms": 1, "type": "a b"}}),
            &["/then/type"],
        ),
        (
            "complete",
            body!({"token": token, "then": {"delay_ms": 1, "payload": big}}),
            &["/then/payload"],
        ),
        (
            "complete",
            body!({"token": token, "lease_next": {"count": 0}}),
            &["/lease_next/count"],
        ),
        ("fail", body!({"token": token}), &["/error"]),
        (
            "fail",
            body!({"token": token, "error": "x", "retry": "soon"}),
            &["/retry"],
        ),
        ("fail", body!({"token": token, "error": "x", "retry": -1}), &["/retry"]),
        ("fail", body!({"token": token, "error": 7}), &["/error"]),
        (
            "fail",
            body!({"token": token, "error": "x", "result": 1, "then": {"delay_ms": 1}}),
            &["/result", "/then"],
        ),
        ("extend", body!({"token": token}), &["/lease_ms"]),
        ("extend", body!({"token": token, "lease_ms": 0}), &["/lease_ms"]),
        ("progress", body!({"token": token}), &["/progress"]),
        (
            "progress",
            body!({"token": token, "progress": "x".repeat(4_095)}),
            &["/progress"],
        ),
        ("progress", body!(7), &[""]),
    ];
    for (call, body, pointers) in faults {
        let answer = api.post(&format!("{path}/{call}"), body).await;
        answer.assert_problem(422, pointers);
    }
    let faults: [(Value, &[&str]); 6] = [
        (body!({}), &["/jobs"]),
        (body!({"jobs": 7}), &["/jobs"]),
        (body!({"jobs": [7]}), &["/jobs/0"]),
        (
            body!({"jobs": [{"id": "x", "token": token, "end": "complete"}]}),
            &["/jobs/0/id"],
        ),
        (
            body!({"jobs": [{"id": ids[0], "token": token, "end": "lose"}]}),
            &["/jobs/0/end"],
        ),
        (
            body!({"jobs": [{"id": ids[0], "token": token, "end": "complete"}, {"id": ids[0], "token": token, "end": "release"}]}),
            &["/jobs/1/id"],
        ),
    ];
    for (body, pointers) in faults {
        api.post("/v1/queues/q/settle", body)
            .await
            .assert_problem(422, pointers);
    }
    // Of another queue.
    let foreign = body!({"jobs": [{"id": ids[0], "token": token, "end": "complete"}]});
    api.post("/v1/queues/other/settle", foreign)
        .await
        .assert_problem(422, &["/jobs/0/id"]);
    assert_eq!(
        api.get(&path).await.body["state"],
        "leased",
        "none of this did anything"
    );
}

#[actix_web::test]
async fn types_without_a_lease_are_refused() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let stranger = |kind: &str| body!({"token": "AAAAAAAAAAAAAAAA", "then": {"type": kind, "delay_ms": 0}});
    let unknown = "/v1/jobs/ghost.AAAAAAAAAAAAA/complete";
    api.post(unknown, stranger("x")).await.assert_problem(404, &[]);
    let kept = keys_in_redis(&scene).await;
    assert!(kept.is_empty(), "{kept:?}");
    // It is refused for an existing job too: with the token of another, or with its own if that was used already.
    let ids = api.add("q", body!([{"type": "a"}, {"type": "a"}])).await;
    let leased = api.lease("q", body!({"count": 2})).await;
    api.complete(&leased[1]).await;
    let late = leased[1]["token"].as_str().unwrap();
    for n in 0..64 {
        let path = format!("/v1/jobs/{}/complete", ids[0]);
        let answer = api.post(&path, stranger(&format!("x{n}"))).await;
        answer.assert_problem(409, &[]);
        let again = body!({"token": late, "then": {"type": format!("y{n}"), "delay_ms": 0}});
        let answer = api.post(&format!("/v1/jobs/{}/complete", ids[1]), again).await;
        answer.assert_problem(409, &[]);
    }
    let types: Option<usize> = scene
        .redis
        .query(
            redis::cmd("HGET")
                .arg(&scene.keys().queue(&id_of("q"), 1)[0])
                .arg("types"),
        )
        .await;
    assert_eq!(types, Some(1));
    // The holder of the token can.
    let then = body!({"token": leased[0]["token"], "then": {"type": "b", "delay_ms": 0}});
    let on = api.post(&format!("/v1/jobs/{}/complete", ids[0]), then).await;
    assert_eq!((on.status, &on.body["state"]), (200, &body!("delayed")));
    assert_eq!(api.lease("q", body!({"wait_ms": 5_000})).await[0]["type"], "b");
    Books::read(&scene, &id_of("q")).await.balance();
}

#[actix_web::test]
async fn unreadable_bodies() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    for path in [
        "/v1/queues/q/jobs",
        "/v1/queues/q/lease",
        "/v1/queues/q/settle",
        "/v1/queues/q/redrive",
        "/v1/jobs/q.AAAAAAAAAAAAA/complete",
        "/v1/jobs/q.AAAAAAAAAAAAA/fail",
        "/v1/jobs/q.AAAAAAAAAAAAA/extend",
        "/v1/jobs/q.AAAAAAAAAAAAA/progress",
    ] {
        let request = || {
            api.0
                .request(Method::POST, path)
                .header("content-type", "application/json")
        };
        for body in ["{", "nonsense", "{\"type\":\"a\"}}", "\u{0}", "\"\u{1}\""] {
            send(request().body(body)).await.assert_problem(400, &[]);
        }
        send(request().body(b"{\"type\":\"\xff\"}".to_vec()))
            .await
            .assert_problem(400, &[]);
        let status = send(request().body("[".repeat(100_000))).await.status;
        assert!(status == 400 || status == 422, "{path}: {status}");
        let text = api.0.request(Method::POST, path).header("content-type", "text/plain");
        send(text.body("{}")).await.assert_problem(415, &[]);
    }
    let large = api
        .0
        .request(Method::POST, "/v1/queues/q/jobs")
        .header("content-type", "application/json");
    send(large.body(" ".repeat(8 * 1024 * 1024 + 1)))
        .await
        .assert_problem(413, &[]);
    // Nested as deep as it may be sent, the payload is returned unchanged.
    let deep = |depth: usize| {
        format!(
            "{{\"type\":\"a\",\"payload\":{}1{}}}",
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    let request = || {
        api.0
            .request(Method::POST, "/v1/queues/q/jobs")
            .header("content-type", "application/json")
    };
    send(request().body(deep(65))).await.assert_problem(422, &["/payload"]);
    assert_eq!(send(request().body(deep(64))).await.status, 201);
    let own = r#"{"type":"a","payload":{"$serde_json::private::RawValue":"{"}}"#;
    assert_eq!(send(request().body(own)).await.status, 201);
    let own = r#"{"type":"a","priority":{"$serde_json::private::RawValue":"{"}}"#;
    send(request().body(own)).await.assert_problem(422, &["/priority"]);
    let lease = api
        .0
        .request(Method::POST, "/v1/queues/q/lease")
        .json(&body!({"count": 9}));
    let leased = lease.send().await.unwrap().text().await.unwrap();
    assert!(
        leased.contains(r#""payload":{"$serde_json::private::RawValue":"{"}"#),
        "{leased}"
    );
}

#[actix_web::test]
async fn invalid_names_query_parameters_and_methods() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let (long, longer) = ("x".repeat(115), "x".repeat(129));
    for name in ["%7Bl%7D", "a%20b", "l%0A", "caf%C3%A9", "%00", &long, &longer] {
        for (path, body) in [
            ("jobs", body!({"type": "a"})),
            ("lease", body!({})),
            ("pause", body!({})),
        ] {
            let answer = api.post(&format!("/v1/queues/{name}/{path}"), body).await;
            answer.assert_problem(422, &["/queue"]);
        }
        api.get(&format!("/v1/queues/{name}"))
            .await
            .assert_problem(422, &["/queue"]);
    }
    api.delete("/v1/queues/q/unique/a%0Ab")
        .await
        .assert_problem(422, &["/key"]);
    for path in [
        "/v1/queues/q?x=1",
        "/v1/queues?x=1",
        "/v1/jobs/q.AAAAAAAAAAAAA?x=1",
        "/v1/queues/q/jobs?state=ready&x=1",
        "/v1/queues/q/events?x=1",
    ] {
        api.get(path).await.assert_problem(400, &[]);
    }
    for (path, pointer) in [
        ("/v1/queues/q/jobs", "/state"),
        ("/v1/queues/q/jobs?state=waiting", "/state"),
        ("/v1/queues/q/jobs?state=ready&limit=0", "/limit"),
        ("/v1/queues/q/jobs?state=ready&limit=101", "/limit"),
        ("/v1/queues/q/jobs?state=ready&cursor=x", "/cursor"),
        ("/v1/queues/q/events?after=x", "/after"),
        ("/v1/queues/q/events?after=$", "/after"),
        ("/v1/queues/q/events?wait_ms=60001", "/wait_ms"),
        ("/v1/queues?limit=x", "/limit"),
    ] {
        api.get(path).await.assert_problem(422, &[pointer]);
    }
    api.post("/v1/queues/q/redrive", body!({"limit": 0}))
        .await
        .assert_problem(422, &["/limit"]);
    assert!(keys_in_redis(&scene).await.is_empty());
    let kept = "x".repeat(114);
    let id = api.add(&kept, body!({"type": "a"})).await.remove(0);
    assert_eq!((id.len(), api.get(&format!("/v1/jobs/{id}")).await.status), (128, 200));
}
