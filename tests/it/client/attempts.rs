//! The observer of a client: it gets each attempt of each call.

use super::builder;
use crate::support::{HttpAnswer, Receiver};
use fleetpulse_client::tracking::Kind;
use fleetpulse_client::{Attempt, AttemptOutcome, Client, ClientBuilder, Error, RetryPolicy};
use parking_lot::Mutex;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A client whose attempts are kept.
struct Observed {
    client: Client,
    attempts: Arc<Mutex<Vec<Attempt>>>,
}

impl Observed {
    fn new(builder: ClientBuilder) -> Self {
        let attempts = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&attempts);
        let builder = builder.observe(move |attempt| kept.lock().push(*attempt));
        let client = builder.build().unwrap();
        Self { client, attempts }
    }

    async fn call(&self) -> Result<(), Error> {
        self.client.tracking(Kind::Drivers).delete_position("d-1").await
    }

    fn attempts(&self) -> Vec<Attempt> {
        mem::take(&mut self.attempts.lock())
    }
}

/// The number, the outcome and the following delay of each attempt.
fn parts(attempts: &[Attempt]) -> Vec<(u32, AttemptOutcome, Option<Duration>)> {
    let parts = attempts
        .iter()
        .map(|attempt| (attempt.number, attempt.outcome, attempt.next_in));
    parts.collect()
}

/// A policy of two attempts.
fn twice() -> RetryPolicy {
    RetryPolicy {
        max_attempts: 2,
        base_backoff: Duration::from_millis(10),
        ..RetryPolicy::default()
    }
}

/// A service that answers each request with these bytes, and closes the connection; returns its URL.
async fn closing_service(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            let _ = client.read(&mut request).await;
            let _ = client.write_all(answer).await;
        }
    });
    url
}

#[actix_web::test]
async fn each_attempt_of_a_call_is_observed() {
    let receiver = Receiver::start();
    let delay = Duration::from_millis(50);
    let busy = HttpAnswer(503, vec![("retry-after", "1".to_owned())], delay);
    receiver.answer_with([busy, 503.into(), 204.into(), 404.into()]);
    let observed = Observed::new(builder(&receiver.url).retry(twice()));

    observed.call().await.unwrap_err();
    let attempts = observed.attempts();
    let busy = AttemptOutcome::Status(503);
    assert_eq!(
        parts(&attempts),
        [(1, busy, Some(Duration::from_secs(1))), (2, busy, None)]
    );
    assert!(attempts[0].latency >= delay, "{attempts:?}");

    observed.call().await.unwrap();
    observed.call().await.unwrap_err();
    let [stored, absent] = [204, 404].map(AttemptOutcome::Status);
    assert_eq!(parts(&observed.attempts()), [(1, stored, None), (1, absent, None)]);
}

#[actix_web::test]
async fn an_attempt_without_an_answer_has_its_reason() {
    let receiver = Receiver::start();
    receiver.answer_with([HttpAnswer(204, Vec::new(), Duration::from_mins(1))]);
    let long = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nlong text";
    // Nothing listens on the privileged port 1.
    for (url, expected) in [
        (receiver.url.clone(), AttemptOutcome::Timeout),
        ("http://127.0.0.1:1".to_owned(), AttemptOutcome::NotConnected),
        (closing_service(b"").await, AttemptOutcome::Broken),
        (
            closing_service(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").await,
            AttemptOutcome::Broken,
        ),
        (closing_service(long).await, AttemptOutcome::AnswerTooLarge),
    ] {
        let builder = builder(&url).retry(RetryPolicy::never()).max_answer_bytes(5);
        let builder = match expected {
            AttemptOutcome::Timeout => builder.timeout(Duration::from_millis(200)),
            _ => builder,
        };
        let observed = Observed::new(builder);
        observed.call().await.unwrap_err();
        let outcomes: Vec<_> = observed.attempts().iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [expected]);
    }
}

#[actix_web::test]
async fn a_limited_call_is_not_repeated_if_the_policy_says_so() {
    let receiver = Receiver::start();
    receiver.answer_with([429]);
    let policy = RetryPolicy {
        retry_rate_limited: false,
        ..twice()
    };
    let observed = Observed::new(builder(&receiver.url).retry(policy));
    assert_eq!(observed.call().await.unwrap_err().status(), Some(429));
    assert_eq!(observed.attempts().len(), 1);
}
