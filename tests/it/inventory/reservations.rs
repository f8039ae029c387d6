//! Holds and their transitions.

use super::Stock;
use crate::support::{Document, Scene, send};
use fleetpulse::store::Keys;
use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};

#[actix_web::test]
async fn a_hold_is_created_read_and_confirmed() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 10).await;
    let body = json!({"quantity": 2, "ttl_s": 120, "owner": "rider-7"});
    let made = stock.reserve("seat", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let hold = &made.body;
    assert_eq!((&hold["state"], &hold["owner"]), (&json!("held"), &json!("rider-7")));
    assert_eq!(hold["items"], json!([{"sku": "seat", "quantity": 2}]));
    let (created, expires) = (
        hold["created_at"].as_str().unwrap(),
        hold["expires_at"].as_str().unwrap(),
    );
    assert!(created < expires, "{hold}");
    let id = hold["id"].as_str().unwrap();
    assert_eq!(stock.reservation(id).await.body, *hold);
    assert_eq!(stock.counts("seat").await, (10, 2, 8));

    let confirmed = stock.to(id, "confirm").await;
    assert_eq!((confirmed.status, &confirmed.body["state"]), (200, &json!("confirmed")));
    assert!(confirmed.body["ended_at"].is_string(), "{confirmed:?}");
    assert_eq!(stock.to(id, "confirm").await, confirmed);
    assert_eq!(stock.counts("seat").await, (10, 2, 8));
    for verb in ["release", "extend"] {
        let wrong = stock.to(id, verb).await;
        wrong.assert_problem(409, &[]);
        assert_eq!(wrong.body["state"], "confirmed", "{verb}");
    }
}

#[actix_web::test]
async fn an_answer_has_the_location_and_whether_the_reservation_existed() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 10).await;
    let document = stock.0.get("/openapi.json").await.body;
    for (call, path, body) in [
        (
            "/v1/inventory/{sku}/reservations",
            "/v1/inventory/seat/reservations",
            json!({"id": "a", "quantity": 1, "ttl_s": 60}),
        ),
        (
            "/v1/reservations",
            "/v1/reservations",
            json!({"id": "b", "items": [{"sku": "seat", "quantity": 1}], "ttl_s": 60}),
        ),
    ] {
        let described = &document["paths"][call]["post"]["responses"]["201"]["headers"];
        for before in [None, Some("true")] {
            let request = stock.0.request(Method::POST, path).json(&body);
            let made = request.send().await.unwrap();
            assert_eq!(made.status(), 201, "{made:?}");
            let header = |name: &str| {
                assert!(described[name].is_object(), "{name}: {described}");
                made.headers().get(name).map(|value| value.to_str().unwrap())
            };
            assert_eq!(header("Idempotent-Replayed"), before);
            let id = body["id"].as_str().unwrap();
            assert_eq!(header("Location"), Some(&*format!("/v1/reservations/{id}")));
        }
    }
}

#[actix_web::test]
async fn released_stock_is_available_again() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 3).await;
    let id = stock.hold("seat", 3, 60).await;
    let short = stock.reserve("seat", json!({"quantity": 1, "ttl_s": 60})).await;
    short.assert_problem(409, &[]);
    assert_eq!(
        (&short.body["available"], &short.body["sku"]),
        (&json!(0), &json!("seat"))
    );
    assert!(short.body["type"].as_str().unwrap().ends_with("insufficient_stock"));
    let released = stock.to(&id, "release").await;
    assert_eq!((released.status, &released.body["state"]), (200, &json!("released")));
    assert_eq!(stock.to(&id, "release").await, released);
    assert_eq!(stock.counts("seat").await, (3, 0, 3));
    for verb in ["confirm", "extend"] {
        let wrong = stock.to(&id, verb).await;
        wrong.assert_problem(409, &[]);
        assert_eq!(wrong.body["state"], "released", "{verb}");
    }
}

