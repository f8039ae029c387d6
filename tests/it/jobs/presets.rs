//! The built-in jobs: their validation and their effects, with a real receiver of webhooks.

use super::{Books, SOON, id_of};
use crate::support::{Answer, Api, HttpAnswer, Receiver, Redis, Scene, Service, eventually, send};
use fleetpulse::builtin_jobs::webhook::Secret;
use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(super) const QUEUE: &str = "/v1/queues/platform";

/// A service that may call receivers on this machine.
pub fn with_webhook(scene: Scene, receiver: &Receiver) -> Scene {
    scene.with(&[
        &format!("--webhook-urls={}/hook", receiver.url),
        &format!("--webhook-secrets={SECRET}"),
        "--outgoing-allow=127.0.0.1",
        "--outgoing-timeout=1000",
    ])
}

pub(super) async fn put(api: &Api, job: Value) -> String {
    let answer = send(api.request(Method::POST, &format!("{QUEUE}/jobs")).json(&job)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.body["jobs"][0]["id"].as_str();
    id.unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

async fn job(api: &Api, id: &str) -> Value {
    let answer = api.get(&format!("/v1/jobs/{id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

pub(super) async fn reaches(api: &Api, id: &str, state: &str) -> Value {
    eventually(SOON, &format!("the job is {state}"), async || {
        let job = job(api, id).await;
        (job["state"] == state).then_some(job)
    })
    .await
}

fn notification() -> Value {
    json!({"type":"notification","payload":{"title":"Hello","body":"There you are","data":{"trip":7}}})
}

async fn refused(api: &Api, job: Value) -> Answer {
    let answer = send(api.request(Method::POST, &format!("{QUEUE}/jobs")).json(&job)).await;
    assert_eq!(answer.status, 422, "{job}: {answer:?}");
    answer
}

#[actix_web::test]
async fn a_notification_is_sent_once_with_a_valid_signature() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver);
    let service = scene.start().await;
    let api = service.drivers();
    let id = put(&api, notification()).await;
    let done = reaches(&api, &id, "done").await;
    // With the default terms of its type.
    assert_eq!(
        (&done["max_attempts"], &done["backoff"]["base_ms"]),
        (&json!(15), &json!(5_000)),
        "{done}"
    );
    let received = receiver.wait_for(1).await;
    let message = &received[0];
    let header = |name: &str| message.headers[name].as_str();
    assert_eq!(
        (message.path.as_str(), header("content-type")),
        ("/hook", "application/json")
    );
    assert_eq!(header("webhook-id"), id.replace('.', ":"));
    let timestamp: i64 = header("webhook-timestamp").parse().unwrap();
    let signature = Secret::parse(SECRET)
        .unwrap()
        .sign(header("webhook-id"), timestamp, message.body.as_bytes());
    assert_eq!(header("webhook-signature"), signature);
    let body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(
        (&body["type"], &body["data"]["title"]),
        (&json!("notification"), &json!("Hello"))
    );
    assert_eq!(body["data"]["data"], json!({"trip":7}));
    assert_eq!(receiver.received().len(), 1);
}

#[actix_web::test]
async fn a_given_backoff_overrides_that_of_the_type() {
    let scene = Scene::new().await.with(&["--work-concurrency=0"]);
    let service = scene.start().await;
    let api = service.drivers();
    let hours = 8 * 3_600_000;
    for (said, base, max, jitter) in [
        (json!({"jitter":0}), 5_000, hours, 0.0),
        (json!({"base_ms":hours + 1}), hours + 1, hours + 1, 0.2),
        (json!({"max_ms":9}), 5_000, 9, 0.2),
        (json!({}), 5_000, hours, 0.2),
    ] {
        let mut new = notification();
        new["backoff"] = said;
        let id = put(&api, new).await;
        let expected = json!({"kind":"exponential","base_ms":base,"max_ms":max,"jitter":jitter});
        assert_eq!(job(&api, &id).await["backoff"], expected);
    }
    // Other webhooks use the general one.
    let elsewhere = api.request(Method::POST, "/v1/queues/mine/jobs");
    let new = json!({"type":"send-email","backoff":{"kind":"fixed"}});
    let answer = send(elsewhere.json(&new)).await;
    let id = answer.body["jobs"][0]["id"].as_str().unwrap();
    let expected = json!({"kind":"fixed","base_ms":1_000,"max_ms":600_000,"jitter":0.2});
    assert_eq!(job(&api, id).await["backoff"], expected);
}

#[actix_web::test]
async fn a_failed_notification_is_retried_with_the_same_id() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver).with(&["--circuit-failures=100"]);
    let service = scene.start().await;
    let api = service.drivers();
    let retry_after = HttpAnswer(503, vec![("retry-after", "1".to_owned())], Duration::ZERO);
    receiver.answer_with([500.into(), retry_after, 404.into(), 307.into()]);
    let mut new = notification();
    new["backoff"] = json!({"kind":"fixed","base_ms":20,"jitter":0});
    let id = put(&api, new).await;
    let done = reaches(&api, &id, "done").await;
    assert_eq!(done["attempts"], 5, "{done}");
    let received = receiver.received();
    let ids: Vec<&String> = received.iter().map(|message| &message.headers["webhook-id"]).collect();
    assert_eq!(ids.len(), 5);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    // The body is the same as well: a repetition does not change the time of the event.
    assert!(received.iter().all(|message| message.body == received[0].body));
    let body: Value = serde_json::from_str(&received[0].body).unwrap();
    assert_eq!(body["timestamp"], done["created_at"]);
    // The second delay is that of `Retry-After`.
    let failures = done["errors"].as_array().unwrap();
    assert!(failures[1]["error"].as_str().unwrap().contains("503"), "{done}");
}

#[actix_web::test]
async fn an_outage_of_a_webhook_makes_no_waiting_job_dead() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver).with(&["--circuit-failures=2", "--circuit-rest=50"]);
    let service = scene.start().await;
    let api = service.drivers();
    receiver.answer_with([500; 12]);
    let mut new = notification();
    new["max_attempts"] = json!(3);
    new["backoff"] = json!({"kind":"fixed","base_ms":2_000,"jitter":0});
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(put(&api, new.clone()).await);
    }
    let mut attempts = 0;
    for id in &ids {
        attempts += reaches(&api, id, "done").await["attempts"].as_u64().unwrap();
    }
    // Only sent notifications count.
    assert_eq!((attempts, receiver.received().len()), (42, 42));
    Books::read(&scene, &id_of("platform")).await.balance();
}

