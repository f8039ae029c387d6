//! Lists of jobs, and the events of a queue.

use super::*;
use futures_util::join;
use serde_json::json as value;

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
    // A call that waits after the last known event, and a stream, receive the gap as well.
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
async fn lists_and_events_show_current_and_past_jobs() {
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
    let kinds: Vec<_> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["event"])
        .collect();
    assert_eq!(kinds, ["added", "leased", "completed"]);
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
async fn events_are_streamed_and_resume_after_the_last_id_of_the_client() {
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
    let sent = rest.strip_prefix("event: added\ndata: ").unwrap();
    assert!(sent.ends_with("\n\n"), "{sent:?}");
    assert_eq!(serde_json::from_str::<Value>(sent).unwrap(), data);
    assert_eq!(api.lease("q", value!({})).await.len(), 1);
    assert!(next(&mut stream).await.contains("\nevent: leased\n"));
    assert!(next(&mut follow(Some(id)).await).await.contains("\nevent: leased\n"));
    assert_eq!(follow(Some("x")).await.status(), 422);
    // A service that stops ends its streams.
    drop(service);
    assert!(matches!(stream.chunk().await, Ok(None) | Err(_)));
}