#[actix_web::test]
async fn an_extension_never_shortens() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 1).await;
    let id = stock.hold("seat", 1, 60).await;
    let expires = async || {
        stock.reservation(&id).await.body["expires_at"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = expires().await;
    let shorter = stock
        .post(&format!("/v1/reservations/{id}/extend"), json!({"ttl_s": 1}))
        .await;
    assert_eq!((shorter.status, &shorter.body["expires_at"]), (200, &json!(first)));
    assert_eq!(stock.to(&id, "extend").await.status, 200);
    assert!(expires().await > first);
    assert_eq!(stock.counts("seat").await, (1, 1, 0));
}

#[actix_web::test]
async fn the_same_key_returns_the_same_answer_even_after_the_hold_has_ended() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let other = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 10).await;
    let body = json!({"quantity": 2, "ttl_s": 60, "owner": "rider-7"});
    let path = "/v1/inventory/seat/reservations";
    let made = stock.keyed(path, "k-1", body.clone()).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(stock.keyed(path, "k-1", body.clone()).await, made);
    assert_eq!(Stock(other.drivers()).keyed(path, "\"k-1\"", body.clone()).await, made);
    assert_eq!(stock.counts("seat").await, (10, 2, 8));
    let id = made.body["id"].as_str().unwrap();
    stock.to(id, "release").await;
    assert_eq!(stock.keyed(path, "k-1", body.clone()).await, made);
    assert_eq!(stock.state(id).await, "released");
    assert_eq!(stock.counts("seat").await, (10, 0, 10));

    for other in [
        json!({"quantity": 3, "ttl_s": 60, "owner": "rider-7"}),
        json!({"quantity": 2, "ttl_s": 61, "owner": "rider-7"}),
        json!({"quantity": 2, "ttl_s": 60}),
    ] {
        let refused = stock.keyed(path, "k-1", other).await;
        refused.assert_problem(422, &["/Idempotency-Key"]);
    }
    assert_ne!(stock.keyed(path, "k-2", body).await.body["id"], made.body["id"]);
}

#[actix_web::test]
async fn a_client_may_choose_the_id() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 40).await;
    // Of several, so that some are in the item's own partition and most are not.
    for n in 0..20 {
        let id = format!("order-{n}");
        let body = json!({"quantity": 2, "ttl_s": 60, "id": id});
        let made = stock.reserve("seat", body.clone()).await;
        assert_eq!((made.status, &made.body["id"]), (201, &json!(id)), "{made:?}");
        assert_eq!(stock.reserve("seat", body).await, made);
        stock
            .reserve("seat", json!({"quantity": 1, "ttl_s": 60, "id": id}))
            .await
            .assert_problem(422, &["/id"]);
        assert_eq!(stock.state(&id).await, "held");
        assert_eq!(stock.to(&id, "extend").await.status, 200);
        let verb = if n % 2 == 0 { "confirm" } else { "release" };
        let ended = stock.to(&id, verb).await;
        assert_eq!(ended.status, 200, "{ended:?}");
        assert_eq!(stock.to(&id, verb).await, ended);
    }
    assert_eq!(stock.counts("seat").await, (40, 20, 20));
    let leaves = json!({"delta": -2, "reservation": "order-0"});
    for _ in 0..2 {
        assert_eq!(stock.adjust("seat", leaves.clone()).await.status, 200);
    }
    assert_eq!(stock.counts("seat").await, (38, 18, 20));
    super::books::Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn a_reservation_that_was_never_created_is_not_found() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    for id in ["r0.unknown", "order-1"] {
        stock.reservation(id).await.assert_problem(404, &[]);
        for verb in ["confirm", "release", "extend"] {
            stock.to(id, verb).await.assert_problem(404, &[]);
        }
    }
    let missing = stock.reserve("nothing", json!({"quantity": 1, "ttl_s": 60})).await;
    missing.assert_problem(404, &[]);
    assert_eq!(missing.body["sku"], "nothing");
    let both: Value = json!({"quantity": 1, "ttl_s": 60, "id": "a"});
    let path = "/v1/inventory/nothing/reservations";
    stock.keyed(path, "k", both).await.assert_problem(422, &["/id"]);
}

