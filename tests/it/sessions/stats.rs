//! Statistics of sessions.

use super::Calls;
use crate::support::{Scene, eventually};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

#[actix_web::test]
async fn creations_validations_and_sessions_in_use_are_counted() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (Calls::of(&one), Calls::of(&other));
    for n in 0..30 {
        let opened = one.open(&format!("user-{n}")).await;
        one.get(&opened.token).await;
        if n < 10 {
            other.open("anna").await;
        }
    }
    one.get("fps_none").await;
    one.get(&format!("fps_{}", "0".repeat(130))).await;
    let stats = eventually(SOON, "it has measured", async || {
        let stats = one.0.get("/v1/sessions/stats").await.body;
        (stats["created_per_s"].as_f64()? > 0.0).then_some(stats)
    })
    .await;
    // Redis is asked at the start of an instance, and twice a minute from then on: here by one that starts now.
    let third = scene.start().await;
    let third = Calls::of(&third);
    let estimate = eventually(SOON, "it has counted", async || {
        third.0.get("/v1/sessions/stats").await.body["active_estimate"].as_u64()
    })
    .await;
    assert!((39..=41).contains(&estimate), "{estimate}");
    // A text without the form of a token is not validated.
    for (name, count) in [
        ("created_total", 30),
        ("valid_total", 30),
        ("refused_total", 1),
        ("stolen_total", 0),
    ] {
        assert_eq!(stats[name], count, "{stats}");
    }
    assert!(stats["validations_per_s"].as_f64().unwrap() > 0.0, "{stats}");
    let other = other.0.get("/v1/sessions/stats").await.body;
    assert_eq!(
        (&other["created_total"], &other["valid_total"]),
        (&10.into(), &0.into())
    );
}
