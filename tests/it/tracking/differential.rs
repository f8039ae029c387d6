//! Compares answers over HTTP with the simplest search: every distance by the `geo` crate, sorted.

use crate::support::{Answer, Api, Scene};
use flate2::read::GzDecoder;
use fleetpulse::geo::MAX_LATITUDE_DEG;
use geo::{Distance, Haversine, Point};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::fs::File;

/// Two computations of a distance may differ in its last bits, so entities closer to a border than this may be on either side.
const HAIR_M: f64 = 0.002;

struct Driver {
    id: String,
    place: Point,
}

fn drivers(places: impl IntoIterator<Item = (f64, f64)>) -> Vec<Driver> {
    let places = places.into_iter().enumerate();
    places
        .map(|(n, (lat, lon))| Driver {
            id: format!("d-{n:05}"),
            place: Point::new(lon, lat),
        })
        .collect()
}

async fn place(api: &Api, drivers: &[Driver]) {
    let fixes: Vec<Value> = drivers
        .iter()
        .map(|driver| json!({"id": driver.id, "lat": driver.place.y(), "lon": driver.place.x()}))
        .collect();
    api.place_all(&fixes).await;
}

/// Returns the distance by the `geo` crate, with longitudes at most 180° apart, because it does not wrap them.
fn distance_m(a: Point, b: Point) -> f64 {
    let apart = a.x() - b.x();
    let b = Point::new(b.x() + 360.0 * (apart / 360.0).round(), b.y());
    Haversine.distance(a, b)
}

/// Queries, and compares the answer with all drivers.
async fn check_nearby(api: &Api, drivers: &[Driver], center: Point, radius_m: f64, limit: usize, source: &str) {
    let (lon, lat) = center.x_y();
    let query = format!("lat={lat}&lon={lon}&radius_m={radius_m}&limit={limit}&source={source}");
    let answer = api.nearby(&query).await;
    let ids = answer.ids();
    let mut distances: Vec<f64> = drivers.iter().map(|driver| distance_m(center, driver.place)).collect();
    for (id, shown) in ids.iter().zip(shown_distances(&answer)) {
        let n: usize = id.strip_prefix("d-").unwrap().parse().unwrap();
        assert!(
            (distances[n] - shown).abs() < HAIR_M,
            "{query}: {id} {shown} {}",
            distances[n]
        );
        assert!(shown <= radius_m + HAIR_M, "{query}: {id} {shown}");
    }
    distances.sort_by(f64::total_cmp);
    let surely = distances
        .iter()
        .filter(|distance| **distance < radius_m - HAIR_M)
        .count();
    let perhaps = distances
        .iter()
        .filter(|distance| **distance < radius_m + HAIR_M)
        .count();
    assert!(
        (surely.min(limit)..=perhaps.min(limit)).contains(&ids.len()),
        "{query}: {} of {surely}",
        ids.len()
    );
    // The n-th distances are equal; the ids may differ between drivers at equal distances.
    for (shown, expected) in shown_distances(&answer).zip(&distances) {
        assert!((shown - expected).abs() < HAIR_M, "{query}: {shown} {expected}");
    }
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "{query}");
}

fn shown_distances(answer: &Answer) -> impl Iterator<Item = f64> {
    let results = answer.body["results"].as_array().unwrap();
    results.iter().map(|result| result["distance_m"].as_f64().unwrap())
}

async fn check_within(api: &Api, drivers: &[Driver], [west, south, east, north]: [f64; 4]) {
    let query = format!("bbox={west},{south},{east},{north}");
    let answer = api.within(&query).await;
    let inside = |place: Point| {
        let (lon, lat) = place.x_y();
        let in_lon = |lon: f64| {
            if west <= east {
                west <= lon && lon <= east
            } else {
                lon >= west || lon <= east
            }
        };
        let has_two_names = lon.abs() >= 180.0;
        (south..=north).contains(&lat) && (in_lon(lon) || has_two_names && in_lon(-lon))
    };
    let expected: Vec<_> = drivers
        .iter()
        .filter(|driver| inside(driver.place))
        .map(|driver| driver.id.as_str())
        .collect();
    if expected.len() > 1_000 {
        assert_eq!(
            (answer.ids().len(), &answer.body["truncated"]),
            (1_000, &json!(true)),
            "{query}"
        );
        assert!(
            answer.ids().iter().all(|id| expected.binary_search(id).is_ok()),
            "{query}"
        );
    } else {
        assert_eq!(
            (answer.ids(), &answer.body["truncated"]),
            (expected, &json!(false)),
            "{query}"
        );
    }
}

