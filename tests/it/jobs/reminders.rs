//! The series of reminders: when each is sent, what follows the last, and how it ends.

use super::presets::{QUEUE, put, reaches, with_webhook};
use super::{Books, SOON, id_of};
use crate::support::{Api, HttpAnswer, Receiver, Scene, eventually, send};
use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};

fn reminder() -> Value {
    json!({"type":"response_reminder","unique_key":"c-1","payload":{"conversation_id":"c-1","vendor_id":"v-1"}})
}

/// Makes a delayed job due now.
async fn hurry(api: &Api, id: &str) {
    let answer = send(api.request(Method::POST, &format!("/v1/jobs/{id}/retry"))).await;
    assert!(answer.status < 300, "{answer:?}");
}

/// Returns in how many hours a delayed job is due, by Redis's clock.
async fn due_in_h(scene: &Scene, api: &Api, id: &str) -> i64 {
    reaches(api, id, "delayed").await;
    let delayed = &scene.keys().queue(&id_of("platform"), 1)[3];
    let due: Vec<(String, f64)> = scene
        .redis
        .query(cmd("ZRANGE").arg(delayed).arg(0).arg(-1).arg("WITHSCORES"))
        .await;
    let now: (f64, f64) = scene.redis.query(&cmd("TIME")).await;
    assert_eq!(due.len(), 1);
    #[expect(clippy::cast_possible_truncation, reason = "hours")]
    let hours = ((due[0].1 / 1000.0 - now.0) / 3600.0).round() as i64;
    hours
}

#[actix_web::test]
async fn reminders_are_sent_at_the_configured_hours_and_then_a_recommendation() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver);
    let service = scene.start().await;
    let api = service.drivers();
    let id = put(&api, reminder()).await;
    for (hours, sent) in [(8, 0), (16, 1), (24, 2), (120, 3), (24, 4)] {
        let due = eventually(SOON, "the next is due", async || {
            let due = due_in_h(&scene, &api, &id).await;
            (receiver.received().len() == sent && due == hours).then_some(due)
        });
        assert_eq!(due.await, hours);
        // A second series cannot be started.
        let again = send(api.request(Method::POST, &format!("{QUEUE}/jobs")).json(&reminder())).await;
        assert_eq!(again.body["jobs"][0]["id"], id.as_str(), "{again:?}");
        hurry(&api, &id).await;
    }
    reaches(&api, &id, "done").await;
    let received = receiver.received();
    let kinds: Vec<String> = received
        .iter()
        .map(|message| {
            serde_json::from_str::<Value>(&message.body).unwrap()["type"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let reminder = "response_reminder";
    assert_eq!(
        kinds,
        [
            reminder,
            reminder,
            reminder,
            reminder,
            "alternative_vendor_recommendation"
        ]
    );
    let mut ids: Vec<&String> = received.iter().map(|message| &message.headers["webhook-id"]).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each is a message of its own");
    Books::read(&scene, &id_of("platform")).await.balance();
}

#[actix_web::test]
async fn a_reminder_that_cannot_be_sent_does_not_end_its_series() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver);
    let service = scene.start().await;
    let api = service.drivers();
    receiver.answer_with([410]);
    let id = put(&api, reminder()).await;
    for (hours, sent) in [(8, 0), (16, 1), (24, 2)] {
        eventually(SOON, "the next is due", async || {
            let due = due_in_h(&scene, &api, &id).await;
            (receiver.received().len() == sent && due == hours).then_some(())
        })
        .await;
        hurry(&api, &id).await;
    }
    eventually(SOON, "the third is sent", async || {
        (receiver.received().len() == 3).then_some(())
    })
    .await;
    // A response still ends it.
    let end = api.request(Method::DELETE, &format!("{QUEUE}/unique/c-1"));
    assert_eq!(send(end).await.status, 200);
    reaches(&api, &id, "cancelled").await;
}

#[actix_web::test]
async fn a_series_survives_its_last_attempt() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver).with(&["--circuit-failures=100"]);
    let service = scene.start().await;
    let api = service.drivers();
    receiver.answer_with([500, 500]);
    let mut new = reminder();
    new["max_attempts"] = json!(2);
    new["backoff"] = json!({"kind":"fixed","base_ms":20,"jitter":0});
    let id = put(&api, new).await;
    eventually(SOON, "the first is due", async || {
        (due_in_h(&scene, &api, &id).await == 8).then_some(())
    })
    .await;
    hurry(&api, &id).await;
    receiver.wait_for(2).await;
    assert_eq!(due_in_h(&scene, &api, &id).await, 16);
    assert_eq!(receiver.received().len(), 2);
}

#[actix_web::test]
async fn a_series_survives_a_last_attempt_that_times_out() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver).with(&["--outgoing-timeout=60000"]);
    let service = scene.start().await;
    let api = service.drivers();
    receiver.answer_with([HttpAnswer(204, Vec::new(), SOON)]);
    let mut new = reminder();
    new["max_attempts"] = json!(1);
    new["timeout_ms"] = json!(2_000);
    let id = put(&api, new).await;
    for (hours, sent) in [(8, 0), (16, 1)] {
        assert_eq!(due_in_h(&scene, &api, &id).await, hours);
        if sent == 0 {
            hurry(&api, &id).await;
            receiver.wait_for(1).await;
        }
    }
}

#[actix_web::test]
async fn one_call_ends_a_whole_series_at_any_step() {
    let receiver = Receiver::start();
    let scene = with_webhook(Scene::new().await, &receiver).with(&["--response-reminder-hours=1"]);
    let service = scene.start().await;
    let api = service.drivers();
    for steps in 0..3 {
        let id = put(&api, reminder()).await;
        let hours = [1, 24];
        for hours in &hours[..steps.min(2)] {
            eventually(SOON, "the next is due", async || {
                (due_in_h(&scene, &api, &id).await == *hours).then_some(())
            })
            .await;
            if steps == 2 && *hours == 24 {
                break;
            }
            hurry(&api, &id).await;
        }
        reaches(&api, &id, "delayed").await;
        let sent = receiver.received().len();
        let answer = send(api.request(Method::DELETE, &format!("{QUEUE}/unique/c-1"))).await;
        assert!(answer.status < 300, "{answer:?}");
        reaches(&api, &id, "cancelled").await;
        assert_eq!(receiver.received().len(), sent);
    }
    Books::read(&scene, &id_of("platform")).await.balance();
}
