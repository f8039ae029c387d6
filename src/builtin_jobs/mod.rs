//! The jobs that the service runs itself, on top of [`jobs`](crate::jobs), [`cache`](crate::cache), [`sessions`](crate::sessions)
//! and [`outgoing`](crate::outgoing). They have a queue of their own, each with a typed payload that is looked at when it is put
//! in, and with a real effect.
//!
//! | type | payload | what it does |
//! |---|---|---|
//! | `notification` | `title`, `body`, `data`?, `webhook`? | tells a webhook ([`webhook`]) |
//! | `vendor_cart_add`, `vendor_wishlist_add` | `vendor_id`, `user_id`, `item_id`, `item_name`, `quantity`?, `webhook`? | the same with words of its own |
//! | `response_reminder` | `conversation_id`, `vendor_id`?, `user_id`?, `webhook`? | a series of notifications, then the next |
//! | `alternative_vendor_recommendation` | the same | a notification |
//! | `commission` | `amount`, `rate`?, `currency`?, `scale`?, `order_id`? | computes it; the result is kept for a week |
//! | `cleanup_expired_sessions` | nothing | takes ended sessions out of the lists of their subjects |
//! | `cache_warmup` | nothing | fills the cache |
//!
//! **A series is one job.** A reminder that was sent goes on as the same job, delayed, and after the last one as the
//! recommendation; one that cannot be sent is left out. Its unique key is the conversation, so one call ends all of it whatever it has become:
//! `DELETE /v1/queues/platform/unique/CONVERSATION`. Delays count from one deed to the next by Redis's clock, and not from
//! a date in the payload: a clock that is wrong here changes nothing.

mod commission;
mod notify;
mod payload;
mod reminder;
mod settings;
mod upkeep;
mod vendor;
pub mod webhook;
mod wiring;

pub use commission::Commission;
pub use notify::{Notification, Notifier};
pub use reminder::{AlternativeVendorRecommendation, Reminders, ResponseReminder};
pub use settings::{HoursError, MOST_SCALE, Rate, RateError, ReminderHours, WORK_QUEUE, WorkSettings, exact_decimal};
pub use upkeep::{CacheWarmup, CleanupExpiredSessions, Sweep, SweepPiece, Warmup};
pub use vendor::{VendorCartAdd, VendorWishlistAdd};
pub use webhook::{WebhookError, Webhooks};
pub use wiring::{build, pool, usual, validator};

use crate::jobs::worker::Registry;
use crate::outgoing::Outgoing;
use std::sync::Arc;

/// The queue of the presets, where the settings name no other.
pub const QUEUE: &str = WORK_QUEUE;

/// What the presets need of the rest of the service.
pub struct Means {
    /// Calls to other hosts.
    pub outgoing: Outgoing,
    /// Who is told.
    pub webhooks: Webhooks,
    /// When reminders are sent.
    pub reminders: ReminderHours,
    /// The rate of a commission that names none.
    pub commission_rate: Rate,
    /// Takes ended sessions out of their lists, a piece at a time.
    pub sweep_sessions: Box<Sweep>,
    /// Fills the cache, where there is one.
    pub warm_cache: Option<Box<Warmup>>,
}

/// All presets.
#[must_use]
pub fn registry(means: Means) -> Registry {
    let notifier = Notifier::new(means.outgoing, means.webhooks);
    let registry = Registry::default()
        .with::<VendorCartAdd>(Arc::new(notifier.clone()))
        .with::<VendorWishlistAdd>(Arc::new(notifier.clone()))
        .with::<AlternativeVendorRecommendation>(Arc::new(notifier.clone()))
        .with::<ResponseReminder>(Arc::new(Reminders {
            notifier: notifier.clone(),
            hours: means.reminders,
        }))
        .with::<Notification>(Arc::new(notifier))
        .with::<Commission>(Arc::new(means.commission_rate))
        .with::<CleanupExpiredSessions>(Arc::new(means.sweep_sessions));
    match means.warm_cache {
        Some(warm) => registry.with::<CacheWarmup>(Arc::new(warm)),
        None => registry,
    }
}