#[actix_web::test]
async fn the_nearest_of_the_new_york_pick_ups_are_found() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/nyc_pickups_5k.csv.gz");
    let mut rows = csv::Reader::from_reader(GzDecoder::new(File::open(path).unwrap()));
    let places = rows.deserialize().map(|row| {
        let (_, _, lat, lon, _): (String, i64, f64, f64, u32) = row.unwrap();
        (lat, lon)
    });
    let drivers = drivers(places);
    assert_eq!(drivers.len(), 5_000);
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    place(&api, &drivers).await;

    let mut rng = StdRng::seed_from_u64(1);
    for n in 0..120 {
        let at = drivers[rng.random_range(0..drivers.len())].place;
        // Every third time from the place of a driver, who is at distance 0.
        let stray = if n % 3 == 0 { 0.0 } else { 0.02 };
        let center = Point::new(
            at.x() + rng.random_range(-stray..=stray),
            at.y() + rng.random_range(-stray..=stray),
        );
        let radius_m = [0.0, 150.0, 2_000.0, 10_000.0, 200_000.0][n % 5];
        let limit = [1, 10, 100, 1_000][n % 4];
        check_nearby(&api, &drivers, center, radius_m, limit, "live").await;
        if n % 5 == 0 {
            check_nearby(&api, &drivers, center, radius_m, limit, "redis").await;
        }
        let (height, width) = (rng.random_range(0.0..0.2), rng.random_range(0.0..0.2));
        check_within(
            &api,
            &drivers,
            [center.x() - width, center.y() - height, center.x(), center.y()],
        )
        .await;
    }
}

/// Edge cases: on and next to the antimeridian, at the limits of latitude, all in one place, at 0° 0°.
fn treacherous(rng: &mut StdRng) -> (f64, f64) {
    let hair = [0.0, 1e-9, 1e-4, 0.1, 1.0][rng.random_range(0..5)];
    let side = if rng.random() { 1.0 } else { -1.0 };
    let any_lat = rng.random_range(-MAX_LATITUDE_DEG..=MAX_LATITUDE_DEG);
    let any_lon = rng.random_range(-180.0..=180.0);
    match rng.random_range(0..6) {
        0 => ((any_lat / 60.0).round() * 20.0, side * (180.0 - hair)),
        1 => (side * (MAX_LATITUDE_DEG - hair), any_lon),
        2 => (MAX_LATITUDE_DEG - hair, side * (180.0 - hair)),
        3 => (side * hair, -side * hair),
        4 => (52.0, 13.0),
        _ => (any_lat, any_lon),
    }
}

#[actix_web::test]
async fn difficult_places_are_found_by_the_live_index_and_redis_alike() {
    let mut rng = StdRng::seed_from_u64(2);
    let drivers = drivers((0..2_000).map(|_| treacherous(&mut rng)));
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    place(&api, &drivers).await;
    for n in 0..150 {
        let (lat, lon) = treacherous(&mut rng);
        let radius_m = [0.0, 1.0, 500.0, 20_000.0, 200_000.0][n % 5];
        let limit = [1, 10, 1_000][n % 3];
        for source in ["live", "redis"] {
            check_nearby(&api, &drivers, Point::new(lon, lat), radius_m, limit, source).await;
        }
        let (south, east) = treacherous(&mut rng);
        check_within(&api, &drivers, [lon, south.min(lat), east, south.max(lat)]).await;
    }
}

#[actix_web::test]
async fn equally_distant_drivers_are_ordered_by_id_in_both_sources() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let crowd: Vec<Value> = (0..300)
        .rev()
        .map(|n| json!({"id": format!("d-{n:03}"), "lat": 52, "lon": 13}))
        .collect();
    api.place_all(&crowd).await;
    let expected: Vec<String> = (0..20).map(|n| format!("d-{n:03}")).collect();
    for source in ["live", "redis"] {
        for center in ["lat=52&lon=13&radius_m=0", "lat=52.001&lon=13"] {
            let answer = api.nearby(&format!("{center}&limit=20&source={source}")).await;
            assert_eq!(answer.ids(), expected, "{center} {source}");
        }
    }
}
