//! A call: its request, its attempts, its answer.

use crate::attempt::{Attempt, AttemptOutcome};
use crate::builder::bearer;
use crate::error::{Error, Problem};
use crate::retry::{Effect, Repeat, retry_after};
use crate::{Client, ProblemType, json};
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const HEX: &[u8; 16] = b"0123456789ABCDEF";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A call that is not sent yet.
#[must_use]
pub struct Call<'c> {
    client: &'c Client,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    repeat: Repeat,
    /// How long the service may wait before it answers, in addition to the timeout.
    waiting: Duration,
}

/// A successful answer.
pub struct Answer {
    pub status: u16,
    body: Vec<u8>,
}

/// A failed attempt.
struct Failure {
    error: Error,
    effect: Effect,
    outcome: AttemptOutcome,
}

impl<'c> Call<'c> {
    /// Creates a call of the path with these segments. GET, PUT and DELETE are safe to repeat.
    pub fn new(client: &'c Client, method: Method, path: &[&str]) -> Result<Self, Error> {
        let inner = client.inner();
        let url = url(&inner.base, path)?;
        let is_idempotent = [Method::GET, Method::PUT, Method::DELETE].contains(&method);
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &inner.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        Ok(Self {
            client,
            method,
            url,
            headers,
            body: Bytes::new(),
            repeat: if is_idempotent { Repeat::Safe } else { Repeat::Unsafe },
            waiting: Duration::ZERO,
        })
    }

    /// Marks a call as safe to repeat, because the API describes it as idempotent.
    pub fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Safe;
        self
    }

    /// Marks a call as not safe to repeat, although its method is idempotent in general.
    pub fn not_repeatable(mut self) -> Self {
        self.repeat = Repeat::Unsafe;
        self
    }

    /// Adds an `Idempotency-Key`, which all attempts send: the call is safe to repeat.
    pub fn keyed(mut self) -> Self {
        let given = self.client.idempotency_key().cloned();
        let key = given.or_else(|| HeaderValue::try_from(random_token()).ok());
        if let Some(key) = key {
            self.headers.insert(IDEMPOTENCY_KEY, key);
            self.repeat = Repeat::Safe;
        }
        self
    }

    /// Replaces the token of the client.
    pub fn bearer(mut self, token: &str) -> Result<Self, Error> {
        self.headers.insert(AUTHORIZATION, bearer(token)?);
        Ok(self)
    }

    /// Adds the time for which the service may wait before it answers.
    pub fn waiting(mut self, wait_ms: Option<u32>) -> Self {
        self.waiting = Duration::from_millis(wait_ms.unwrap_or_default().into());
        self
    }

    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        self.url.query_pairs_mut().append_pair(name, &value.to_string());
        self
    }

    pub fn query_if(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    pub fn json(mut self, body: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        self.body = serde_json::to_vec(body).map_err(Error::Encode)?.into();
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self)
    }

    /// Sends the call, and repeats it according to the policy.
    pub async fn send(self) -> Result<Answer, Error> {
        let inner = self.client.inner();
        let policy = &inner.retry;
        let total = policy.total_timeout.saturating_add(self.waiting);
        let started = Instant::now();
        let mut number = 0;
        loop {
            number += 1;
            let sent = Instant::now();
            let result = self.attempt(total.saturating_sub(sent - started)).await;
            let latency = sent.elapsed();
            let (outcome, next_in) = match &result {
                Ok(answer) => (AttemptOutcome::Status(answer.status), None),
                Err(failure) => {
                    let left = total.saturating_sub(started.elapsed());
                    let next_in = policy.wait(failure.effect, self.repeat, number, left, rand::random());
                    (failure.outcome, next_in)
                }
            };
            if let Some(observer) = &inner.observer {
                (observer.0)(&Attempt {
                    number,
                    latency,
                    outcome,
                    next_in,
                });
            }
            match (result, next_in) {
                (Ok(answer), _) => return Ok(answer),
                (Err(_), Some(delay)) => sleep(delay).await,
                (Err(failure), None) => return Err(failure.error),
            }
        }
    }

    /// Sends the call and reads the body of the answer.
    pub async fn fetch<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.send().await?.read()
    }

    /// Sends the call and reads the body of the answer; `None` if the answer is 404 `not_found`.
    pub async fn find<T: DeserializeOwned>(self) -> Result<Option<T>, Error> {
        match self.fetch().await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is(ProblemType::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a call whose answer has no body.
    pub async fn done(self) -> Result<(), Error> {
        self.send().await.map(|_answer| ())
    }

    async fn attempt(&self, left: Duration) -> Result<Answer, Failure> {
        let inner = self.client.inner();
        let timeout = inner.timeout.saturating_add(self.waiting).min(left);
        let request = inner
            .http
            .request(self.method.clone(), self.url.clone())
            .headers(self.headers.clone())
            .timeout(timeout)
            .body(self.body.clone());
        let response = request.send().await?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let effect = inner.retry.effect_of_status(status.as_u16(), retry_after);
        let body = match read(response, inner.max_answer_bytes).await {
            Ok(body) => body,
            // The status of an error answer is sufficient, even if its body is lost.
            Err(failure) if status.is_success() => return Err(failure),
            Err(_lost) => Vec::new(),
        };
        let status_code = status.as_u16();
        if status.is_success() {
            return Ok(Answer {
                status: status_code,
                body,
            });
        }
        let problem = Problem::read(status_code, retry_after, &body);
        let error = Error::Problem(Box::new(problem));
        Err(Failure {
            error,
            effect,
            outcome: AttemptOutcome::Status(status_code),
        })
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let effect = Effect::of_transport(&error);
        let outcome = AttemptOutcome::of_transport(&error);
        let error = Error::of_transport(error);
        Self { error, effect, outcome }
    }
}

impl Answer {
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        json::read(&self.body)
    }
}

