use super::error::ClientError;
use std::fmt;

/// The URL of the service: a parsed `http://HOST[:PORT][/PREFIX]`, or the same with `https`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `HOST:PORT` for the resolver.
    address: String,
    /// The value of the `Host` header.
    authority: String,
    /// The prefix of every path, without a slash at its end.
    prefix: String,
    /// The name that its certificate has to have; `None` without TLS.
    tls_host: Option<String>,
}

impl Endpoint {
    /// Parses a URL.
    ///
    /// # Errors
    /// [`ClientError::Url`] for another scheme, a missing or malformed host or port, credentials, a query or a fragment.
    pub fn parse(url: &str) -> Result<Self, ClientError> {
        let refuse = |reason| ClientError::Url {
            url: url.to_owned(),
            reason,
        };
        let (rest, default_port, is_tls) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (rest, "80", false),
            (None, Some(rest)) => (rest, "443", true),
            (None, None) => return Err(refuse("it must begin with http:// or https://")),
        };
        let (authority, prefix) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        if url
            .bytes()
            .any(|byte| byte <= b' ' || byte == 0x7f || b"?#@".contains(&byte))
        {
            return Err(refuse("it may have only a host, a port and a path"));
        }
        // The colons inside an IPv6 address's brackets are not the port's.
        let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match authority[after_host..].rfind(':') {
            Some(colon) => {
                let (host, port) = authority.split_at(after_host + colon);
                (host, &port[1..])
            }
            None => (authority, default_port),
        };
        if host.is_empty() || host.starts_with('[') != host.ends_with(']') {
            return Err(refuse("the host is missing"));
        }
        let port: u16 = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| refuse("the port is not a number from 1 to 65535"))?;
        Ok(Self {
            address: format!("{host}:{port}"),
            authority: authority.to_owned(),
            prefix: prefix.trim_end_matches('/').to_owned(),
            tls_host: is_tls.then(|| host.trim_start_matches('[').trim_end_matches(']').to_owned()),
        })
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The value of the `Host` header.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The name that its certificate has to have; `None` without TLS.
    #[must_use]
    pub fn tls_host(&self) -> Option<&str> {
        self.tls_host.as_deref()
    }

    /// Returns the prefix of every path.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls_host.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let plain = Endpoint::parse("http://127.0.0.1:8080").unwrap();
        assert_eq!((plain.address(), plain.prefix()), ("127.0.0.1:8080", ""));
        let named = Endpoint::parse("http://fleet.example/api/").unwrap();
        assert_eq!(
            (named.address(), named.authority(), named.prefix()),
            ("fleet.example:80", "fleet.example", "/api")
        );
        let secure = Endpoint::parse("https://[::1]/api").unwrap();
        assert_eq!((secure.address(), secure.tls_host()), ("[::1]:443", Some("::1")));
        assert_eq!(
            (secure.to_string(), plain.tls_host()),
            ("https://[::1]/api".to_owned(), None)
        );
        assert_eq!(Endpoint::parse("http://[::1]:9").unwrap().address(), "[::1]:9");
        assert_eq!(Endpoint::parse("http://[::1]").unwrap().address(), "[::1]:80");
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for bad in [
            "ftp://x",
            "https://",
            "x",
            "http://",
            "http://:80",
            "http://x:0",
            "http://x:99999",
            "http://x:y",
            "http://u@x",
            "http://x/?q",
            "http://x y",
            "http://x\r\nA: b",
            "http://[::1",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad:?}");
        }
    }
}
