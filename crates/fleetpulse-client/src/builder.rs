use crate::client::Inner;
use crate::{Client, Error, RetryPolicy};
use reqwest::Url;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
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

    /// Builds the client. It opens its first connection with the first call.
    ///
    /// # Errors
    /// [`Error::Argument`] if the URL or the token is invalid; [`Error::Build`] if TLS cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let base = base_url(&self.base_url)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(base.scheme() == "https").map_err(|error| Error::Build(error.into()))?)
            // The service sends no redirects: one would come from another server, which must not get the token.
            .redirect(Policy::none())
            .connect_timeout(self.connect_timeout)
            .user_agent(concat!("fleetpulse-client/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Build(error.into()))?;
        Ok(Client::of(Inner {
            http,
            base,
            authorization: self.bearer_token.as_deref().map(bearer).transpose()?,
            timeout: self.timeout,
            max_answer_bytes: self.max_answer_bytes,
            retry: self.retry,
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

/// Configures TLS 1.2 and 1.3 with ring and the root certificates of the operating system. They are read only if they are needed.
fn tls(is_needed: bool) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    if is_needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
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