#[actix_web::test]
async fn a_notification_that_is_refused_for_good_is_dead_at_once() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver);
    let service = scene.start().await;
    let api = service.drivers();
    receiver.answer_with([410]);
    let id = put(&api, notification()).await;
    let dead = reaches(&api, &id, "dead").await;
    assert_eq!(dead["attempts"], 1, "{dead}");
    let mut unknown = notification();
    unknown["payload"]["webhook"] = json!("elsewhere");
    let id = put(&api, unknown).await;
    let dead = reaches(&api, &id, "dead").await;
    assert!(
        dead["errors"][0]["error"].as_str().unwrap().contains("not configured"),
        "{dead}"
    );
}

#[actix_web::test]
async fn a_webhook_that_hangs_longer_than_an_attempt_opens_the_circuit() {
    let receiver = Receiver::start();
    let settings = ["--outgoing-timeout=60000", "--circuit-failures=1"];
    let scene = with_webhook(Scene::new().await, &receiver).with(&settings);
    let service = scene.start().await;
    let api = service.drivers();
    receiver.answer_with([HttpAnswer(204, Vec::new(), SOON)]);
    let mut new = notification();
    new["timeout_ms"] = json!(3_000);
    new["max_attempts"] = json!(1);
    let id = put(&api, new.clone()).await;
    let dead = reaches(&api, &id, "dead").await;
    assert_eq!(dead["errors"][0]["error"], "the host did not answer in time", "{dead}");
    let id = put(&api, new).await;
    let waits = reaches(&api, &id, "delayed").await;
    let error = waits["errors"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("the host failed recently"), "{waits}");
    assert_eq!(receiver.received().len(), 1);
}

#[actix_web::test]
async fn a_webhook_in_the_internal_network_is_called_only_if_allowed() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver).with(&["--outgoing-allow=192.0.2.0/24"]);
    let service = scene.start().await;
    let api = service.drivers();
    let id = put(&api, notification()).await;
    let dead = reaches(&api, &id, "dead").await;
    assert!(
        dead["errors"][0]["error"].as_str().unwrap().contains("OUTGOING_ALLOW"),
        "{dead}"
    );
    assert!(receiver.received().is_empty());
}

