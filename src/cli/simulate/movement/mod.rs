//! The movement of a vehicle: pure, seeded, no clock and no I/O.
//!
//! A vehicle drives from place to place of the city's hot spots along a grid of streets: it keeps to the grid's two
//! directions, accelerates and brakes at realistic rates, slows down at corners and turns through them, waits at some
//! of the crossings, and stops for some time to pick up passengers. Rivers and parks are not modelled.

use crate::cli::hotspots::HotSpots;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Bearing of Manhattan's avenues, degrees clockwise from north.
const GRID_BEARING_DEG: f64 = 29.0;
/// Metres in a degree of latitude.
const METRES_PER_DEGREE: f64 = 111_195.0;
/// Longest step that is computed in one piece, seconds.
const STEP_S: f64 = 0.5;

/// Acceleration, m/s².
const ACCELERATION: f64 = 2.0;
/// Deceleration, m/s².
const BRAKING: f64 = 3.0;
/// Fastest turn, degrees a second.
const TURN_DEG_PER_S: f64 = 40.0;
/// Speed through a corner, m/s.
const CORNER_MPS: f64 = 4.0;
/// Highest speed in the city, m/s.
pub(super) const TOP_SPEED_MPS: f64 = 20.0;
/// A destination, or a corner, is reached at this distance, metres.
const NEAR_M: f64 = 15.0;
/// Mean distance between crossings with lights, metres.
const BETWEEN_LIGHTS_M: f64 = 300.0;
/// The share of them that are red.
const RED_SHARE: f64 = 0.35;

/// The current activity of a vehicle.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Activity {
    /// Driving to its destination.
    Driving,
    /// Braking for a red light, to wait there for this many seconds.
    Braking(f64),
    /// Waiting at a light for this many more seconds.
    AtLight(f64),
    /// Stopped for this many more seconds while passengers get in or out.
    AtKerb(f64),
}

/// One moving vehicle.
#[derive(Debug, Clone)]
pub(super) struct Vehicle {
    lat: f64,
    lon: f64,
    speed: f64,
    heading: f64,
    /// The preferred speed of its driver, and the factor by which the current traffic changes it.
    cruise: f64,
    traffic: f64,
    activity: Activity,
    destination: (f64, f64),
    /// Whether it drives along the avenues; otherwise along the streets.
    along_avenue: bool,
    until_light_m: f64,
    with_rider: bool,
    rng: SmallRng,
}

