//! What the settings of several concerns share. Each concern has its own in its `settings.rs`; the sum of them is
//! [`app::Settings`](crate::app::Settings).

mod bytes;
mod secret;

pub use bytes::bytes;
pub(crate) use secret::SecretParser;