#[actix_web::test]
async fn the_templates_contain_the_added_item() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver);
    let service = scene.start().await;
    let api = service.drivers();
    let payload = json!({"vendor_id":"v-1","user_id":"u-1","item_id":"i-1","item_name":"E-bike","quantity":2});
    for (kind, words) in [
        ("vendor_cart_add", "2 × E-bike was put into a cart."),
        ("vendor_wishlist_add", "2 × E-bike was put onto a wish list."),
    ] {
        let id = put(&api, json!({"type":kind,"payload":payload})).await;
        reaches(&api, &id, "done").await;
        let received = receiver.received();
        let body: Value = serde_json::from_str(&received.last().unwrap().body).unwrap();
        assert_eq!((&body["type"], &body["data"]["body"]), (&json!(kind), &json!(words)));
        assert_eq!(body["data"]["data"]["vendor_id"], "v-1");
    }
}

#[actix_web::test]
async fn a_commission_is_exact_and_its_result_is_kept() {
    let scene = Scene::new().await.with(&["--commission-rate=0.125"]);
    let service = scene.start().await;
    let api = service.drivers();
    let id = put(
        &api,
        json!({"type":"commission","payload":{"amount":"0.30","currency":"EUR","scale":3}}),
    )
    .await;
    let done = reaches(&api, &id, "done").await;
    // 0.0375, halves away from zero.
    assert_eq!(done["result"]["commission"], "0.038", "{done}");
    assert_eq!(done["result"]["rate"], "0.125");
    let id = put(
        &api,
        json!({"type":"commission","payload":{"amount":"19.99","rate":"0.15"}}),
    )
    .await;
    assert_eq!(reaches(&api, &id, "done").await["result"]["commission"], "3.00");
}

#[actix_web::test]
async fn ended_sessions_are_removed_from_their_lists() {
    let scene = Scene::new().await;
    let service: Service = scene.start().await;
    let api = service.drivers();
    for n in 0..30 {
        let subject = format!("user-{}", n % 10);
        // Of each subject two end soon and one continues.
        let idle = if n < 20 { 1 } else { 600 };
        let new = json!({"subject":subject,"idle_ttl_s":idle});
        let made = send(api.request(Method::POST, "/v1/sessions").json(&new)).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    eventually(SOON, "twenty have ended", async || {
        (scene.stored("session:").await.len() == 10).then_some(())
    })
    .await;
    let id = put(&api, json!({"type":"cleanup_expired_sessions"})).await;
    let done = reaches(&api, &id, "done").await;
    assert_eq!(done["result"], json!({"looked_at":30,"removed":20}), "{done}");
    let id = put(&api, json!({"type":"cleanup_expired_sessions","payload":{}})).await;
    assert_eq!(
        reaches(&api, &id, "done").await["result"],
        json!({"looked_at":10,"removed":0})
    );
}

#[actix_web::test]
async fn warming_the_cache_as_a_job_ends_at_once_if_nothing_is_to_be_warmed() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for job in [
        json!({"type":"cache_warmup"}),
        json!({"type":"cache_warmup","payload":{}}),
    ] {
        let id = put(&api, job).await;
        assert_eq!(reaches(&api, &id, "done").await["result"], json!({"warmed":0}));
    }
    // An instance that warms nothing takes no lease that would stop another one.
    let lease: Option<String> = scene.redis.query(cmd("GET").arg(scene.keys().cache_warming())).await;
    assert_eq!(lease, None);
}