impl Vehicle {
    /// Creates the `nth` vehicle of a fleet; the same seed gives the same movement.
    pub(super) fn new(city: &HotSpots, seed: u64, nth: u64) -> Self {
        // Neighbouring seeds give unrelated vehicles; the factor keeps the fleets of different seeds distinct.
        let mut rng = SmallRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(nth));
        let (lat, lon) = city.draw(&mut rng);
        let along_avenue = rng.random();
        let mut vehicle = Self {
            lat,
            lon,
            speed: 0.0,
            heading: axis(along_avenue, rng.random()),
            cruise: rng.random_range(7.0..15.0),
            traffic: 1.0,
            activity: Activity::AtKerb(rng.random_range(0.0..30.0)),
            destination: (lat, lon),
            along_avenue,
            until_light_m: BETWEEN_LIGHTS_M,
            with_rider: false,
            rng,
        };
        vehicle.choose_destination(city);
        // Most of a fleet is driving at the start.
        if vehicle.rng.random_bool(0.7) {
            vehicle.activity = Activity::Driving;
            vehicle.speed = vehicle.cruise * 0.6;
            vehicle.with_rider = vehicle.rng.random_bool(0.5);
        }
        vehicle
    }

    /// Returns the latitude and longitude, degrees.
    pub(super) const fn place(&self) -> (f64, f64) {
        (self.lat, self.lon)
    }

    /// Returns the speed, metres a second.
    pub(super) const fn speed_mps(&self) -> f64 {
        self.speed
    }

    /// Returns the heading, degrees clockwise from north, 0 ≤ h < 360.
    pub(super) const fn heading_deg(&self) -> f64 {
        self.heading
    }

    /// Returns `busy` with a passenger or while one gets in or out, else `available`.
    pub(super) const fn status(&self) -> &'static str {
        match self.activity {
            Activity::AtKerb(_) => "busy",
            _ if self.with_rider => "busy",
            _ => "available",
        }
    }

    /// Advances the simulation by this many seconds.
    pub(super) fn advance(&mut self, city: &HotSpots, seconds: f64) {
        let mut left = seconds;
        while left > 0.0 {
            let step = left.min(STEP_S);
            self.step(city, step);
            left -= step;
        }
    }

    fn step(&mut self, city: &HotSpots, dt: f64) {
        match &mut self.activity {
            Activity::AtLight(left) | Activity::AtKerb(left) if *left > dt => *left -= dt,
            Activity::AtLight(_) => self.activity = Activity::Driving,
            Activity::AtKerb(_) => {
                self.with_rider = !self.with_rider;
                self.choose_destination(city);
                self.activity = Activity::Driving;
            }
            Activity::Braking(wait) => {
                let wait = *wait;
                self.drive_towards(0.0, self.heading, dt);
                if self.speed <= 0.0 {
                    self.activity = Activity::AtLight(wait);
                }
            }
            Activity::Driving => self.drive(dt),
        }
    }

    fn drive(&mut self, dt: f64) {
        let (along, across) = self.remaining();
        if along.abs() < NEAR_M && across.abs() < NEAR_M {
            self.drive_towards(0.0, self.heading, dt);
            if self.speed <= 0.0 {
                self.activity = Activity::AtKerb(self.rng.random_range(15.0..90.0));
            }
            return;
        }
        let on_axis = |avenue: bool| if avenue { along } else { across };
        if on_axis(self.along_avenue).abs() < NEAR_M {
            self.along_avenue = !self.along_avenue;
        }
        let ahead = on_axis(self.along_avenue);
        // The factor varies a little, and returns towards 1.
        self.traffic += (1.0 - self.traffic) * 0.1 * dt + self.rng.random_range(-0.15..0.15) * dt.sqrt();
        let cruise = (self.cruise * self.traffic.clamp(0.4, 1.3)).min(TOP_SPEED_MPS);
        let before_corner = (CORNER_MPS.powi(2) + 2.0 * BRAKING * 0.7 * (ahead.abs() - NEAR_M).max(0.0)).sqrt();
        self.drive_towards(cruise.min(before_corner), axis(self.along_avenue, ahead >= 0.0), dt);
        self.until_light_m -= self.speed * dt;
        if self.until_light_m <= 0.0 {
            self.until_light_m = self.rng.random_range(0.3..1.7) * BETWEEN_LIGHTS_M;
            if self.rng.random_bool(RED_SHARE) {
                self.activity = Activity::Braking(self.rng.random_range(5.0..45.0));
            }
        }
    }

    /// Accelerates or brakes, turns, and moves.
    fn drive_towards(&mut self, wanted_mps: f64, bearing: f64, dt: f64) {
        let turn = (bearing - self.heading + 540.0).rem_euclid(360.0) - 180.0;
        let wanted = if turn.abs() > 20.0 {
            wanted_mps.min(CORNER_MPS)
        } else {
            wanted_mps
        };
        let before = self.speed;
        self.speed += (wanted - self.speed).clamp(-BRAKING * dt, ACCELERATION * dt);
        // A vehicle does not turn on the spot, and slows down for corners.
        let agility = if self.speed > CORNER_MPS + 1.0 {
            0.3
        } else {
            (self.speed / 2.0).min(1.0)
        };
        let turned = turn.clamp(-TURN_DEG_PER_S * agility * dt, TURN_DEG_PER_S * agility * dt);
        let course = (self.heading + turned / 2.0).to_radians();
        self.heading = (self.heading + turned).rem_euclid(360.0);
        let distance = f64::midpoint(before, self.speed) * dt;
        self.lat += distance * course.cos() / METRES_PER_DEGREE;
        self.lon += distance * course.sin() / (METRES_PER_DEGREE * self.lat.to_radians().cos());
    }

    /// Returns the metres to the destination along the avenues and along the streets.
    fn remaining(&self) -> (f64, f64) {
        let north = (self.destination.0 - self.lat) * METRES_PER_DEGREE;
        let east = (self.destination.1 - self.lon) * METRES_PER_DEGREE * self.lat.to_radians().cos();
        let (sin, cos) = GRID_BEARING_DEG.to_radians().sin_cos();
        (north * cos + east * sin, east * cos - north * sin)
    }

    /// Draws three destinations and returns the nearest, because most trips are short.
    fn choose_destination(&mut self, city: &HotSpots) {
        let mut nearest = f64::INFINITY;
        for _ in 0..3 {
            let (lat, lon) = city.draw(&mut self.rng);
            let far = (lat - self.lat).hypot(lon - self.lon);
            if far < nearest {
                nearest = far;
                self.destination = (lat, lon);
            }
        }
    }
}

fn axis(along_avenue: bool, forwards: bool) -> f64 {
    GRID_BEARING_DEG + if along_avenue { 0.0 } else { 90.0 } + if forwards { 0.0 } else { 180.0 }
}

#[cfg(test)]
mod tests;
