use super::{client, problem};
use crate::support::Scene;
use fleetpulse_client::tracking::{Entity, Filter, Kind, NearbyQuery, Position, ReportOutcome, WithinQuery};
use std::time::Duration;

fn ids<'a>(entities: impl IntoIterator<Item = &'a Entity>) -> Vec<&'a str> {
    entities.into_iter().map(|entity| entity.id.as_str()).collect()
}

#[actix_web::test]
async fn positions_are_reported_found_and_deleted() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let drivers = client.tracking(Kind::Drivers);

    let position = Position {
        speed_mps: Some(8.3),
        status: Some("available".to_owned()),
        ..Position::new(48.208, 16.373)
    };
    let reported = drivers.report("d-1", &position).await.unwrap();
    assert_eq!((reported.outcome, reported.warnings.len()), (ReportOutcome::Stored, 0));
    let wrong = Position {
        heading_deg: Some(1e9),
        capacity: Some(u32::MAX),
        ..position.clone()
    };
    let reported = drivers.report("d-1", &wrong).await.unwrap();
    assert_eq!(reported.warnings.len(), 1, "{reported:?}");

    let found = drivers.position("d-1").await.unwrap().unwrap();
    assert_eq!((found.lat, found.lon, found.speed_mps), (48.208, 16.373, Some(8.3)));
    let old = Position {
        timestamp: Some(found.timestamp - Duration::from_secs(1)),
        ..Position::new(1.0, 1.0)
    };
    assert_eq!(drivers.report("d-1", &old).await.unwrap().outcome, ReportOutcome::Stale);
    assert_eq!(drivers.position("d-9").await.unwrap(), None);

    let [near, far, wrong] =
        [(48.220, 16.373), (48.300, 16.373), (91.0, 0.0)].map(|(lat, lon)| Position::new(lat, lon));
    let batch = [("d-2", &near), ("d-3", &far), ("d-4", &wrong)];
    let reported = drivers.report_many(batch).await.unwrap();
    assert_eq!((reported.accepted, reported.rejected.len()), (2, 1));
    assert_eq!(
        (reported.rejected[0].index, reported.rejected[0].id.as_deref()),
        (2, Some("d-4"))
    );

    let query = NearbyQuery {
        radius_m: Some(5_000.0),
        ..NearbyQuery::new(48.209, 16.373)
    };
    let nearest = drivers.nearby(&query).await.unwrap();
    assert_eq!(ids(nearest.results.iter().map(|hit| &hit.entity)), ["d-1", "d-2"]);
    assert!((nearest.results[0].distance_m - 111.0).abs() < 0.5);
    assert!(!nearest.stale && !nearest.truncated);

    let filter = Filter {
        status: vec!["available".to_owned(), "busy".to_owned()],
        max_age_s: Some(60.0),
        ..Filter::default()
    };
    let filtered = NearbyQuery {
        filter,
        ..query.clone()
    };
    assert_eq!(drivers.nearby(&filtered).await.unwrap().results.len(), 1);
    let lists = drivers.nearby_many(&[query, filtered]).await.unwrap();
    assert_eq!(lists.results.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);

    drivers.delete_position("d-1").await.unwrap();
    assert_eq!(drivers.position("d-1").await.unwrap(), None);
    let reserved = drivers.report("nearby", &near).await;
    assert_eq!(problem(reserved).0, 422);
}

#[actix_web::test]
async fn a_box_is_listed_page_by_page() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let vehicles = client.tracking(Kind::Vehicles);
    let names = ["v-1", "v-2", "v-3"];
    let position = Position::new(48.2, 16.3);
    vehicles.report_many(names.map(|id| (id, &position))).await.unwrap();

    let mut query = WithinQuery {
        limit: Some(2),
        ..WithinQuery::new(16.0, 48.0, 17.0, 49.0)
    };
    let first = vehicles.within(&query).await.unwrap();
    query.cursor = first.cursor;
    assert!(query.cursor.is_some());
    let second = vehicles.within(&query).await.unwrap();
    assert_eq!(second.cursor, None);
    assert_eq!(ids(first.results.iter().chain(&second.results)), names);
}
