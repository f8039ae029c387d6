//! Compares a running service's nearby answers with brute force by the `geo` crate over the same places.
//! `cargo run --release --example verify_nearby -- URL FILE [QUERIES]`: FILE is the CSV (gzip or plain, each id once) whose
//! points the service has as drivers, such as after `fleetpulse simulate --kind drivers --replay FILE --as-fast`. Ids must
//! be the same in the same order, distances within the millimetre that answers are rounded to. Exits with 1 if not.

use flate2::read::MultiGzDecoder;
use fleetpulse_client::Client;
use fleetpulse_client::tracking::{Hit, Kind, NearbyQuery};
use geo::{Distance, Haversine, Point};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::ExitCode;
use std::{env, fmt};

type Failure = Box<dyn Error>;

/// Answers round distances to millimetres.
const TOLERANCE_M: f64 = 0.000_501;
/// How many wrong answers are shown.
const SHOWN: usize = 5;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the result is this program's output")]
async fn main() -> Result<ExitCode, Failure> {
    let mut args = env::args().skip(1);
    let (Some(url), Some(file)) = (args.next(), args.next()) else {
        return Err("usage: verify_nearby URL FILE [QUERIES]".into());
    };
    let queries: usize = args.next().map_or(Ok(3_000), |text| text.parse())?;
    let places = read(&file)?;
    let client = Client::new(&url)?;
    let mut rng = StdRng::seed_from_u64(20_140_401);
    let (mut wrong, mut results) = (0, 0);
    for _ in 0..queries {
        let query = Query::draw(&mut rng, &places);
        let expected = query.brute_force(&places);
        let answer = client.tracking(Kind::Drivers).nearby(&query.request()).await?;
        results += expected.len();
        if let Err(why) = compare(&expected, &answer.results) {
            wrong += 1;
            if wrong <= SHOWN {
                println!("wrong: {query}: {why}");
            }
        }
    }
    println!(
        "nearby: {queries} queries over {} places, {results} results, {wrong} wrong",
        places.len()
    );
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// An entity of the file; longitude is `x`, latitude `y`.
struct Place {
    id: String,
    point: Point,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    lat: f64,
    lon: f64,
}

fn read(file: &str) -> Result<Vec<Place>, Failure> {
    let mut bytes = BufReader::new(File::open(file)?);
    let gzip = bytes.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let text: Box<dyn Read> = if gzip {
        Box::new(MultiGzDecoder::new(bytes))
    } else {
        Box::new(bytes)
    };
    let mut places = Vec::new();
    for row in csv::Reader::from_reader(text).deserialize() {
        let Row { id, lat, lon } = row?;
        places.push(Place {
            id,
            point: Point::new(lon, lat),
        });
    }
    Ok(places)
}

struct Query {
    from: Point,
    radius_m: f64,
    limit: u32,
}

impl Query {
    /// Near a place, at one, or anywhere about the region; radius and limit over their whole ranges, the small as likely
    /// as the large; some radii exactly the distance of some place.
    fn draw(rng: &mut StdRng, places: &[Place]) -> Self {
        let place = &places[rng.random_range(0..places.len())].point;
        let from = match rng.random_range(0..4) {
            0 => *place,
            1 => {
                let other = &places[rng.random_range(0..places.len())].point;
                Point::new(place.x(), other.y())
            }
            _ => Point::new(
                place.x() + rng.random_range(-0.02..0.02),
                place.y() + rng.random_range(-0.02..0.02),
            ),
        };
        let radius_m = match rng.random_range(0..10) {
            0 => 0.0,
            1 => Haversine.distance(from, places[rng.random_range(0..places.len())].point),
            _ => 10.0_f64.powf(rng.random_range(1.0..5.3)),
        };
        // 1 to 1,000.
        let limit = 2.0_f64.powf(rng.random_range(0.0..9.967));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 1,000")]
        Self {
            from,
            radius_m: radius_m.min(200_000.0),
            limit: limit as u32,
        }
    }

    fn brute_force<'a>(&self, places: &'a [Place]) -> Vec<(&'a str, f64)> {
        let mut inside: Vec<(&str, f64)> = places
            .iter()
            .map(|place| (place.id.as_str(), Haversine.distance(self.from, place.point)))
            .filter(|(_, distance_m)| *distance_m <= self.radius_m)
            .collect();
        inside.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(b.0)));
        inside.truncate(self.limit as usize);
        inside
    }

    fn request(&self) -> NearbyQuery {
        NearbyQuery {
            radius_m: Some(self.radius_m),
            limit: Some(self.limit),
            ..NearbyQuery::new(self.from.y(), self.from.x())
        }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, radius_m, limit } = self;
        write!(f, "lat={}&lon={}&radius_m={radius_m}&limit={limit}", from.y(), from.x())
    }
}

fn compare(expected: &[(&str, f64)], answer: &[Hit]) -> Result<(), String> {
    if expected.len() != answer.len() {
        return Err(format!("{} results in the place of {}", answer.len(), expected.len()));
    }
    for (nth, ((id, distance_m), found)) in expected.iter().zip(answer).enumerate() {
        if *id != found.entity.id || (distance_m - found.distance_m).abs() > TOLERANCE_M {
            return Err(format!(
                "result {nth} is {} at {} m in the place of {id} at {distance_m} m",
                found.entity.id, found.distance_m
            ));
        }
    }
    Ok(())
}