async fn read(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max_bytes {
            return Err(Failure {
                error: Error::AnswerTooLarge { max_bytes },
                effect: Effect::Final,
                outcome: AttemptOutcome::AnswerTooLarge,
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Appends the segments, percent-encoded. An empty or a dot segment is refused: URLs resolve it, which would make another call.
fn url(base: &Url, path: &[&str]) -> Result<Url, Error> {
    let mut whole = base.path().trim_end_matches('/').to_owned();
    for segment in path {
        if ["", ".", ".."].contains(segment) {
            let wrong = format!("{segment:?} is not a valid name: it must not be empty, `.` or `..`");
            return Err(Error::Argument(wrong));
        }
        whole.push('/');
        for &byte in segment.as_bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~:@".contains(&byte) {
                whole.push(byte.into());
            } else {
                whole.push('%');
                whole.extend([byte >> 4, byte & 0xF].map(|digit| char::from(HEX[usize::from(digit)])));
            }
        }
    }
    let mut url = base.clone();
    url.set_path(&whole);
    Ok(url)
}

/// Returns 128 random bits, for an idempotency key or the token of a lock.
pub fn random_token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(base: &str, name: &str) -> Result<String, Error> {
        url(&Url::parse(base).unwrap(), &["v1", "locks", name]).map(|url| url.to_string())
    }

    #[test]
    fn names_are_percent_encoded() {
        assert_eq!(
            path("http://x", "a/b%?#ü\t").unwrap(),
            "http://x/v1/locks/a%2Fb%25%3F%23%C3%BC%09"
        );
        assert_eq!(path("http://x/base/", "...").unwrap(), "http://x/base/v1/locks/...");
    }

    #[test]
    fn a_name_that_would_make_another_path_is_refused() {
        for name in ["", ".", ".."] {
            assert!(matches!(path("http://x", name), Err(Error::Argument(_))), "{name}");
        }
    }

    #[test]
    fn a_post_can_be_repeated_only_with_a_key() {
        let client = Client::new("http://x").unwrap();
        assert_eq!(client.post(&["a"]).unwrap().repeat, Repeat::Unsafe);
        assert_eq!(client.get(&["a"]).unwrap().repeat, Repeat::Safe);
        let keys = [(); 2].map(|()| {
            let call = client.post(&["a"]).unwrap().keyed();
            assert_eq!(call.repeat, Repeat::Safe);
            call.headers[IDEMPOTENCY_KEY].clone()
        });
        assert_ne!(keys[0], keys[1]);
        let client = client.with_idempotency_key("delivery 9").unwrap();
        assert_eq!(
            client.post(&["a"]).unwrap().keyed().headers[IDEMPOTENCY_KEY],
            "delivery 9"
        );
        assert!(client.with_idempotency_key("").is_err());
        assert!(client.with_idempotency_key("a\nb").is_err());
    }
}
