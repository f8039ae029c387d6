use super::*;

fn metres(a: (f64, f64), b: (f64, f64)) -> f64 {
    let east = (b.1 - a.1) * a.0.to_radians().cos();
    (b.0 - a.0).hypot(east) * METRES_PER_DEGREE
}

#[test]
fn a_life_is_continuous_and_its_speeds_and_headings_are_those_of_its_path() {
    let city = HotSpots::new_york();
    for nth in 0..50 {
        let mut vehicle = Vehicle::new(&city, 1, nth);
        for _ in 0..1800 {
            let (from, speed, heading) = (vehicle.place(), vehicle.speed_mps(), vehicle.heading_deg());
            vehicle.advance(&city, 0.5);
            let moved = metres(from, vehicle.place());
            assert!((0.0..=TOP_SPEED_MPS).contains(&vehicle.speed_mps()));
            assert!((moved - f64::midpoint(speed, vehicle.speed_mps()) * 0.5).abs() < 0.1);
            assert!((vehicle.speed_mps() - speed).abs() <= BRAKING * 0.5 + 1e-9);
            assert!((0.0..360.0).contains(&vehicle.heading_deg()));
            let turn = (vehicle.heading_deg() - heading + 540.0).rem_euclid(360.0) - 180.0;
            assert!(turn.abs() <= TURN_DEG_PER_S * 0.5 + 1e-9);
        }
    }
}

#[test]
fn a_fleet_drives_stops_arrives_and_stays_in_the_city() {
    let city = HotSpots::new_york();
    let (mut sum, mut standing, mut count, mut changes) = (0.0, 0, 0, 0);
    for nth in 0..100 {
        let mut vehicle = Vehicle::new(&city, 7, nth);
        let mut status = vehicle.status();
        for _ in 0..1800 {
            vehicle.advance(&city, 2.0);
            sum += vehicle.speed_mps();
            count += 1;
            standing += u32::from(vehicle.speed_mps() < 0.1);
            changes += u32::from(status != vehicle.status());
            status = vehicle.status();
        }
        let (lat, lon) = vehicle.place();
        assert!((40.3..41.2).contains(&lat) && (-74.5..-73.3).contains(&lon));
    }
    let (mean, standing) = (sum / f64::from(count), f64::from(standing) / f64::from(count));
    assert!((3.0..10.0).contains(&mean), "mean speed {mean} m/s");
    assert!((0.1..0.5).contains(&standing), "standing {standing} of the time");
    // In an hour every vehicle makes a few trips.
    assert!((200..4000).contains(&changes), "{changes} changes of status");
}

#[test]
fn the_seed_is_the_life() {
    let city = HotSpots::new_york();
    let life = |seed, nth| {
        let mut vehicle = Vehicle::new(&city, seed, nth);
        vehicle.advance(&city, 100.0);
        vehicle.place()
    };
    assert_eq!(life(3, 4), life(3, 4));
    assert_ne!(life(3, 4), life(4, 4));
    assert_ne!(life(3, 4), life(3, 5));
}
