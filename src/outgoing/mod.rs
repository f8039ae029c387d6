//! Calls to other hosts: webhooks.
//!
//! A call is bounded in every respect: the time to connect, the total time, the time and the bytes of the response body (only the status
//! is used), and the number of redirects (none by default, and only those that keep method and body).
//!
//! **No call reaches the internal network.** A name is resolved here, and only addresses of the public Internet are passed to the
//! connection, so it does not matter what the name resolves to later (DNS rebinding). An address instead of a name is checked before the
//! call, and again at each redirect. `OUTGOING_ALLOW` permits additional networks. Proxies of the environment are not used, because they
//! would resolve names themselves.
//!
//! **A failing host is not called** for some time ([`circuit`]): calls to it are refused at once, then one call may try. If a call was
//! redirected to another host, the failure counts for that host.

mod address;
pub mod circuit;
mod client;
mod error;
mod settings;
mod tls;

pub use tls::config as tls_config;

pub use address::is_public;
pub use client::{Outgoing, Reply};
pub use error::CallError;
pub use reqwest::Url;
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
pub use settings::OutgoingSettings;
