//! Long work yields the thread to other requests.

use super::{metric, others_are_served, times};
use crate::support::{Api, Raw, Scene, eventually};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::json;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::timeout;

const HELD: &str = "fleetpulse_http_body_bytes";
/// Bytes of a large body.
const LARGE: usize = 7_500_000;
const SOON: Duration = Duration::from_mins(1);
/// Requests that one client pipelines.
const COUNT: usize = 2_000;

/// Places this many entities within a kilometre.
async fn crowd(api: &Api, count: u32) {
    let fixes: Vec<_> = (0..count)
        .map(|n| json!({"id": format!("c-{n}"), "lat": 60.0 + f64::from(n) * 1e-7, "lon": 25}))
        .collect();
    api.place_all(&fixes).await;
}

#[actix_web::test]
async fn fruitless_searches_alternate_with_other_requests() {
    let scene = Scene::new().await.with(&["--workers=1"]);
    let service = scene.start().await;
    let api = service.drivers();
    crowd(&api, 20_000).await;
    let query = json!({"lat": 60, "lon": 25, "radius_m": 10_000, "status": "unknown"});
    let queries = json!(times(20, &query));
    let searching = Cell::new(0);
    let mut searches: FuturesUnordered<_> = (0..4)
        .map(|_| {
            let (api, queries) = (api.clone(), &queries);
            async move { api.nearby_many(queries.clone()).await }
        })
        .collect();
    let others = async {
        let mut served = 0;
        while searching.get() < 4 {
            others_are_served(&api).await;
            served += 1;
        }
        served
    };
    let all = async {
        while let Some(answer) = searches.next().await {
            assert_eq!(answer.body["results"], json!(times(20, &json!([]))));
            assert_eq!(answer.body.get("truncated"), None);
            searching.set(searching.get() + 1);
        }
    };
    let (served, ()) = timeout(SOON, async { tokio::join!(others, all) })
        .await
        .expect("it ends");
    // Eighty searches of five steps each: other requests ran in between.
    assert!(served > 20, "{served}");
}

#[actix_web::test]
async fn large_bodies_do_not_block_other_requests() {
    let scene = Scene::new().await.with(&["--workers=1"]);
    let service = scene.start().await;
    let api = service.drivers();
    // All of it is read, and nothing is changed.
    let job = json!({"type": "t", "payload": times(30_000, &json!(0))});
    let mut jobs = times(LARGE / 60_000, &job);
    jobs.push(json!({"type": "t", "priority": -1}));
    let ends = json!({"jobs": times(LARGE / 60_000, &json!({"id": "?", "end": "complete", "result": job["payload"]}))});
    let entries: Vec<_> = (0..LARGE / 60_000)
        .map(|n| json!({"key": format!("k{n}"), "value": job["payload"], "ttl_s": -i32::from(n > 20)}))
        .collect();
    for (path, body) in [
        ("/v1/queues/q/jobs", json!(jobs)),
        ("/v1/queues/q/settle", ends),
        ("/v1/cache/n", json!({ "set": entries })),
    ] {
        let body = serde_json::to_vec(&body).unwrap();
        let length = body.len();
        let (most, last) = body.split_at(length - 1);
        let mut client = Raw::connect(&service.url()).await;
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        client.send(head).await.send(most).await;
        eventually(SOON, "it is there but for its end", async || {
            (metric(&api, HELD).await >= most.len() as u64).then_some(())
        })
        .await;
        let is_over = Cell::new(false);
        let reading = async {
            let answer = client.send(last).await.head().await;
            is_over.set(true);
            answer
        };
        let others = async {
            let mut served = 0;
            while !is_over.get() {
                others_are_served(&api).await;
                served += 1;
            }
            served
        };
        let (answer, served) = timeout(SOON, async { tokio::join!(reading, others) })
            .await
            .expect("it ends");
        assert!(answer.starts_with("HTTP/1.1 422 "), "{path}: {answer}");
        // Parsed without a pause, it leaves time for one or two.
        assert!(served > 5, "{path}: {served}");
    }
}

#[actix_web::test]
async fn pipelined_requests_of_one_client_alternate_with_those_of_others() {
    let scene = Scene::new().await.with(&["--workers=1"]);
    let service = scene.start().await;
    let api = service.drivers();
    crowd(&api, 3_000).await;
    let get = "GET /v1/drivers/nearby?lat=60&lon=25&status=unknown HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut client = Raw::connect(&service.url()).await;
    let done = Cell::new(false);
    let pipelined = async {
        client.send(get.repeat(COUNT)).await;
        let answered = client.count("\"results\":[]", COUNT).await;
        done.set(true);
        answered
    };
    let others = async {
        let mut served = 0;
        while !done.get() {
            others_are_served(&api).await;
            served += 1;
        }
        served
    };
    let (answered, served) = timeout(SOON, async { tokio::join!(pipelined, others) })
        .await
        .expect("it ends");
    assert_eq!(answered, COUNT);
    assert!(served > 20, "{served}");
}
