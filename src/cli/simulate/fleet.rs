//! A simulated fleet: its vehicles are distributed among connections, and each pushes its fix when it is due.

use super::movement::Vehicle;
use super::push::Pusher;
use super::summary::{Summary, Tally};
use super::target::Target;
use super::{SimulateError, progress_bar};
use crate::cli::hotspots::HotSpots;
use crate::clock;
use crate::tracking::Kind;
use chrono::DateTime;
use fleetpulse_client::tracking::Position;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;
use tokio::select;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// The types of vehicles and their numbers of seats; a type that is listed twice is twice as frequent.
const TYPES: [(&str, u32); 8] = [
    ("sedan", 4),
    ("sedan", 4),
    ("suv", 6),
    ("sedan", 4),
    ("van", 8),
    ("sedan", 4),
    ("suv", 6),
    ("accessible", 3),
];

/// The time limit of requests that are in progress at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// The options of a simulated fleet.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// The service.
    pub url: String,
    /// The kind of the entities.
    pub kind: Kind,
    /// Size of the fleet.
    pub vehicles: u32,
    /// Simulated seconds in a second, more than 0.
    pub speed: f64,
    /// Push as fast as the service answers, one `interval` of simulated time (times `speed`) between two fixes of a
    /// vehicle. Fixes then have no timestamp: the service uses the current time.
    pub as_fast: bool,
    /// The duration; `None` until it is stopped.
    pub duration: Option<Duration>,
    /// Time between two fixes of a vehicle.
    pub interval: Duration,
    /// Fixes in a request; 1 means a POST for each fix.
    pub batch: u32,
    /// The prefix of the ids of its vehicles: two fleets of one service have different prefixes.
    pub prefix: &'static str,
    /// The seed of the random movement.
    pub seed: u64,
    /// The number of connections.
    pub connections: u32,
    /// The longest wait for an answer.
    pub timeout: Duration,
    /// Show progress on stderr if it is a terminal.
    pub progress: bool,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8080".to_owned(),
            kind: Kind::Drivers,
            vehicles: 200,
            speed: 1.0,
            as_fast: false,
            duration: None,
            interval: Duration::from_secs(2),
            batch: 1,
            prefix: "",
            seed: 1,
            connections: 4,
            timeout: Duration::from_secs(10),
            progress: false,
        }
    }
}

