use super::CallError;
use super::address::Allowed;
use super::circuit::Circuits;
use super::settings::OutgoingSettings;
use super::tls;
use crate::clock;
use bytes::Bytes;
use chrono::DateTime;
use reqwest::header::{AUTHORIZATION, COOKIE, DATE, HeaderMap, LOCATION, PROXY_AUTHORIZATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// The most bytes of a body that are read, and for how long: what comes after is not waited for, and its connection is closed.
const MOST_READ: usize = 64 * 1024;
const SHORT: Duration = Duration::from_millis(100);
/// The longest that an answer may ask us to wait.
const MOST_WAIT: Duration = Duration::from_hours(24);
/// A host that has not answered within less than this is not known to be unwell: some callers have no time.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long an unused connection is kept: shorter than the minute after which many servers close theirs.
const IDLE: Duration = Duration::from_secs(30);

/// Makes calls; see the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outgoing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    /// How long a call may take.
    timeout: Duration,
    /// Redirects that are followed.
    redirects: u8,
    allowed: Allowed,
    circuits: Circuits,
}

/// What a host answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// When the host wants to be called again (`Retry-After`), at most a day.
    pub retry_after: Option<Duration>,
}

impl Outgoing {
    /// A client of these settings.
    ///
    /// # Errors
    /// If TLS cannot be set up; a mistake in this folder.
    pub fn new(settings: &OutgoingSettings) -> Result<Self, CallError> {
        let allowed = Allowed(Arc::new(settings.allow.clone()));
        let tls = tls::config().map_err(|error| CallError::Failed(error.to_string()))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(allowed.clone()))
            // Followed here, so that each host is looked at and has its own circuit.
            .redirect(Policy::none())
            .connect_timeout(settings.connect_timeout())
            .pool_idle_timeout(IDLE)
            .no_proxy()
            .referer(false)
            .user_agent(concat!("fleetpulse/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(CallError::of)?;
        Ok(Self(Arc::new(Inner {
            client,
            timeout: settings.timeout(),
            redirects: settings.redirects,
            allowed,
            circuits: Circuits::new(settings.circuit_failures, settings.circuit_rest()),
        })))
    }

    /// Posts a body, within this time if the settings allow no less. A host that answers with 5xx, or not at all, has failed;
    /// whatever else it says is an answer. A call that is dropped instead of given up tells nothing of its host. Each host to which
    /// the call is redirected stands for itself.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn post(
        &self,
        url: &Url,
        mut headers: HeaderMap,
        body: Bytes,
        within: Option<Duration>,
    ) -> Result<Reply, CallError> {
        let inner = &*self.0;
        let limit = within.map_or(inner.timeout, |within| within.min(inner.timeout));
        let (start, mut left) = (Instant::now(), limit);
        let (mut url, mut followed) = (url.clone(), 0);
        loop {
            let mut response = inner.call(&url, headers.clone(), body.clone(), left).await?;
            // Read to its end if that comes soon: the connection can be used again then. A status says what became of the call.
            let _ = timeout(SHORT, read_out(&mut response)).await;
            let next = redirect(&response).filter(|_| followed < inner.redirects);
            let Some(next) = next else {
                return Ok(Reply {
                    status: response.status().as_u16(),
                    retry_after: retry_after(response.headers()),
                });
            };
            if host(&next) != host(&url) {
                for secret in [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE] {
                    headers.remove(secret);
                }
            }
            url = next;
            followed += 1;
            left = limit.saturating_sub(start.elapsed());
        }
    }
}

impl Inner {
    /// Calls one host, and notes whether it is well.
    async fn call(&self, url: &Url, headers: HeaderMap, body: Bytes, limit: Duration) -> Result<Response, CallError> {
        if !self.allowed.url(url) {
            return Err(CallError::Forbidden);
        }
        let pass = self
            .circuits
            .enter(&host(url), Instant::now())
            .map_err(CallError::Open)?;
        let request = self.client.post(url.clone()).headers(headers).body(body).timeout(limit);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let error = CallError::of(error);
                let tells = match error {
                    // Of a host that may not be called nothing is known.
                    CallError::Forbidden => false,
                    CallError::TimedOut => limit >= PATIENCE.min(self.timeout / 2),
                    _ => true,
                };
                if tells {
                    pass.failed(Instant::now());
                }
                return Err(error);
            }
        };
        if response.status().is_server_error() {
            pass.failed(Instant::now());
        } else {
            pass.succeeded();
        }
        Ok(response)
    }
}

/// A host as the circuit breakers know it.
fn host(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(0);
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

/// Reads a body, up to [`MOST_READ`].
async fn read_out(response: &mut Response) {
    let mut bytes = 0;
    while bytes < MOST_READ
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes += chunk.len();
    }
}

/// Where an answer leads, if that may be followed: only by 307 and 308, which keep the method and the body. What was sent over TLS is
/// not sent again in the clear.
fn redirect(response: &Response) -> Option<Url> {
    if ![StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT].contains(&response.status()) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let to = response.url().join(location).ok()?;
    (["http", "https"].contains(&to.scheme()) && !bares(response.url(), &to)).then_some(to)
}

/// Whether a redirect leads out of TLS.
fn bares(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() != "https"
}

/// `Retry-After` in seconds, or as a date: measured from the date of the answer, as the clocks may differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let date = |text: &str| DateTime::parse_from_rfc2822(text).map(|date| date.to_utc()).ok();
    let wait = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let answered = headers.get(DATE).and_then(|value| date(value.to_str().ok()?));
        let wait = date(text)? - answered.unwrap_or_else(clock::now);
        wait.to_std().unwrap_or_default()
    };
    Some(wait.min(MOST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_may_lead_into_tls_and_not_out_of_it() {
        let [plain, secret] = ["http://a.example/", "https://a.example/"].map(|url| Url::parse(url).unwrap());
        assert!(bares(&secret, &plain));
        assert!(!bares(&plain, &secret) && !bares(&secret, &secret) && !bares(&plain, &plain));
    }

    #[test]
    fn how_long_to_wait_is_read_as_seconds_and_as_a_date() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            headers.insert(DATE, "Fri, 20 Nov 2026 10:00:00 GMT".parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(read("120"), Some(Duration::from_mins(2)));
        assert_eq!(read("Fri, 20 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Fri, 20 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999"), None);
        assert_eq!(read("18446744073709551615"), Some(MOST_WAIT));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
