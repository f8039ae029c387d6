//! Whole requests as bytes, malformed heads among them, through the server's own layers: the connection's heads, the HTTP parser, the rules
//! and the compression at the edge.

use crate::campaign::{mutated, run};
use actix_http::HttpService;
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::AppConfig;
use actix_web::rt::{System, time::timeout};
use actix_web::{App, Error, HttpRequest, HttpResponse, web};
use fleetpulse::http::{Edge, Heads, HostNames, Problem, Rules, idempotency_key, path_external_id};
use futures_util::future::join;
use prometheus::{IntCounterVec, opts};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Bytes of the large answer: enough that it is compressed.
const LARGE: usize = 20 * 1024;
/// No case takes longer; an endless loop does.
const HANGS: Duration = Duration::from_secs(20);
const STATUSES: &[u16] = &[100, 200, 400, 403, 404, 408, 413, 415, 421, 422, 431];

const CORPUS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /names/a%2Fb HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nIdempotency-Key: \"a b\"\r\nConnection: close\r\n\r\n",
    "GET /large HTTP/1.1\r\nHost: [::1]:80\r\nAccept-Encoding: gzip;q=0.5, deflate, *;q=0\r\n\r\n",
    "HEAD /large HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nRange: bytes=0-1\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n",
    "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:80\r\nAccess-Control-Request-Method: POST\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /names/.. HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: localhost\r\nIf-Modified-Since: Mon, 02 Nov 2026 10:00:00 GMT\r\nIf-None-Match: W/\"a\", *\r\n\r\n",
    "GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nExpect: 100-continue\r\n\r\n",
    // A refusal after an upgrade was asked for.
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\nExpect: 100-continue\r\n\r\n / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n / HTTP/1.1\r\n\r\n",
];
const TOKENS: &[&str] = &[
    "",
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "\0",
    " ",
    ":",
    ": ",
    "\t",
    "HTTP/1.1",
    "HTTP/2.0",
    "HTTP/9",
    "GET ",
    "PRI * ",
    "*",
    "/",
    "//",
    "?",
    "%",
    "%00",
    "%2F",
    "#",
    "Host: ",
    "Host: x\r\n",
    "Origin: null\r\n",
    "Content-Length: 1\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 18446744073709551616\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Expect: 100-continue\r\n",
    "Connection: close\r\n",
    "x: y\r\n",
    "\u{80}",
    ";",
    "FFFFFFFFFFFFFFFF\r\n",
];

async fn ok(request: HttpRequest) -> Result<HttpResponse, Problem> {
    idempotency_key(&request)?;
    Ok(HttpResponse::Ok().body("{}"))
}

async fn name(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let name = path_external_id(&request, "name")?;
    Ok(HttpResponse::Ok().body(name.encoded()))
}

async fn large() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(" ".repeat(LARGE))
}

async fn unknown() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found("there is nothing at this path"))
}

/// Runs `check` with a function that returns what the server answers to the bytes of a connection.
fn with_server(check: impl FnOnce(&dyn Fn(&[u8]) -> Vec<u8>)) {
    let system = System::new();
    let refused = IntCounterVec::new(opts!("refused", "refused"), &["reason"]).unwrap();
    let rules = Rules::new("".parse().unwrap(), HostNames::default(), Ipv4Addr::LOCALHOST.into());
    let app = App::new()
        .route("/", web::route().to(ok))
        .route("/names/{name}", web::get().to(name))
        .route("/large", web::get().to(large))
        .default_service(web::to(unknown))
        .wrap(Edge::new(rules, &refused));
    let app = app.into_factory().map_err(|error: Error| error.error_response());
    let Ok(service) = system.block_on(async {
        let http = HttpService::build()
            .client_disconnect_timeout(Duration::from_millis(1))
            .h1(map_config(app, |()| AppConfig::default()));
        http.new_service(()).await
    }) else {
        unreachable!("the server starts")
    };
    check(&|bytes| {
        system.block_on(async {
            let (mut client, server) = duplex(1 << 20);
            let answering = service.call((Heads::new(server, None, refused.clone()), None));
            let asked = async {
                let mut answers = Vec::new();
                // The server may have closed the connection before it has read everything.
                let _ = client.write_all(bytes).await;
                let _ = client.shutdown().await;
                client.read_to_end(&mut answers).await.unwrap();
                answers
            };
            let (_, answers) = timeout(HANGS, join(answering, asked)).await.unwrap();
            answers
        })
    });
}

/// Every answer is HTTP, of a status that the service documents, and a refusal is a problem.
fn check(answers: &[u8]) {
    let mut rest = answers;
    while !rest.is_empty() {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut answer = httparse::Response::new(&mut headers);
        let Ok(httparse::Status::Complete(len)) = answer.parse(rest) else {
            // The body of the answer before, which has no length if it is compressed or of a HEAD.
            return;
        };
        let status = answer.code.unwrap();
        assert!(STATUSES.contains(&status), "{status}");
        let header = |name: &str| {
            let found = answer
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| str::from_utf8(header.value).unwrap())
        };
        if status >= 400 {
            let shown = answers.escape_ascii();
            assert_eq!(header("content-type"), Some("application/problem+json"), "{shown}");
            assert_eq!(header("cache-control"), Some("no-store"), "{shown}");
        }
        let length = header("content-length").map_or(0, |length| length.parse::<usize>().unwrap());
        rest = rest[len..].get(length..).unwrap_or_default();
    }
}

#[test]
fn heads() {
    with_server(|ask| run("heads", &mutated(CORPUS, TOKENS), |bytes| check(&ask(&bytes))));
}

#[test]
fn regressions() {
    with_server(|ask| {
        for bytes in CORPUS {
            check(&ask(bytes.as_bytes()));
        }
    });
}
