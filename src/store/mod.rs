//! Redis: its address, its connections, the names of keys, and scripts. Slices use [`Link`], [`Script`] and [`Keys`], which work the same
//! way in all modes (embedded, standalone). No command, pipeline or script uses keys of several slots.

mod batch;
mod cause;
pub mod embedded;
mod error;
mod generation;
mod give_back;
mod keys;
mod life;
mod link;
mod listen;
mod peer;
mod phase;
mod rejection;
mod room;
mod script;
mod settings;
mod shared;
mod subscription;
mod waiters;

pub use batch::{Batcher, QueueFull};
pub use cause::Cause;
pub use error::StoreError;
pub use keys::Keys;
pub(crate) use keys::fnv1a;
pub use life::watch_life;
pub use link::Link;
pub use listen::{Listener, PING_EVERY};
pub use room::Memory;
pub use script::{Script, deferred};
pub use settings::{RedisSettings, RedisSource, RedisSourceError};
pub use shared::Store;
pub use subscription::Subscription;
pub use waiters::{Waiter, Waiting};
