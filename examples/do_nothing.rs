//! A server that does nothing, as the reference for the service's figures: the same HTTP stack, the same number of workers
//! and the same allocator, and no work. `cargo run --release --example do_nothing [HOST:PORT]`, then
//! `fleetpulse load get --url http://HOST:PORT --path /nothing`.

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use std::{env, fs, io};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Clock ticks a second in `/proc`: fixed at 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

#[actix_web::main]
#[expect(clippy::print_stdout, reason = "the address is what its caller waits for")]
async fn main() -> io::Result<()> {
    let bind = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8081".to_owned());
    let server = HttpServer::new(|| {
        App::new()
            .service(
                web::resource("/nothing")
                    .route(web::get().to(get_nothing))
                    .route(web::post().to(post_nothing)),
            )
            .route("/metrics", web::get().to(metrics))
    })
    .bind(bind)?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    server.run().await
}

async fn get_nothing() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(r#"{"nothing":true}"#)
}

async fn post_nothing(_body: Bytes) -> HttpResponse {
    HttpResponse::NoContent().finish()
}

async fn metrics() -> HttpResponse {
    match cpu_seconds() {
        Some(seconds) => HttpResponse::Ok()
            .content_type("text/plain; version=0.0.4")
            .body(format!("process_cpu_seconds_total {seconds}\n")),
        None => HttpResponse::NotFound().finish(),
    }
}

/// User and system time of this process: the 14th and 15th field of `/proc/self/stat`, counted behind the name in brackets.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}
