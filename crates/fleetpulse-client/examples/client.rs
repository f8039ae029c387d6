//! Reports the positions of a few drivers, finds the nearest ones, and reserves a seat.
//!
//! `cargo run -p fleetpulse-client --example client -- http://127.0.0.1:8080`

#![expect(clippy::print_stdout, reason = "the output of the example")]

use fleetpulse_client::inventory::{ItemReservation, Stock};
use fleetpulse_client::tracking::{Kind, NearbyQuery, Position};
use fleetpulse_client::{Client, Error, ProblemType};
use std::env;

const DRIVERS: [(&str, f64, f64); 3] = [
    ("d-1", 40.7484, -73.9857),
    ("d-2", 40.7527, -73.9772),
    ("d-3", 40.7061, -74.0087),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
    let client = Client::new(&url)?;
    find_drivers(&client).await?;
    reserve_seats(&client).await
}

async fn find_drivers(client: &Client) -> Result<(), Error> {
    let drivers = client.tracking(Kind::Drivers);
    let positions = DRIVERS.map(|(id, lat, lon)| {
        let position = Position {
            status: Some("available".to_owned()),
            ..Position::new(lat, lon)
        };
        (id, position)
    });
    let batch = positions.iter().map(|(id, position)| (*id, position));
    let reported = drivers.report_many(batch).await?;
    println!("{} positions are stored", reported.accepted);

    let query = NearbyQuery {
        radius_m: Some(10_000.0),
        ..NearbyQuery::new(40.7580, -73.9855)
    };
    for hit in drivers.nearby(&query).await?.results {
        println!("{}: {:.0} m", hit.entity.id, hit.distance_m);
    }
    Ok(())
}

async fn reserve_seats(client: &Client) -> Result<(), Error> {
    let inventory = client.inventory();
    inventory.put_item("shuttle-7", &Stock::new(3)).await?;
    let reservation = inventory
        .reserve_item("shuttle-7", &ItemReservation::new(2, 120))
        .await?;
    println!("2 seats are held until {}", reservation.expires_at);
    match inventory.reserve_item("shuttle-7", &ItemReservation::new(2, 120)).await {
        Ok(_) => println!("2 more seats are held"),
        Err(error) if error.is(ProblemType::InsufficientStock) => println!("no 2 more seats: {error}"),
        Err(error) => return Err(error),
    }
    inventory.release(&reservation.id, None).await?;
    Ok(())
}
