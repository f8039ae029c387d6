//! JSON that the service stores is returned exactly as it was sent, to the last digit, on every route.

use crate::jobs::presets::with_webhook;
use crate::support::{Api, Receiver, Scene};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// No double represents any of these exactly, and the members are not in alphabetical order.
const NUMBERS: &str =
    r#"{"z":18446744073709551616,"p":1.10,"e":1E5,"m":-0,"d":0.1000000000000000055,"n":[1.0,{"t":"\u00e9"}]}"#;

/// The text of an answer to a body that is sent as it is.
async fn text(request: RequestBuilder, body: String) -> String {
    let request = request.header("content-type", "application/json").body(body);
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{status}: {text}");
    text
}

async fn get(api: &Api, path: &str) -> String {
    text(api.request(Method::GET, path), String::new()).await
}

#[track_caller]
fn assert_kept(answer: &str) {
    assert!(answer.contains(NUMBERS), "{answer}");
}

#[actix_web::test]
async fn data_and_devices_of_sessions_are_kept_and_merged_as_they_are_written() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let spaced = NUMBERS.replace(',', " ,\n ").replace(':', " : ");
    let body = format!(r#"{{"subject":"anna","device":{{"d":{spaced}}},"data":{{"kept":{spaced},"gone":1.50}}}}"#);
    let created = text(api.request(Method::POST, "/v1/sessions"), body).await;
    let device = format!(r#""device":{{"d":{NUMBERS}}}"#);
    assert!(created.contains(&device), "{created}");
    assert_kept(&created);
    let token = serde_json::from_str::<Value>(&created).unwrap()["token"].clone();
    let token = token.as_str().unwrap();
    let current = |method| api.request(method, "/v1/sessions/current").bearer_auth(token);
    let patch =
        format!(r#"{{"version":1,"data":{{"gone":null,"deep":{{"er":{{"x":null,"y":9.00}}}},"more":{NUMBERS}}}}}"#);
    let merged = text(current(Method::PATCH), patch).await;
    let data = format!(r#""data":{{"kept":{NUMBERS},"deep":{{"er":{{"y":9.00}}}},"more":{NUMBERS}}}"#);
    assert!(merged.contains(&data), "{merged}");
    let read = text(current(Method::GET), String::new()).await;
    assert!(read.contains(&data), "{read}");
    assert!(get(&api, "/v1/subjects/anna/sessions").await.contains(&device));
}

#[actix_web::test]
async fn attributes_of_profiles_keep_the_digits_of_their_numbers() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let attributes = |numbers: [&str; 3]| {
        let [a, b, c] = numbers;
        format!(r#""attributes":{{"a":{a},"b":{b},"c":{c},"t":"x"}}"#)
    };
    let put = attributes(["18446744073709551616", "1.10", "1E5"]);
    text(api.request(Method::PUT, "/v1/drivers/d-1"), format!("{{{put}}}")).await;
    assert!(get(&api, "/v1/drivers/d-1").await.contains(&put));
    // Those of a position, by itself and in a batch, as well; another instance receives the same.
    let sent = attributes(["2.50", "9007199254740993", "1e400"]);
    let position = format!(r#"{{"lat":1,"lon":2,{sent}}}"#);
    text(api.request(Method::POST, "/v1/drivers/d-1/position"), position).await;
    assert!(get(&api, "/v1/drivers/d-1").await.contains(&sent));
    let batch = attributes(["-0.0", "3.14159265358979323846", "0.10"]);
    let body = format!(r#"[{{"id":"d-2","lat":1,"lon":2,{batch}}}]"#);
    text(api.request(Method::POST, "/v1/drivers/positions"), body).await;
    let other = scene.start().await;
    let found = get(&other.drivers(), "/v1/drivers/nearby?lat=1&lon=2&radius_m=1000").await;
    assert!(found.contains(&sent) && found.contains(&batch), "{found}");
}

#[actix_web::test]
async fn payloads_results_progress_and_values_are_kept_as_sent() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let post = async |path: &str, body: String| text(api.request(Method::POST, path), body).await;
    post("/v1/queues/q/jobs", format!(r#"[{{"type":"t","payload":{NUMBERS}}}]"#)).await;
    let leased = post("/v1/queues/q/lease", "{}".to_owned()).await;
    assert_kept(&leased);
    let job = serde_json::from_str::<Value>(&leased).unwrap()["jobs"][0].clone();
    let (id, token) = (job["id"].as_str().unwrap(), job["token"].as_str().unwrap());
    let progress = format!(r#"{{"token":"{token}","progress":{NUMBERS}}}"#);
    post(&format!("/v1/jobs/{id}/progress"), progress).await;
    assert_kept(&get(&api, &format!("/v1/jobs/{id}")).await);
    let result = format!(r#"{{"token":"{token}","result":{NUMBERS}}}"#);
    post(&format!("/v1/jobs/{id}/complete"), result).await;
    let done = get(&api, &format!("/v1/jobs/{id}")).await;
    assert_eq!(done.matches(NUMBERS).count(), 3, "{done}");
    let schedule = format!(r#"{{"every_ms":86400000,"job":{{"type":"t","payload":{NUMBERS}}}}}"#);
    assert_kept(&text(api.request(Method::PUT, "/v1/queues/q/schedules/s"), schedule).await);
    assert_kept(&get(&api, "/v1/queues/q/schedules").await);
    text(
        api.request(Method::PUT, "/v1/cache/n/k"),
        format!(r#"{{"value":{NUMBERS}}}"#),
    )
    .await;
    assert_kept(&get(&api, "/v1/cache/n/k").await);
    assert_kept(&post("/v1/cache/n", r#"{"get":["k"]}"#.to_owned()).await);
}

#[actix_web::test]
async fn a_webhook_receives_the_payload_as_sent() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver);
    let service = scene.start().await;
    let api = service.drivers();
    let job = format!(r#"{{"type":"notification","payload":{{"title":"Hi","body":"There","data":{NUMBERS}}}}}"#);
    text(api.request(Method::POST, "/v1/queues/platform/jobs"), job).await;
    assert_kept(&receiver.wait_for(1).await[0].body);
}
