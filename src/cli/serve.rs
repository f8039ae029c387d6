//! `fleetpulse serve`: runs the service.

use super::simulate::{FleetOptions, run_fleet};
use crate::app::Settings;
use crate::app::{AppError, Application};
use crate::runtime::{StopReason, caught};
use crate::telemetry;
use clap::Args;
use std::future::pending;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// The arguments of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    // These come first, because arguments after a group of settings are listed under the heading of the group.
    /// Configuration file (TOML), each setting under the name of its variable; flags and variables override it
    #[arg(long, value_name = "FILE", env = "FLEETPULSE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Check the settings and exit; opens no port and no connection
    #[arg(long)]
    pub check_settings: bool,
    /// Run this many simulated drivers in New York, at most 10,000, so that queries have results
    #[arg(long, value_name = "DRIVERS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub demo_fleet: u32,
    /// The service's settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// Serves until SIGINT or SIGTERM. A second signal ends the process at once.
///
/// # Errors
/// [`AppError`].
#[expect(clippy::print_stdout, reason = "this is the output of the command")]
pub async fn run(args: ServeArgs) -> Result<(), AppError> {
    if args.check_settings {
        Application::check(&args.settings)?;
        println!("the settings are valid");
        return Ok(());
    }
    telemetry::init(&args.settings.log.filter, args.settings.log.format);
    // Before anything is started, so that every signal has a handler.
    let mut signals = Signals::listen();
    let (stop, stopped) = oneshot::channel();
    let app = Application::build(&args.settings).await?;
    let address = app.address();
    greet(&app, args.demo_fleet);
    let fleet =
        (args.demo_fleet > 0).then(|| actix_web::rt::spawn(caught("demo_fleet", drive(address, args.demo_fleet))));
    let serving = app.run(async {
        // The sender lives until this resolves.
        let reason = stopped.await.unwrap_or(StopReason::Interrupt);
        if let Some(fleet) = fleet {
            fleet.abort();
        }
        reason
    });
    let signalled = async {
        let _ = stop.send(signals.next().await);
        signals.next().await;
    };
    tokio::select! {
        served = serving => served,
        () = signalled => Err(AppError::Interrupted),
    }
}

#[expect(clippy::print_stdout, reason = "this is the output of the command")]
fn greet(app: &Application, fleet: u32) {
    let url = format!("http://{}", app.address());
    println!("listening on {url}");
    match app.data_folder() {
        Some(folder) => println!("Redis:    embedded, its data in {}", folder.display()),
        None if app.is_without_redis() => println!("Redis:    none installed; positions are kept in memory only"),
        None => println!("Redis:    as configured"),
    }
    println!("API:      {url}/docs");
    if fleet > 0 {
        println!("fleet:    {fleet} simulated drivers in New York\n\nTry:");
        println!("  curl '{url}/v1/drivers/nearby?lat=40.7484&lon=-73.9857&limit=3'");
        println!(
            "  curl -i -X POST {url}/v1/drivers/me/position -H 'content-type: application/json' \\\n       \
             -d '{{\"lat\":40.7484,\"lon\":-73.9857}}'"
        );
        println!("\nPress Ctrl-C to stop.");
    }
}

/// Runs the demo fleet, a client that uses HTTP like any other.
async fn drive(address: SocketAddr, vehicles: u32) {
    let options = FleetOptions {
        url: format!("http://{address}"),
        vehicles,
        prefix: "demo-",
        ..FleetOptions::default()
    };
    if let Err(error) = run_fleet(options, pending()).await {
        tracing::warn!(%error, "the simulated fleet has stopped");
    }
}

/// The signals that stop the service.
struct Signals(Option<(Signal, Signal)>);

impl Signals {
    /// Installs the signal handlers.
    fn listen() -> Self {
        let interrupt = signal(SignalKind::interrupt());
        let terminate = signal(SignalKind::terminate());
        let signals = interrupt.ok().zip(terminate.ok());
        if signals.is_none() {
            tracing::error!("signal handlers cannot be installed; stop the service with SIGKILL");
        }
        Self(signals)
    }

    /// Resolves at the next SIGINT or SIGTERM.
    async fn next(&mut self) -> StopReason {
        let Some((interrupt, terminate)) = &mut self.0 else {
            return pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => StopReason::Interrupt,
            _ = terminate.recv() => StopReason::Terminate,
        }
    }
}
