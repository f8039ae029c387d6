use crate::attempt::Observer;
use crate::client::Inner;
use crate::{Attempt, Client, Error, RetryPolicy};
use reqwest::Url;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The largest answer of a service with its default settings has 4 MiB (`HTTP_MAX_ANSWER_BYTES`).
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// The settings of a [`Client`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    base_url: String,
    bearer_token: Option<String>,
    timeout: Duration,
    connect_timeout: Duration,
    max_answer_bytes: usize,
    retry: RetryPolicy,
    observer: Option<Observer>,
    uses_proxies: bool,
}

impl ClientBuilder {
    pub(crate) fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            bearer_token: None,
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            max_answer_bytes: MAX_ANSWER_BYTES,
            retry: RetryPolicy::default(),
            observer: None,
            uses_proxies: true,
        }
    }

    /// Sets the token that calls send as `Authorization: Bearer …`. A call with the token of a session sends that instead.
    pub fn bearer_token(mut self, token: &str) -> Self {
        self.bearer_token = Some(token.to_owned());
        self
    }

    /// Sets the maximum duration of one attempt, including the connection and the body; by default 10 s. The time for which a call waits
    /// in the service (`wait_ms`) is added.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the maximum duration of opening a connection; by default 2 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the maximum size of an answer, bytes; by default 64 MiB.
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.max_answer_bytes = bytes;
        self
    }

    /// Sets how often, and for how long, a call is tried.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets a function that is called after each attempt of each call, for example to count retries or to measure latencies. It is called
    /// before the delay that precedes the next attempt, in the task of the call: it must not block. An attempt of a call that is dropped
    /// is not reported.
    pub fn observe(mut self, observer: impl Fn(&Attempt) + Send + Sync + 'static) -> Self {
        self.observer = Some(Observer(Arc::new(observer)));
        self
    }

    /// Ignores the proxies that the environment names (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`), for example for a service on this
    /// machine. By default they are used.
    pub fn no_proxy(mut self) -> Self {
        self.uses_proxies = false;
        self
    }

    /// Builds the client. It opens its first connection with the first call.
    ///
    /// # Errors
    /// [`Error::Argument`] if the URL or the token is invalid; [`Error::Build`] if TLS cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let base = base_url(&self.base_url)?;
        let mut http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(base.scheme() == "https").map_err(|error| Error::Build(error.into()))?)
            // The service sends no redirects: one would come from another server, which must not get the token.
            .redirect(Policy::none())
            .connect_timeout(self.connect_timeout)
            .user_agent(concat!("fleetpulse-client/", env!("CARGO_PKG_VERSION")));
        if !self.uses_proxies {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| Error::Build(error.into()))?;
        Ok(Client::of(Inner {
            http,
            base,
            authorization: self.bearer_token.as_deref().map(bearer).transpose()?,
            timeout: self.timeout,
            max_answer_bytes: self.max_answer_bytes,
            retry: self.retry,
            observer: self.observer,
        }))
    }
}

fn base_url(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|error| Error::Argument(format!("{text:?} is not a URL: {error}")))?;
    let is_plain = url.query().is_none() && url.fragment().is_none();
    if !["http", "https"].contains(&url.scheme()) || !is_plain {
        let wanted = "an http:// or https:// URL without a query and a fragment";
        return Err(Error::Argument(format!("{text:?} is not {wanted}")));
    }
    Ok(url)
}

/// Returns the value of `Authorization`. `Debug` does not show it.
pub fn bearer(token: &str) -> Result<HeaderValue, Error> {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    // The cause may show the token.
    let mut value = value.map_err(|_hidden| Error::Argument("the token cannot be sent in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The root certificates of the operating system. Clients share them: to read them takes some milliseconds.
static ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
});

/// Configures TLS 1.2 and 1.3 with ring and the root certificates of the operating system. They are read only if they are needed.
fn tls(is_needed: bool) -> Result<ClientConfig, rustls::Error> {
    let roots = if is_needed {
        Arc::clone(&ROOTS)
    } else {
        Arc::new(RootCertStore::empty())
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_cannot_be_called_is_refused() {
        for url in [
            "127.0.0.1:8080",
            "ftp://x",
            "http://",
            "http://x/?a=1",
            "http://x/#a",
            "",
        ] {
            assert!(matches!(Client::new(url), Err(Error::Argument(_))), "{url}");
        }
        for url in ["http://127.0.0.1:8080", "https://fleet.example/base/"] {
            assert!(Client::new(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let client = Client::builder("http://x").bearer_token("fpk_secret").build().unwrap();
        assert!(!format!("{client:?}").contains("fpk_secret"));
        let refused = Client::builder("http://x").bearer_token("fpk_secret\n").build();
        assert!(!format!("{refused:?}").contains("fpk_secret"));
    }
}
