//! Embeds the service in another program: builds it from settings, calls it with the client, and stops it.
//!
//! `cargo run --example embed [-- FLAGS]`, with the flags and environment variables of `fleetpulse serve`, for example
//! `--redis-url redis://127.0.0.1`. Without one, a private Redis is started and keeps its data in `./data`.

#![expect(clippy::print_stdout, reason = "the output of the example")]

use clap::{Args, Command, FromArgMatches};
use fleetpulse::app::{Application, Settings};
use fleetpulse::runtime::StopReason;
use fleetpulse_client::Client;
use fleetpulse_client::tracking::{Kind, NearbyQuery, Position};
use std::error::Error;
use tokio::sync::oneshot;

/// actix-web's runtime. The service spawns tasks on it while it is built.
#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = settings()?;
    // The port is bound, and requests wait until it serves.
    let app = Application::build(&settings).await?;
    let url = format!("http://{}", app.address());
    println!("listening on {url}");

    // The program decides when the service stops. Here that is after one call.
    let (stop, stopped) = oneshot::channel();
    let service = app.run(async {
        // A sender that was dropped stops the service as well.
        let _ = stopped.await;
        StopReason::Interrupt
    });
    let calls = async {
        let called = call(&url).await;
        // The service has ended by itself if this fails, and then `served` has the reason.
        let _ = stop.send(());
        called
    };
    let (served, called) = tokio::join!(service, calls);
    served?;
    called?;
    Ok(())
}

/// Parses the flags and variables of `fleetpulse serve`. A program with settings of its own can flatten [`Settings`] into them, or parse
/// a fixed list of words.
fn settings() -> Result<Settings, clap::Error> {
    let command = Settings::augment_args(Command::new("embed"));
    // Any free port, unless a flag or a variable names one.
    let command = command.mut_arg("bind", |arg| arg.default_value("127.0.0.1:0"));
    Settings::from_arg_matches(&command.get_matches())
}

/// Reports a position and finds it.
async fn call(url: &str) -> Result<(), fleetpulse_client::Error> {
    let client = Client::new(url)?;
    let drivers = client.tracking(Kind::Drivers);
    drivers.report("d-1", &Position::new(40.7484, -73.9857)).await?;
    for hit in drivers.nearby(&NearbyQuery::new(40.7484, -73.9857)).await?.results {
        println!("{}: {:.0} m", hit.entity.id, hit.distance_m);
    }
    Ok(())
}
