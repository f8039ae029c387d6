//! How many pairs of reserve and confirm a second one item bears, on a Redis and, over HTTP, a service of its own:
//! `cargo run --release --example reserve_and_confirm [rust|http] [SECONDS] [CALLERS]`.

use clap::Parser;
use fleetpulse::app::{Application, Settings};
use fleetpulse::cli::client::{Client, Endpoint, Limits};
use fleetpulse::ids::Id;
use fleetpulse::inventory::{Expected, Goods, Inventory, InventorySettings, Name, Terms};
use fleetpulse::runtime::StopReason;
use fleetpulse::store::embedded::{Embedded, EmbeddedSettings};
use fleetpulse::store::{Keys, Link, Store};
use futures_util::future::try_join_all;
use std::cell::Cell;
use std::error::Error;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};
use tokio::sync::oneshot;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

const STOCK: u64 = 1 << 50;

/// The settings as a command line without words gives them.
#[derive(Parser)]
struct Words {
    #[command(flatten)]
    settings: Settings,
}

/// Removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[actix_web::main]
async fn main() -> Outcome<()> {
    let mut words = env::args().skip(1);
    let way = words.next().unwrap_or_else(|| "rust".to_owned());
    let seconds = words.next().map_or(Ok(5), |word| word.parse())?;
    let callers = words.next().map_or(Ok(256), |word| word.parse())?;
    let folder = Folder(env::temp_dir().join(format!("fleetpulse-pairs-{}", process::id())));
    let server = Embedded::start(&EmbeddedSettings::new(&folder.0)).await?;
    let socket = server.folder().join("redis.sock");
    let password = fs::read_to_string(server.folder().join("password"))?;
    let store = Store::new(server.connection_info(), Keys::new("fp:", 1), Duration::from_secs(10))?;
    let link = Link::open(&store);
    link.connected().await;
    let inventory = Inventory::start(&link, &InventorySettings::default());
    inventory.put(&Id::parse("seat")?, STOCK, None, Expected::Any).await?;
    let until = Duration::from_secs(seconds);
    if way == "http" {
        let url = format!("unix://{}?pass={password}", socket.display());
        let service = Service::start(url)?;
        by_http(&service.url, callers, until, &link).await?;
    } else {
        by_rust(&inventory, callers, until, &link).await?;
    }
    drop(inventory);
    server.stop().await;
    Ok(())
}

/// CPU seconds that Redis has used.
async fn cpu_seconds(redis: &Link) -> Outcome<f64> {
    let info: String = redis.query(::redis::cmd("INFO").arg("cpu")).await?;
    let of = |name: &str| {
        let value = info.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|value| value.trim().parse::<f64>().ok()).unwrap_or(0.0)
    };
    Ok(of("used_cpu_user:") + of("used_cpu_sys:"))
}

#[expect(clippy::print_stdout, reason = "what it is run for")]
#[expect(clippy::cast_precision_loss, reason = "a count of pairs is far below 2^52")]
fn report(pairs: u64, elapsed: Duration, redis_cpu: f64) {
    let seconds = elapsed.as_secs_f64();
    println!(
        "{:.0} pairs/s, Redis {:.1} µs CPU a pair ({:.0} % of a core)",
        pairs as f64 / seconds,
        redis_cpu * 1e6 / pairs as f64,
        100.0 * redis_cpu / seconds
    );
}

async fn by_rust(inventory: &Inventory, callers: usize, until: Duration, link: &Link) -> Outcome<()> {
    let goods = vec![Goods {
        sku: Id::parse("seat")?,
        quantity: 1,
    }];
    let (ttl, owner) = (Duration::from_mins(2), None);
    let terms = Terms { ttl, owner, goods };
    let pairs = Cell::new(0);
    let (cpu, start) = (cpu_seconds(link).await?, Instant::now());
    let caller = async || {
        while start.elapsed() < until {
            let made = inventory.reserve(&terms, &Name::New).await?;
            inventory.confirm(&made.reservation.id).await?;
            pairs.set(pairs.get() + 1);
        }
        Ok::<_, Box<dyn Error>>(())
    };
    try_join_all((0..callers).map(|_| caller())).await?;
    report(pairs.get(), start.elapsed(), cpu_seconds(link).await? - cpu);
    Ok(())
}

async fn by_http(url: &str, callers: usize, until: Duration, link: &Link) -> Outcome<()> {
    let body = r#"{"quantity":1,"ttl_s":120}"#;
    let request = |path: &str, body: &str| {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let reserve = request("/v1/inventory/seat/reservations", body);
    let pairs = Cell::new(0);
    let (cpu, start) = (cpu_seconds(link).await?, Instant::now());
    let caller = async || {
        let mut client = Client::new(Endpoint::parse(url)?, Limits::default());
        while start.elapsed() < until {
            let made = client.send(reserve.as_bytes()).await?;
            let text = str::from_utf8(made.body)?;
            let id = text.split('"').nth(3).filter(|_| made.status == 201).ok_or(text)?;
            let confirm = request(&format!("/v1/reservations/{id}/confirm"), "");
            let confirmed = client.send(confirm.as_bytes()).await?;
            if confirmed.status != 200 {
                return Err(format!("{}", confirmed.status).into());
            }
            pairs.set(pairs.get() + 1);
        }
        Ok::<_, Box<dyn Error>>(())
    };
    try_join_all((0..callers).map(|_| caller())).await?;
    report(pairs.get(), start.elapsed(), cpu_seconds(link).await? - cpu);
    Ok(())
}

/// The service on a thread of its own, with two workers; ends when dropped.
struct Service {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Service {
    fn start(redis_url: String) -> Outcome<Self> {
        let words = ["pairs", "--bind=127.0.0.1:0", "--workers=2", "--drain=0"];
        let mut settings = Words::try_parse_from(words)?.settings;
        (settings.redis.url, settings.redis.host) = (Some(redis_url), None);
        let (stop, stopped) = oneshot::channel();
        let (address_sender, address) = mpsc::channel();
        let thread = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let Ok(app) = Application::build(&settings).await else {
                    return;
                };
                let _ = address_sender.send(app.address());
                let stopped = async {
                    drop(stopped.await);
                    StopReason::Interrupt
                };
                let _ = app.run(stopped).await;
            });
        });
        Ok(Self {
            url: format!("http://{}", address.recv()?),
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