#[actix_web::test]
async fn an_invalid_payload_is_refused_with_its_pointer_and_not_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let pointers = |answer: &Answer| -> Vec<String> {
        let errors = answer.body["errors"].as_array().unwrap();
        errors
            .iter()
            .map(|error| error["pointer"].as_str().unwrap().to_owned())
            .collect()
    };
    let one = |job: Value, expected: &'static [&'static str]| (job, expected);
    for (job, expected) in [
        one(json!({"type":"send-email","payload":{}}), &["/type"]),
        one(
            json!({"type":"notification","payload":{"title":1}}),
            &["/payload/title", "/payload/body"],
        ),
        one(json!({"type":"notification","payload":[]}), &["/payload"]),
        one(
            json!({"type":"commission","payload":{"amount":1.5}}),
            &["/payload/amount"],
        ),
        one(
            json!({"type":"commission","payload":{"amount":"1","rate":"2"}}),
            &["/payload/rate"],
        ),
        one(
            json!({"type":"vendor_cart_add","payload":{"vendor_id":"v","user_id":"u","item_id":"a\nb","item_name":"n"}}),
            &["/payload/item_id"],
        ),
        one(
            json!({"type":"response_reminder","payload":{"conversation_id":"c"}}),
            &["/unique_key"],
        ),
        one(
            json!({"type":"response_reminder","unique_key":"d","payload":{"conversation_id":"c"}}),
            &["/unique_key"],
        ),
        one(
            json!({"type":"response_reminder","unique_key":"c","unique_for_ms":1000,"payload":{"conversation_id":"c"}}),
            &["/unique_for_ms"],
        ),
        one(
            json!({"type":"cleanup_expired_sessions","payload":{"cursor":"x"}}),
            &["/payload/cursor"],
        ),
    ] {
        let answer = refused(&api, job.clone()).await;
        assert_eq!(pointers(&answer), expected, "{job}: {answer:?}");
    }
    let answer = refused(
        &api,
        json!([notification(), {"type":"notification","payload":{"title":"a"}}]),
    )
    .await;
    assert_eq!(pointers(&answer), ["/1/payload/body"]);
    let books = Books::read(&scene, &id_of("platform")).await;
    assert_eq!(books.count("ready") + books.count("delayed") + books.count("done"), 0);
    // Other queues have jobs of any type.
    let elsewhere = api
        .request(Method::POST, "/v1/queues/mine/jobs")
        .json(&json!({"type":"send-email"}));
    assert_eq!(send(elsewhere).await.status, 201);
}

#[actix_web::test]
async fn the_payload_of_a_continuation_is_validated_too() {
    let scene = Scene::new().await.with(&["--work-concurrency=0"]);
    let service = scene.start().await;
    let api = service.drivers();
    let id = put(&api, json!({"type":"commission","payload":{"amount":"1"}})).await;
    let lease = api.request(Method::POST, &format!("{QUEUE}/lease"));
    let leased = send(lease.json(&json!({}))).await;
    let token = leased.body["jobs"][0]["token"].clone();
    let complete = async |then: Value| {
        let request = api.request(Method::POST, &format!("/v1/jobs/{id}/complete"));
        send(request.json(&json!({"token": token, "then": then}))).await
    };
    for (then, pointer) in [
        (json!({"type":"nope","delay_ms":0}), "/then/type"),
        (json!({"type":"nope","delay_ms":0,"payload":[1]}), "/then/type"),
        (
            json!({"type":"notification","delay_ms":0,"payload":{"title":"a"}}),
            "/then/payload/body",
        ),
    ] {
        complete(then).await.assert_problem(422, &[pointer]);
    }
    // The type validates the payload, so a payload needs a type.
    complete(json!({"delay_ms":0,"payload":[1]}))
        .await
        .assert_problem(422, &["/then/type"]);
    // Its payload does not change; it is validated as that of a notification when it runs.
    let on = complete(json!({"type":"notification","delay_ms":60_000})).await;
    assert_eq!((on.status, &on.body["state"]), (200, &json!("delayed")));
}

#[actix_web::test]
async fn an_instance_with_concurrency_0_runs_no_jobs() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver).with(&["--work-concurrency=0"]);
    let idle = scene.start().await;
    let id = put(&idle.drivers(), notification()).await;
    assert_eq!(job(&idle.drivers(), &id).await["state"], "ready");
    let scene = scene.with(&["--work-concurrency=2"]);
    let working = scene.start().await;
    reaches(&idle.drivers(), &id, "done").await;
    drop(working);
    assert_eq!(receiver.received().len(), 1);
}

#[actix_web::test]
async fn invalid_webhook_settings_refuse_to_start_without_showing_a_secret() {
    use crate::support::ServiceProcess;
    let redis = Redis::shared().await;
    for (urls, secrets, word) in [
        ("https://a.example/?key=topsecret", "", "only one of them"),
        ("https://a.example/?key=topsecret", "whsec_topsecret", "the secret of"),
        ("gopher://a.example/?key=topsecret", SECRET, "the address of"),
        ("top/secret=https://a.example/?key=topsecret", SECRET, "the name before"),
    ] {
        let output = ServiceProcess::refusal(&[
            format!("--redis-url={}", redis.url()),
            format!("--webhook-urls={urls}"),
            format!("--webhook-secrets={secrets}"),
        ])
        .await;
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
        assert!(said.contains(word), "{said}");
        assert!(!said.contains("topsecret"), "{said}");
    }
}
