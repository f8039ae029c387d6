use super::{client, problem};
use crate::support::Scene;
use fleetpulse_client::ProblemType;
use fleetpulse_client::cache::{Batch, BatchState, EntryState, Event, KeyedEntry, NewEntry};

#[actix_web::test]
async fn entries_are_written_read_and_invalidated() {
    let scene = Scene::new()
        .await
        .with(&["--cache-rules=product.updated=tag:product:{id}"]);
    let service = scene.start().await;
    let client = client(&service);
    let cache = client.cache();

    let entry = NewEntry {
        tags: vec!["product:7".to_owned()],
        ..NewEntry::new(&19.99, 300).unwrap()
    };
    cache.put("prices", "7/eur?", &entry).await.unwrap();
    let found = cache.get("prices", "7/eur?").await.unwrap().unwrap();
    assert_eq!((found.value.get(), found.state), ("19.99", EntryState::Fresh));
    assert_eq!(found.read::<serde_json::Number>().unwrap().to_string(), "19.99");
    cache.touch("prices", "7/eur?", 600).await.unwrap();
    assert!(cache.get("prices", "7/eur?").await.unwrap().unwrap().ttl_ms > 300_000);

    let key = "8".to_owned();
    let batch = Batch {
        set: vec![KeyedEntry {
            key: key.clone(),
            entry: entry.clone(),
        }],
        get: vec![key, "9".to_owned()],
        ..Batch::default()
    };
    let found = cache.batch("prices", &batch).await.unwrap().results;
    let states: Vec<_> = found.iter().map(|result| result.state).collect();
    assert_eq!(states, [BatchState::Fresh, BatchState::Miss]);
    assert_eq!(found[0].read::<f64>().unwrap(), Some(19.99));
    assert_eq!(found[1].read::<f64>().unwrap(), None);

    let ticket = cache.take_ticket("prices", "9", &["product:7"], None).await.unwrap();
    let effect = cache.report_event(&Event::new("product.updated", "7")).await.unwrap();
    assert_eq!((effect.targets, effect.invalidated), (1, 1));
    assert!(cache.get("prices", "7/eur?").await.unwrap().is_none());
    // Either the write is refused, or its value is not served.
    let outdated = NewEntry {
        ticket: Some(ticket.ticket),
        ..entry.clone()
    };
    let written = cache.put("prices", "9", &outdated).await;
    if written.is_err() {
        assert_eq!(problem(written), (409, ProblemType::CacheSuperseded));
    }
    assert!(cache.get("prices", "9").await.unwrap().is_none());

    cache.put("prices", "1", &entry).await.unwrap();
    cache.invalidate_tags(&["product:7"]).await.unwrap();
    assert!(cache.get("prices", "1").await.unwrap().is_none());
    cache.put("prices", "1", &entry).await.unwrap();
    cache.delete("prices", "1").await.unwrap();
    assert!(cache.get("prices", "1").await.unwrap().is_none());
    cache.put("prices", "1", &entry).await.unwrap();
    cache.invalidate_namespace("prices").await.unwrap();
    assert!(cache.get("prices", "1").await.unwrap().is_none());
}

#[actix_web::test]
async fn a_counter_counts() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let cache = client.cache();
    let counter = cache.add_to_counter("visits", "today", 2, Some(60)).await.unwrap();
    assert_eq!(counter.value, 2);
    assert_eq!(cache.add_to_counter("visits", "today", 1, None).await.unwrap().value, 3);
    assert_eq!(cache.counter("visits", "today").await.unwrap().unwrap().value, 3);
    cache.delete_counter("visits", "today").await.unwrap();
    assert_eq!(cache.counter("visits", "today").await.unwrap(), None);
}
