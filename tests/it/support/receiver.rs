use super::wait::eventually;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// An external HTTP server: records requests, and answers with prepared responses, or with 204.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    received: Mutex<Vec<Received>>,
    answers: Mutex<VecDeque<HttpAnswer>>,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// A status, headers, and how long to wait before.
#[derive(Debug, Clone)]
pub struct HttpAnswer(pub u16, pub Vec<(&'static str, String)>, pub Duration);

impl From<u16> for HttpAnswer {
    fn from(status: u16) -> Self {
        Self(status, Vec::new(), Duration::ZERO)
    }
}

impl Receiver {
    /// On a free port of this machine, for as long as the runtime of the test.
    pub fn start() -> Self {
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let server = HttpServer::new(move || {
            let state = Arc::clone(&shared);
            App::new().default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
                answer(Arc::clone(&state), request, body)
            }))
        })
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        rt::spawn(server.run());
        Self { url, state }
    }

    /// Prepares the next responses, in this order.
    pub fn answer_with(&self, answers: impl IntoIterator<Item = impl Into<HttpAnswer>>) {
        self.state.answers.lock().extend(answers.into_iter().map(Into::into));
    }

    /// Returns the requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().clone()
    }

    /// Waits until it has received this many requests.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let what = format!("{count} requests have come");
        eventually(Duration::from_secs(15), &what, async || {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }
}

async fn answer(state: Arc<State>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    state.received.lock().push(Received {
        path: request.path().to_owned(),
        headers: headers.collect(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let next = state.answers.lock().pop_front();
    let HttpAnswer(status, headers, wait) = next.unwrap_or_else(|| 204.into());
    rt::time::sleep(wait).await;
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    for header in headers {
        response.insert_header(header);
    }
    response.finish()
}
