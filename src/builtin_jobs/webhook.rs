//! Webhooks signed as [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md)
//! specifies, so that a receiver can verify them with a library.
//!
//! | header | value |
//! |---|---|
//! | `webhook-id` | the id of the message, the same at each attempt: a receiver ignores a message that it has processed |
//! | `webhook-timestamp` | the time of the attempt, Unix seconds: a receiver ignores a message that is too old |
//! | `webhook-signature` | `v1,` and the Base64 of HMAC-SHA256, with the bytes of the secret, of `ID.TIMESTAMP.BODY`; one for each secret, separated by spaces |
//!
//! A webhook may have several secrets, to rotate them: add the new secret, deploy it to the receiver, remove the old secret.
//!
//! A 2xx acknowledges the message, and a 410 unsubscribes. After any other status the message is sent again, until its job has no attempts
//! left.

use crate::ids::Id;
use crate::outgoing::{HeaderMap, HeaderName, HeaderValue, Url};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;

/// The name of a webhook without a name.
pub const DEFAULT: &str = "default";

/// A secret that signs messages: 24 to 64 bytes, written as `whsec_` and their Base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Parses a secret; `None` if it is invalid.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// Returns the signature of a message.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// Omits the secret, because the output may go to a log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A receiver of messages.
#[derive(Clone)]
pub struct Webhook {
    /// The address. It may contain a secret.
    pub url: Url,
    /// One secret, or several during a rotation.
    secrets: Vec<Secret>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.url.host_str().unwrap_or_default())
    }
}

impl Webhook {
    /// Returns the headers of a message.
    #[must_use]
    pub fn headers(&self, id: &str, timestamp_s: i64, body: &[u8]) -> HeaderMap {
        let signatures = self.secrets.iter().map(|secret| secret.sign(id, timestamp_s, body));
        let signature = signatures.collect::<Vec<_>>().join(" ");
        let texts = [
            ("content-type", "application/json"),
            ("webhook-id", id),
            ("webhook-timestamp", &timestamp_s.to_string()),
            ("webhook-signature", &signature),
        ];
        let header = |(name, text): (&'static str, &str)| {
            let value = HeaderValue::from_str(text).ok()?;
            Some((HeaderName::from_static(name), value))
        };
        texts.into_iter().filter_map(header).collect()
    }
}

/// The configured webhooks by name.
#[derive(Debug, Clone, Default)]
pub struct Webhooks(BTreeMap<Id, Webhook>);

/// An invalid setting of webhooks. It never shows an address or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// An invalid name. It has the number of the word, because the word may be a part of a secret.
    #[error("{0}: the name before the = of word {1} is invalid; use 1 to 128 characters of A-Z a-z 0-9 . _ : @ -")]
    Name(&'static str, usize),
    /// A name has two addresses.
    #[error("WEBHOOK_URLS: \"{0}\" has two addresses; remove one, or give it another name")]
    TwoUrls(String),
    /// An invalid address.
    #[error("WEBHOOK_URLS: the address of \"{0}\" is invalid; use an http or https URL")]
    Url(String),
    /// An invalid secret.
    #[error("WEBHOOK_SECRETS: the secret of \"{0}\" is invalid; use whsec_ and the Base64 of 24 to 64 bytes")]
    Secret(String),
    /// A webhook without a secret, or a secret without a webhook.
    #[error("WEBHOOK_URLS and WEBHOOK_SECRETS: \"{0}\" is in only one of them; set both")]
    Unpaired(String),
}

impl Webhooks {
    /// Parses `NAME=URL` and `NAME=SECRET`, separated by spaces; the default name is `default`. All secrets of a name sign.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub fn parse(urls: &str, secrets: &str) -> Result<Self, WebhookError> {
        let mut by_name = BTreeMap::<Id, Vec<Secret>>::new();
        for named in all_named("WEBHOOK_SECRETS", secrets) {
            let (name, secret) = named?;
            let secret = Secret::parse(secret).ok_or_else(|| WebhookError::Secret(name.to_string()))?;
            by_name.entry(name).or_default().push(secret);
        }
        let mut webhooks = BTreeMap::<Id, Webhook>::new();
        for named in all_named("WEBHOOK_URLS", urls) {
            let (name, url) = named?;
            if webhooks.contains_key(&name) {
                return Err(WebhookError::TwoUrls(name.to_string()));
            }
            let url = Url::parse(url)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https"))
                .ok_or_else(|| WebhookError::Url(name.to_string()))?;
            let secrets = by_name
                .remove(&name)
                .ok_or_else(|| WebhookError::Unpaired(name.to_string()))?;
            webhooks.insert(name, Webhook { url, secrets });
        }
        match by_name.into_keys().next() {
            Some(name) => Err(WebhookError::Unpaired(name.to_string())),
            None => Ok(Self(webhooks)),
        }
    }

    /// Returns the webhook of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Webhook> {
        self.0.get(name)
    }
}