/// One vehicle of the fleet, and what was sent about it.
#[derive(Debug)]
struct Member {
    id: String,
    vehicle: Vehicle,
    /// The offset of its reports in each interval.
    phase: Duration,
    kind: (&'static str, u32),
    sent_status: Option<&'static str>,
    moved_at: Option<Instant>,
}

/// Simulates a fleet until its duration has passed or `stop` is ready. Runs on the caller's tokio runtime.
///
/// # Errors
/// [`SimulateError::Unreachable`] if the service cannot be reached at the start; later errors are counted.
pub async fn run_fleet(options: FleetOptions, stop: impl Future<Output = ()>) -> Result<Summary, SimulateError> {
    let city = Arc::new(HotSpots::new_york());
    let bar = progress_bar(options.progress, None);
    let connections = options.connections.clamp(1, options.vehicles.max(1));
    let target = Target::new(&options.url, options.kind, options.timeout);
    let pushers = Pusher::open(&target, connections, &bar).await?;
    let (stopper, signal) = watch::channel(false);
    let start = Instant::now();
    let mut lanes = JoinSet::new();
    for (nth, mut pusher) in (0..).zip(pushers) {
        let members = (nth..options.vehicles).step_by(connections as usize);
        let mut lane = Lane {
            members: members.map(|nth| Member::new(&options, &city, nth)).collect(),
            city: Arc::clone(&city),
            options: options.clone(),
        };
        let (signal, mut at_end) = (signal.clone(), signal.clone());
        lanes.spawn(async move {
            // A request that is in progress at the end is awaited, so that its outcome is counted, but only briefly: the caller may
            // be about to stop the service.
            let patience = async {
                let _ = at_end.wait_for(|stop| *stop).await;
                sleep(PATIENCE).await;
            };
            select! {
                () = patience => pusher.give_up(),
                () = lane.drive(&mut pusher, start, signal) => {}
            }
            pusher.finish()
        });
    }
    let time_is_up = async {
        match options.duration {
            Some(duration) => sleep(duration).await,
            None => pending().await,
        }
    };
    select! {
        () = stop => {}
        () = time_is_up => {}
        // Lanes run forever; one that has returned has panicked.
        _ = lanes.join_next() => return Err(SimulateError::Lost),
    }
    stopper.send_replace(true);
    let mut total = Tally::default();
    while let Some(tally) = lanes.join_next().await {
        total.merge(&tally.map_err(|_panicked| SimulateError::Lost)?);
    }
    bar.finish_and_clear();
    Ok(Summary::new(total, start.elapsed()))
}

/// The vehicles of one connection.
struct Lane {
    members: Vec<Member>,
    city: Arc<HotSpots>,
    options: FleetOptions,
}

impl Lane {
    /// Runs until the signal is true.
    async fn drive(&mut self, pusher: &mut Pusher, start: Instant, mut stop: watch::Receiver<bool>) {
        let (interval, batch) = (self.options.interval, self.options.batch.max(1) as usize);
        let mut round = start;
        loop {
            for first in (0..self.members.len()).step_by(batch) {
                let group = first..(first + batch).min(self.members.len());
                if !self.options.as_fast {
                    // A batch is sent when its last member is due.
                    let moment = round + self.members[group.end - 1].phase;
                    select! {
                        _ = stop.wait_for(|stop| *stop) => return,
                        () = sleep_until(moment) => {}
                    }
                }
                if *stop.borrow() {
                    return;
                }
                let members = &mut self.members[group];
                let positions = members.iter_mut().map(|member| {
                    member.advance(&self.city, &self.options);
                    member.position(&self.options)
                });
                let positions: Vec<Position> = positions.collect();
                let taken = if batch > 1 {
                    let ids = members.iter().map(|member| member.id.as_str());
                    pusher.batch(ids.zip(&positions).collect()).await
                } else {
                    pusher.single(&members[0].id, &positions[0]).await
                };
                for member in members {
                    member.sent_status = taken.then(|| member.vehicle.status());
                }
            }
            // The next rounds do not make up for a round that took too long.
            round = (round + interval).max(Instant::now().checked_sub(interval).unwrap_or(start));
        }
    }
}

impl Member {
    fn new(options: &FleetOptions, city: &HotSpots, nth: u32) -> Self {
        Self {
            id: format!(
                "{}{}-{nth:05}",
                options.prefix,
                options.kind.as_str().trim_end_matches('s')
            ),
            vehicle: Vehicle::new(city, options.seed, u64::from(nth)),
            phase: options.interval.mul_f64(f64::from(nth) / f64::from(options.vehicles)),
            kind: TYPES[nth as usize % TYPES.len()],
            sent_status: None,
            moved_at: None,
        }
    }

    fn advance(&mut self, city: &HotSpots, options: &FleetOptions) {
        let now = Instant::now();
        let lived = match self.moved_at.replace(now) {
            None => Duration::ZERO,
            Some(_) if options.as_fast => options.interval,
            Some(then) => now - then,
        };
        self.vehicle.advance(city, lived.as_secs_f64() * options.speed);
    }

    /// Returns the fix, with the members of the profile that the service does not have yet.
    fn position(&self, options: &FleetOptions) -> Position {
        let (lat, lon) = self.vehicle.place();
        let mut position = Position {
            speed_mps: Some(to_tenths(self.vehicle.speed_mps())),
            // 359.96 rounds to 360, which is not a valid heading.
            heading_deg: Some(to_tenths(self.vehicle.heading_deg()) % 360.0),
            ..Position::new(to_millionths(lat), to_millionths(lon))
        };
        if !options.as_fast {
            position.timestamp = DateTime::from_timestamp_millis(clock::now_ms());
        }
        let status = self.vehicle.status();
        // Users have no seats and no status.
        if options.kind != Kind::Users && self.sent_status != Some(status) {
            position.status = Some(status.to_owned());
            if self.sent_status.is_none() {
                let (vehicle_type, seats) = self.kind;
                position.vehicle_type = Some(vehicle_type.to_owned());
                position.capacity = Some(seats);
            }
        }
        position
    }
}

/// Rounds degrees to their sixth decimal: a tenth of a metre.
fn to_millionths(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

/// Rounds a number to its first decimal.
fn to_tenths(value: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "speeds and headings are small")]
    let rounded = (value * 10.0).round() as f32;
    rounded / 10.0
}
