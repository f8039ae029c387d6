//! One HTTP round trip on one connection: a position to the real service (embedded Redis, 100,000 drivers) and a
//! nearby query to it, beside a server with the same HTTP stack that does nothing.

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer, rt};
use clap::Parser;
use criterion::{Criterion, criterion_group, criterion_main};
use fleetpulse::app::{Application, Settings};
use fleetpulse::cli::client::{Client, Endpoint, Limits};
use fleetpulse::geo::Point;
use fleetpulse::runtime::StopReason;
use ground::{Scratch, or_exit};
use std::error::Error;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use support::{city, fix, id, seeded};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

#[path = "support/ground.rs"]
mod ground;
mod support;

const DRIVERS: usize = 100_000;
/// A body with this many positions stays below the limit.
const LOADED_AT_ONCE: usize = 1_000;
/// Different requests of each sort.
const REQUESTS: usize = 4_096;

/// The settings as a command line without words gives them.
#[derive(Parser)]
struct Words {
    #[command(flatten)]
    settings: Settings,
}

/// A server on a thread of its own, with one worker.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn new<F: Future<Output = ()>>(
        serve: impl FnOnce(mpsc::Sender<SocketAddr>, oneshot::Receiver<()>) -> F + Send + 'static,
    ) -> Self {
        let (address_sender, address) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || rt::System::new().block_on(serve(address_sender, stopped)));
        Self {
            address: or_exit(address.recv()),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn client(&self) -> Client {
        let endpoint = or_exit(Endpoint::parse(&format!("http://{}", self.address)));
        Client::new(endpoint, Limits::default())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn service(folder: &Scratch) -> Running {
    let mut settings = Words::parse_from(["bench", "--bind", "127.0.0.1:0", "--workers", "1"]).settings;
    settings.data_dir.clone_from(&folder.0);
    // Whatever the environment says: a bench writes to no Redis but its own.
    (settings.redis.url, settings.redis.host) = (None, None);
    Running::new(|address_sender, stopped| async move {
        let app = or_exit(Application::build(&settings).await);
        let _ = address_sender.send(app.address());
        or_exit(
            app.run(async {
                let _ = stopped.await;
                StopReason::Interrupt
            })
            .await,
        );
    })
}

fn nothing() -> Running {
    Running::new(|address_sender, stopped| async move {
        let server = or_exit(serve_nothing(&address_sender));
        let handle: ServerHandle = server.handle();
        rt::spawn(server);
        let _ = stopped.await;
        handle.stop(false).await;
    })
}

fn serve_nothing(address_sender: &mpsc::Sender<SocketAddr>) -> io::Result<actix_web::dev::Server> {
    let server = HttpServer::new(|| {
        let get = || async {
            HttpResponse::Ok()
                .content_type("application/json")
                .body(r#"{"nothing":true}"#)
        };
        let post = |_body: Bytes| async { HttpResponse::NoContent().finish() };
        App::new().service(
            web::resource("/nothing")
                .route(web::get().to(get))
                .route(web::post().to(post)),
        )
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")?;
    let _ = address_sender.send(server.addrs()[0]);
    Ok(server.run())
}

fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

fn members(point: Point) -> String {
    let fix = fix(point, 0);
    let mut text = format!(r#""lat":{:.6},"lon":{:.6}"#, point.lat(), point.lon());
    for (name, value) in [("speed_mps", fix.speed_mps), ("heading_deg", fix.heading_deg)] {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = write!(text, r#","{name}":{value:.1}"#);
        }
    }
    text
}

/// Every driver once.
async fn load(client: &mut Client, places: &[Point]) {
    for (piece, places) in places.chunks(LOADED_AT_ONCE).enumerate() {
        let elements: Vec<String> = places
            .iter()
            .enumerate()
            .map(|(i, point)| format!(r#"{{"id":"{}",{}}}"#, id(piece * LOADED_AT_ONCE + i), members(*point)))
            .collect();
        let body = format!("[{}]", elements.join(","));
        ask(client, &post("/v1/drivers/positions", &body)).await;
    }
}

async fn ask(client: &mut Client, request: &[u8]) -> usize {
    let response = or_exit(client.send(request).await);
    if !response.is_success() {
        let refused: Box<dyn Error + Send + Sync> = format!("the service answers {}", response.status).into();
        or_exit(Err::<(), _>(io::Error::other(refused)));
    }
    response.body.len()
}

fn round_trip(c: &mut Criterion, name: &str, runtime: &Runtime, client: &mut Client, requests: &[Vec<u8>]) {
    let mut turn = requests.iter().cycle();
    c.bench_function(name, |b| {
        b.iter(|| turn.next().map(|request| runtime.block_on(ask(client, request))));
    });
}

fn http(c: &mut Criterion) {
    let runtime = or_exit(Builder::new_current_thread().enable_all().build());
    let folder = Scratch::new("http");
    let (service, nothing) = (service(&folder), nothing());
    let (mut ours, mut theirs) = (service.client(), nothing.client());
    let places = city(&mut seeded(), DRIVERS);
    runtime.block_on(load(&mut ours, &places));

    let some: Vec<(usize, Point)> = places.iter().copied().enumerate().step_by(DRIVERS / REQUESTS).collect();
    let body = |point| format!("{{{}}}", members(point));
    let posts: Vec<_> = some
        .iter()
        .map(|(n, point)| post(&format!("/v1/drivers/{}/position", id(*n)), &body(*point)))
        .collect();
    let into_nothing: Vec<_> = some.iter().map(|(_, point)| post("/nothing", &body(*point))).collect();
    let nearby: Vec<_> = some
        .iter()
        .map(|(_, point)| {
            let (lat, lon) = (point.lat(), point.lon());
            get(&format!(
                "/v1/drivers/nearby?lat={lat:.6}&lon={lon:.6}&radius_m=2000&limit=10"
            ))
        })
        .collect();
    round_trip(c, "http/post_position", &runtime, &mut ours, &posts);
    round_trip(c, "http/post_nothing", &runtime, &mut theirs, &into_nothing);
    round_trip(c, "http/get_nearby", &runtime, &mut ours, &nearby);
    round_trip(c, "http/get_nothing", &runtime, &mut theirs, &[get("/nothing")]);
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(30);
    targets = http
}
criterion_main!(benches);
