//! A raw Redis as the reference for the service's figures: the three commands of a fix (GEOADD, SET PX, PUBLISH) in one
//! pipeline, with nothing between them and the server but a socket. `cargo run --release --example raw_redis [SECONDS]`
//! starts a `redis-server` of its own with the append-only file on, as the embedded one has it, measures over TCP and over
//! a Unix socket, and prints one line of JSON: latencies with one fix under way, the server's CPU time for a fix with 1 and
//! with 64 under way, and for a member of GEOADD with 500 members.

use fleetpulse::cli::hotspots::HotSpots;
use fleetpulse::geo::Point;
use fleetpulse::ids::Id;
use fleetpulse::tracking::model::Fix;
use fleetpulse::tracking::snapshot;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::error::Error;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;

type Failure = Box<dyn Error>;

const ENTITIES: usize = 100_000;
const TTL_MS: &str = "300000";
/// The latencies kept of a measurement.
const MOST_SAMPLES: usize = 4_000_000;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the figures are what its caller waits for")]
async fn main() -> Result<(), Failure> {
    let seconds: f64 = env::args().nth(1).map_or(Ok(2.0), |text| text.parse())?;
    let time = Duration::try_from_secs_f64(seconds)?;
    let folder = env::temp_dir().join(format!("fleetpulse-raw-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let figures = measure(&folder.join("redis.sock"), time).await;
    fs::remove_dir_all(&folder)?;
    println!("{}", figures?);
    Ok(())
}

async fn measure(socket: &Path, time: Duration) -> Result<serde_json::Value, Failure> {
    let (_server, port) = Server::start(socket)?;
    let fleet = Fleet::new()?;
    let mut unix = Connection::new(connect(socket).await?);
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut tcp = Connection::new(stream);
    // Every entity once, so that all that is measured replaces, as a fleet's fixes do.
    unix.run(&fleet.members, 500, Duration::ZERO, ENTITIES).await?;
    unix.run(&fleet.fixes, 64, Duration::ZERO, ENTITIES).await?;
    Ok(serde_json::json!({
        "tcp": tcp.run(&fleet.fixes, 1, time, 0).await?,
        "unix": unix.run(&fleet.fixes, 1, time, 0).await?,
        "tcp_64": tcp.run(&fleet.fixes, 64, time, 0).await?,
        "unix_64": unix.run(&fleet.fixes, 64, time, 0).await?,
        "geoadd_500": unix.run(&fleet.members, 500, time, 0).await?,
    }))
}

/// The server, our own child: only it is signalled.
struct Server(Child);

impl Server {
    /// With the directives that matter of the embedded one's, listening on a free port and on the socket.
    fn start(socket: &Path) -> Result<(Self, u16), Failure> {
        let folder = socket.parent().ok_or("a socket lies in a folder")?;
        // Free a moment ago; a server that finds it taken ends at once, and connecting says so.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let directives = format!(
            "port {port}\nbind 127.0.0.1\nunixsocket {}\ndir {}\nlogfile redis.log\ndaemonize no\nsave \"\"\n\
             appendonly yes\nappendfsync no\nauto-aof-rewrite-min-size 256mb\n",
            socket.display(),
            folder.display()
        );
        let config = folder.join("redis.conf");
        fs::write(&config, directives)?;
        let binary = env::var_os("REDIS_SERVER_BIN").unwrap_or_else(|| "redis-server".into());
        let child = Command::new(binary).arg(config).stdin(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("redis-server: {error} (`make setup` installs it)"))?;
        Ok((Self(child), port))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connects once the server listens, within ten seconds.
async fn connect(socket: &Path) -> Result<UnixStream, Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match UnixStream::connect(socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() > deadline => {
                return Err(format!("redis-server does not listen: {error}").into());
            }
            Err(_) => sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Commands in Redis's protocol, made beforehand: what is measured is the server and its socket.
struct Fleet {
    fixes: Commands,
    members: Commands,
}

struct Commands {
    each: Vec<Vec<u8>>,
    /// Returns what is sent before this number of commands.
    head: fn(usize) -> Vec<u8>,
    /// Returns the number of reply lines for this number of commands.
    answers: fn(usize) -> usize,
}

impl Fleet {
    fn new() -> Result<Self, Failure> {
        let (city, mut rng) = (HotSpots::new_york(), StdRng::seed_from_u64(1));
        let (mut fixes, mut members) = (Vec::new(), Vec::new());
        // Each entity alternates between two places: a place that does not change costs the index nothing.
        for n in (0..ENTITIES).chain(0..ENTITIES) {
            let (lat, lon) = city.draw(&mut rng);
            let id = Id::parse(&format!("load-{n:07}"))?;
            let fix = Fix {
                point: Point::new(lat, lon)?,
                timestamp_ms: 1_790_000_000_000,
                received_us: 1_790_000_000_000_000,
                accuracy_m: None,
                altitude_m: None,
                speed_mps: Some(8.3),
                heading_deg: Some(119.0),
            };
            let mut json = Vec::new();
            snapshot::write(&mut json, &id, &fix);
            let (lat, lon, key) = (
                format!("{lat:.6}"),
                format!("{lon:.6}"),
                format!("pos:{{drivers:0}}:{id}"),
            );
            let mut fix = Vec::new();
            push_command(
                &mut fix,
                &["GEOADD", "geo:{drivers:0}", &lon, &lat, &id].map(str::as_bytes),
            );
            push_command(&mut fix, &[b"SET", key.as_bytes(), &json, b"PX", TTL_MS.as_bytes()]);
            push_command(&mut fix, &[b"PUBLISH", b"updates:drivers", &json]);
            fixes.push(fix);
            let mut member = Vec::new();
            for part in [lon.as_bytes(), lat.as_bytes(), id.as_bytes()] {
                push_part(&mut member, part);
            }
            members.push(member);
        }
        Ok(Self {
            fixes: Commands {
                each: fixes,
                head: |_count| Vec::new(),
                answers: |count| 3 * count,
            },
            members: Commands {
                each: members,
                head: |count| {
                    let mut head = format!("*{}\r\n", 2 + 3 * count).into_bytes();
                    push_part(&mut head, b"GEOADD");
                    push_part(&mut head, b"geo:{drivers:0}");
                    head
                },
                answers: |_count| 1,
            },
        })
    }
}

fn push_part(out: &mut Vec<u8>, part: &[u8]) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "${}\r\n", part.len());
    out.extend_from_slice(part);
    out.extend_from_slice(b"\r\n");
}

fn push_command(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let _ = write!(out, "*{}\r\n", parts.len());
    for part in parts {
        push_part(out, part);
    }
}

struct Connection<S> {
    stream: S,
    answer: Vec<u8>,
    /// The entity whose turn it is.
    at: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            answer: vec![0; 64 * 1024],
            at: 0,
        }
    }

    /// Sends `depth` of the commands at once, again and again, for this duration and at least this number.
    async fn run(
        &mut self,
        commands: &Commands,
        depth: usize,
        time: Duration,
        least: usize,
    ) -> Result<serde_json::Value, Failure> {
        let (mut sent, mut latencies_ns, mut request) = (0, Vec::new(), Vec::new());
        let (cpu_before, start) = (self.cpu_seconds().await?, Instant::now());
        while sent < least || start.elapsed() < time {
            request.clear();
            request.extend((commands.head)(depth));
            for _ in 0..depth {
                // A stride without a factor in common with the number: neighbours in a row would favour the caches.
                self.at = (self.at + 61_803) % commands.each.len();
                request.extend_from_slice(&commands.each[self.at]);
            }
            let asked = Instant::now();
            self.exchange(&request, (commands.answers)(depth)).await?;
            if latencies_ns.len() < MOST_SAMPLES {
                latencies_ns.push(asked.elapsed().as_nanos());
            }
            sent += depth;
        }
        let seconds = start.elapsed().as_secs_f64();
        let cpu = self.cpu_seconds().await? - cpu_before;
        latencies_ns.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "counts and waits stay far below 2^53")]
        let (count, percentile_us) = (sent as f64, |percent: usize| {
            latencies_ns[(latencies_ns.len() - 1) * percent / 100] as f64 / 1e3
        });
        Ok(serde_json::json!({
            "p50_us": percentile_us(50),
            "p99_us": percentile_us(99),
            "redis_us_per_op": cpu * 1e6 / count,
            "per_second": count / seconds,
        }))
    }

    async fn exchange(&mut self, request: &[u8], lines: usize) -> Result<(), Failure> {
        self.stream.write_all(request).await?;
        let mut seen = 0;
        while seen < lines {
            let got = self.stream.read(&mut self.answer).await?;
            let answer = &self.answer[..got];
            if got == 0 || answer.contains(&b'-') {
                return Err(format!("Redis says {:?}", String::from_utf8_lossy(answer)).into());
            }
            seen += answer.split(|byte| *byte == b'\n').count() - 1;
        }
        Ok(())
    }

    /// What the server has used so far.
    async fn cpu_seconds(&mut self) -> Result<f64, Failure> {
        self.stream.write_all(b"*2\r\n$4\r\nINFO\r\n$3\r\ncpu\r\n").await?;
        let mut text = String::new();
        // The section's last line.
        while !text.contains("used_cpu_user_main_thread") || !text.ends_with("\r\n\r\n") {
            let got = self.stream.read(&mut self.answer).await?;
            if got == 0 {
                return Err("Redis has gone".into());
            }
            text.push_str(&String::from_utf8_lossy(&self.answer[..got]));
        }
        let of = |name: &str| -> Result<f64, Failure> {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            Ok(value.ok_or("INFO lacks the CPU time")?.parse()?)
        };
        Ok(of("used_cpu_user:")? + of("used_cpu_sys:")?)
    }
}
