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

/// How many bytes of a body are read at most, and for how long. The rest is not awaited, and its connection is closed.
const MOST_READ: usize = 64 * 1024;
const SHORT: Duration = Duration::from_millis(100);
/// The longest `Retry-After` that is applied.
const MOST_WAIT: Duration = Duration::from_hours(24);
/// A timeout that is shorter than this does not count as a failure of the host, because some callers have little time left.
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

/// The response of a host.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// How long to wait before the next call (`Retry-After`), at most a day.
    pub retry_after: Option<Duration>,
}

impl Outgoing {
    /// Creates a client with these settings.
    ///
    /// # Errors
    /// If TLS cannot be set up, which would be a programming error in this folder.
    pub fn new(settings: &OutgoingSettings) -> Result<Self, CallError> {
        let allowed = Allowed(Arc::new(settings.allow.clone()));
        let tls = tls::config().map_err(|error| CallError::Failed(error.to_string()))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(allowed.clone()))
            // Redirects are followed here, so that each host is checked and has its own circuit breaker.
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

    /// Posts a body, within `within` or the time of the settings, whichever is shorter. A host that answers with 5xx, or not at all, has
    /// failed; any other status is a success for the circuit breaker. A dropped call does not count. Each host to which the call is redirected
    /// is counted separately.
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
            // The body is read to its end if that is quick, so that the connection can be reused. The status alone is the result.
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
    /// Calls one host, and reports the result to its circuit breaker.
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
                let counts = match error {
                    // A host that may not be called has neither failed nor answered.
                    CallError::Forbidden => false,
                    CallError::TimedOut => limit >= PATIENCE.min(self.timeout / 2),
                    _ => true,
                };
                if counts {
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

/// Returns the name of a host for the circuit breakers.
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

/// Returns the target of a redirect that may be followed: only of a 307 or 308, which keep the method and the body. A body that was sent
/// over TLS is not sent again without it.
fn redirect(response: &Response) -> Option<Url> {
    if ![StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT].contains(&response.status()) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let to = response.url().join(location).ok()?;
    (["http", "https"].contains(&to.scheme()) && !leaves_tls(response.url(), &to)).then_some(to)
}

/// Returns whether a redirect leads from TLS to plain HTTP.
fn leaves_tls(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() != "https"
}

/// Reads `Retry-After` in seconds, or as a date. A date is compared with the date of the response, because the clocks may differ.
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
    fn a_redirect_may_lead_to_tls_but_not_to_plain_http() {
        let [plain, secret] = ["http://a.example/", "https://a.example/"].map(|url| Url::parse(url).unwrap());
        assert!(leaves_tls(&secret, &plain));
        assert!(!leaves_tls(&plain, &secret) && !leaves_tls(&secret, &secret) && !leaves_tls(&plain, &plain));
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
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