#[actix_web::test]
async fn a_key_is_scoped_to_one_item_or_to_calls_with_several() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    for sku in ["seat", "bike"] {
        // In one partition.
        stock.put(sku, json!({"quantity": 10, "group": "shuttle-7"})).await;
    }
    let (body, paths) = (
        json!({"quantity": 1, "ttl_s": 60}),
        ["/v1/inventory/seat/reservations", "/v1/inventory/bike/reservations"],
    );
    let several = json!({"items": [{"sku": "seat", "quantity": 1}], "ttl_s": 60});
    // One of the keys has the form of a generated id.
    for key in ["k-1", "r0.k-1"] {
        let mut ids = std::collections::BTreeSet::new();
        for _ in 0..2 {
            for path in paths {
                let made = stock.keyed(path, key, body.clone()).await;
                assert_eq!(made.status, 201, "{made:?}");
                ids.insert(made.body["id"].as_str().unwrap().to_owned());
            }
            let made = stock.keyed("/v1/reservations", key, several.clone()).await;
            assert_eq!(made.status, 201, "{made:?}");
            ids.insert(made.body["id"].as_str().unwrap().to_owned());
        }
        assert_eq!(ids.len(), 3, "{ids:?}");
    }
    assert_eq!((stock.counts("seat").await.1, stock.counts("bike").await.1), (4, 2));
}

#[actix_web::test]
async fn a_client_cannot_choose_an_id_of_the_generated_form() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 10).await;
    let given = stock.hold("seat", 1, 60).await;
    for id in [given.as_str(), "r0.x", "rf.k-1"] {
        let body = json!({"quantity": 1, "ttl_s": 60, "id": id});
        stock.reserve("seat", body).await.assert_problem(422, &["/id"]);
        let body = json!({"items": [{"sku": "seat", "quantity": 1}], "ttl_s": 60, "id": id});
        stock.post("/v1/reservations", body).await.assert_problem(422, &["/id"]);
    }
    for id in ["r0-x", "rg.x", "ride.7"] {
        let body = json!({"quantity": 1, "ttl_s": 60, "id": id});
        assert_eq!(stock.reserve("seat", body).await.status, 201, "{id}");
    }
    assert_eq!(stock.counts("seat").await, (10, 4, 6));
}

#[actix_web::test]
async fn a_reservation_that_is_being_created_is_in_progress() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let document = Document::of(&stock.0).await;
    stock.has("seat", 10).await;
    stock
        .reserve("seat", json!({"id": "a", "quantity": 2, "ttl_s": 120}))
        .await;
    let key = scene.keys().inventory_reservations(Keys::inventory_partition("a"));
    let record: String = scene.redis.query(cmd("HGET").arg(&key).arg("a")).await;
    let opening = record.replacen('h', "o", 1);
    scene
        .redis
        .query::<()>(cmd("HSET").arg(&key).arg("a").arg(opening))
        .await;
    for verb in ["confirm", "release", "extend"] {
        let refused = stock.to("a", verb).await;
        assert_eq!(
            refused.body["type"], "urn:fleetpulse:problem:in_progress",
            "{verb}: {refused:?}"
        );
        document.has(&format!("post /v1/reservations/{{id}}/{verb}"), 409, &refused.body);
    }
    let again = stock
        .reserve("seat", json!({"id": "a", "quantity": 2, "ttl_s": 120}))
        .await;
    document.has("post /v1/inventory/{sku}/reservations", 409, &again.body);
    for (method, path) in [(Method::GET, ""), (Method::POST, "/return")] {
        let missing = send(stock.0.request(method, &format!("/v1/reservations/a{path}"))).await;
        missing.assert_problem(404, &[]);
    }
}