/// Splits a setting into values with their names. A name is the text before the first `=`, unless that starts an address or a secret.
fn all_named<'a>(setting: &'static str, words: &'a str) -> impl Iterator<Item = Result<(Id, &'a str), WebhookError>> {
    words.split_whitespace().enumerate().map(move |(index, word)| {
        let (name, rest) = match word.split_once('=') {
            Some((name, rest)) if !name.starts_with("whsec_") && !name.contains("://") => (name, rest),
            _ => (DEFAULT, word),
        };
        let name = Id::parse(name).map_err(|_no_name| WebhookError::Name(setting, index + 1))?;
        Ok((name, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_matches_the_published_example() {
        // The example of the reference libraries of Standard Webhooks.
        let secret = Secret::parse(SECRET).unwrap();
        let signature = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn webhooks_have_a_name_an_address_and_a_secret() {
        let one = Webhooks::parse("https://a.example/hook?key=value=", SECRET).unwrap();
        assert_eq!(one.get(DEFAULT).unwrap().url.query(), Some("key=value="));
        assert!(!format!("{one:?}").contains("key"), "{one:?}");
        let two = Webhooks::parse(
            "ops=https://b.example/ https://a.example/",
            &format!("default={SECRET}  ops={SECRET}"),
        )
        .unwrap();
        assert_eq!(two.get("ops").unwrap().url.host_str(), Some("b.example"));
        assert!(two.get("other").is_none());
        assert!(Webhooks::parse("", "").unwrap().get(DEFAULT).is_none());
        // With the equals signs of Base64.
        let padded = format!("whsec_{}", STANDARD.encode([7; 25]));
        assert!(padded.ends_with('='));
        assert!(Webhooks::parse("https://a.example/", &padded).is_ok());
    }

    #[test]
    fn during_a_rotation_both_secrets_sign() {
        let (old, new) = (SECRET, format!("whsec_{}", STANDARD.encode([7; 32])));
        let secrets = format!("{old} ops={old} {new}");
        let webhooks = Webhooks::parse("https://a.example/ ops=https://b.example/", &secrets).unwrap();
        let signed = |name| {
            let headers = webhooks.get(name).unwrap().headers("m", 5, b"{}");
            headers["webhook-signature"].to_str().unwrap().to_owned()
        };
        let [old, new] = [old, new.as_str()].map(|secret| Secret::parse(secret).unwrap().sign("m", 5, b"{}"));
        assert_eq!(signed(DEFAULT), format!("{old} {new}"));
        assert_eq!(signed("ops"), old);
    }

    #[test]
    fn errors_show_only_names() {
        fn parse(urls: &str, secrets: &str) -> WebhookError {
            Webhooks::parse(urls, secrets).unwrap_err()
        }
        let unpaired = |name: &str| WebhookError::Unpaired(name.to_owned());
        assert_eq!(parse("https://a.example/", ""), unpaired("default"));
        assert_eq!(parse("", SECRET), unpaired("default"));
        assert_eq!(
            parse("ftp://a.example/", SECRET),
            WebhookError::Url("default".to_owned())
        );
        assert_eq!(
            parse("ops=nothing", &format!("ops={SECRET}")),
            WebhookError::Url("ops".to_owned())
        );
        let no_name = parse("https://a.example/ my/ops=https://b.example/", SECRET);
        assert_eq!(no_name, WebhookError::Name("WEBHOOK_URLS", 2));
        assert!(!no_name.to_string().contains("my/ops"), "{no_name}");
        assert_eq!(
            parse("https://a.example/", &format!("={SECRET}")),
            WebhookError::Name("WEBHOOK_SECRETS", 1)
        );
        assert_eq!(
            parse("https://a.example/ https://b.example/", SECRET),
            WebhookError::TwoUrls("default".to_owned())
        );
        for secret in ["whsec_AAAA", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            let error = parse("https://a.example/", secret);
            assert_eq!(error, WebhookError::Secret("default".to_owned()));
            assert!(!error.to_string().contains(secret));
        }
    }
}
