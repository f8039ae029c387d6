use super::{calls, deflate, gzip};
use crate::support::{Answer, Api, Scene, send};
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::json;

const FIX: &[u8] = br#"{"lat": 40.7484, "lon": -73.9857}"#;

async fn send_encoded(api: &Api, (method, path): (Method, &str), coding: &str, body: Vec<u8>) -> Answer {
    let request = api.request(method, path).header(CONTENT_TYPE, "application/json");
    send(request.header(CONTENT_ENCODING, coding).body(body)).await
}

#[actix_web::test]
async fn a_compressed_body_is_accepted_like_a_plain_one() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for (id, coding, body) in [
        ("a", "gzip", gzip(FIX)),
        ("b", "X-GZip", gzip(FIX)),
        ("c", "deflate", deflate(FIX)),
        ("d", "identity", FIX.to_vec()),
        ("e", "gzip, deflate", deflate(&gzip(FIX))),
    ] {
        let path = format!("/v1/drivers/{id}/position");
        let answer = send_encoded(&api, (Method::POST, &path), coding, body).await;
        assert_eq!(answer.status, 204, "{coding}: {answer:?}");
    }
    let found = api.nearby("lat=40.7484&lon=-73.9857").await;
    assert_eq!(found.ids().len(), 5, "{found:?}");
    // Larger than what is decoded at once, and in lines.
    let lines: Vec<String> = (0..5_000)
        .map(|n| format!("{{\"id\":\"n-{n}\",\"lat\":40.7,\"lon\":-73.9}}"))
        .collect();
    let lines = lines.join("\n");
    let batch = api
        .request(Method::POST, "/v1/drivers/positions")
        .header(CONTENT_TYPE, "application/x-ndjson");
    let batch = batch.header(CONTENT_ENCODING, "gzip").body(gzip(lines.as_bytes()));
    assert_eq!(send(batch).await.body["accepted"], 5_000);
}

#[actix_web::test]
async fn every_call_with_a_body_decodes_it_and_refuses_other_codings() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let mut count = 0;
    for (method, path, call) in calls(&api).await {
        if !call["requestBody"].is_object() {
            continue;
        }
        count += 1;
        let method: Method = method.parse().unwrap();
        let at = || (method.clone(), &*path);
        // It is decoded: its content is not an object.
        let decoded = send_encoded(&api, at(), "gzip", gzip(b"7")).await;
        assert!([401, 422].contains(&decoded.status), "{method} {path} {decoded:?}");
        let plain = send_encoded(&api, at(), "gzip", b"{}".to_vec()).await;
        assert!([400, 401].contains(&plain.status), "{method} {path} {plain:?}");
        for coding in ["br", "zstd", "gzip, gzip, gzip", "gzip;q=1"] {
            let request = api.request(method.clone(), &path).header(CONTENT_ENCODING, coding);
            let answer = request.json(&json!({})).send().await.unwrap();
            if answer.status() == 401 {
                continue;
            }
            assert_eq!(answer.status(), 415, "{method} {path} {coding}");
            assert_eq!(answer.headers()["accept-encoding"], "gzip, deflate", "{method} {path}");
        }
    }
    assert!(count > 20, "{count}");
}

#[actix_web::test]
async fn a_body_that_does_not_match_its_coding_is_refused_and_not_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let whole = gzip(FIX);
    let cut = whole[..whole.len() - 4].to_vec();
    let at = (Method::POST, "/v1/drivers/x/position");
    for (coding, body) in [
        ("gzip", FIX.to_vec()),
        ("deflate", FIX.to_vec()),
        ("gzip", cut),
        ("gzip", [&whole[..], b"!"].concat()),
        ("gzip, deflate", whole.clone()),
        ("deflate", whole),
    ] {
        let answer = send_encoded(&api, at.clone(), coding, body).await;
        answer.assert_problem(400, &[]);
    }
    assert_eq!(api.position("x").await.status, 404);
    // An empty body is empty in any coding, so an optional body may be omitted in this way too.
    let confirm = (Method::POST, "/v1/queues/q/redrive");
    let answer = send_encoded(&api, confirm, "gzip", Vec::new()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[actix_web::test]
async fn a_decompression_bomb_is_refused_at_the_limit_of_its_route() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let bomb = gzip(&vec![b' '; 12_000_000]);
    for (coding, body) in [("gzip", bomb.clone()), ("gzip, gzip", gzip(&bomb))] {
        for path in ["/v1/drivers/x/position", "/v1/drivers/positions"] {
            let answer = send_encoded(&api, (Method::POST, path), coding, body.clone()).await;
            answer.assert_problem(413, &[]);
        }
    }
}
