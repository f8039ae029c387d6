use super::CallError;
use super::address::Allowed;
use super::circuit::Circuits;
use super::tls;
use crate::clock;
use crate::config::OutgoingSettings;
use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, Response, StatusCode, Url};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most bytes of an answer that are read; what comes after is not waited for.
const MOST_READ: usize = 64 * 1024;
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
    /// The first 64 KiB of the body.
    pub body: Bytes,
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
            .redirect(redirects(allowed.clone(), settings.redirects))
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
            allowed,
            circuits: Circuits::new(settings.circuit_failures, settings.circuit_rest()),
        })))
    }

    /// Posts a body, within this time if the settings allow no less. A host that answers with 5xx, or not at all, has failed;
    /// whatever else it says is an answer. A call that is dropped instead of given up tells nothing of its host.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        within: Option<Duration>,
    ) -> Result<Reply, CallError> {
        let inner = &*self.0;
        let limit = within.map_or(inner.timeout, |within| within.min(inner.timeout));
        if !inner.allowed.url(url) {
            return Err(CallError::Forbidden);
        }
        let host = format!(
            "{}:{}",
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or(0)
        );
        let pass = inner.circuits.enter(&host, Instant::now()).map_err(CallError::Open)?;
        let request = inner
            .client
            .post(url.clone())
            .headers(headers)
            .body(body)
            .timeout(limit);
        let answered = match request.send().await {
            Ok(response) => Ok(read(response).await),
            Err(error) => Err(error),
        };
        match answered {
            Ok(reply) => {
                if reply.status >= 500 {
                    pass.failed(Instant::now());
                } else {
                    pass.succeeded();
                }
                Ok(reply)
            }
            Err(error) => {
                let error = CallError::of(error);
                let tells = match error {
                    // Of a host that may not be called nothing is known.
                    CallError::Forbidden => false,
                    CallError::TimedOut => limit >= PATIENCE.min(inner.timeout),
                    _ => true,
                };
                if tells {
                    pass.failed(Instant::now());
                }
                Err(error)
            }
        }
    }
}

/// What was answered. A status says what became of the call, so a body that is slow or breaks off is only a shorter one.
async fn read(mut response: Response) -> Reply {
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let mut body = BytesMut::new();
    while body.len() < MOST_READ
        && let Ok(Some(chunk)) = response.chunk().await
    {
        let room = MOST_READ - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Reply {
        status,
        retry_after,
        body: body.freeze(),
    }
}

/// Follows only what keeps the method and the body, as 307 and 308 do, and only to where a call may go. What was sent over TLS
/// is not sent again in the clear.
fn redirects(allowed: Allowed, most: u8) -> Policy {
    let follow = move |attempt: Attempt<'_>| -> Action {
        let keeps = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT].contains(&attempt.status());
        let bares = |from: &Url| bares(from, attempt.url());
        if !keeps || attempt.previous().len() > usize::from(most) || attempt.previous().last().is_some_and(bares) {
            return attempt.stop();
        }
        if allowed.url(attempt.url()) {
            attempt.follow()
        } else {
            attempt.error(super::error::Forbidden)
        }
    };
    if most == 0 {
        Policy::none()
    } else {
        Policy::custom(follow)
    }
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
