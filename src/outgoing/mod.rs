//! Calls to hosts that are not ours: webhooks.
//!
//! What a call may do is bounded on every side: the time to connect and the time of the whole, the time and the bytes for which a body is
//! read (a status is the answer), the redirects that are followed (none, if not set otherwise, and then only those that keep method and
//! body).
//!
//! **No call reaches the inside.** A name is resolved here and only addresses of the public Internet are handed to the
//! connection, so it does not matter what the name resolves to a moment later (DNS rebinding); an address in the place of a
//! name is looked at before the call, and again at each redirect. `OUTGOING_ALLOW` opens networks of one's own. Proxies of
//! the environment are not used: they would resolve names themselves.
//!
//! **A host that fails is left alone** for a while ([`circuit`]): calls to it are refused at once, then one may try. Where a call was
//! redirected to another host, the failure is that one's.

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
