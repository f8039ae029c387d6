//! The jobs that the service runs itself, on top of [`jobs`](crate::jobs), [`cache`](crate::cache), [`sessions`](crate::sessions)
//! and [`outgoing`](crate::outgoing). They have a queue of their own. Each type has a typed payload, which is validated when a job is
//! added.
//!
//! | type | payload | effect |
//! |---|---|---|
//! | `notification` | `title`, `body`, `data`?, `webhook`? | notifies a webhook ([`webhook`]) |
//! | `vendor_cart_add`, `vendor_wishlist_add` | `vendor_id`, `user_id`, `item_id`, `item_name`, `quantity`?, `webhook`? | notifies a webhook with a text of its own |
//! | `response_reminder` | `conversation_id`, `vendor_id`?, `user_id`?, `webhook`? | a series of notifications, then a recommendation |
//! | `alternative_vendor_recommendation` | as `response_reminder` | notifies a webhook |
//! | `commission` | `amount`, `rate`?, `currency`?, `scale`?, `order_id`? | computes a commission; the result is kept for a week |
//! | `cleanup_expired_sessions` | none | removes ended sessions from the lists of their subjects |
//! | `cache_warmup` | none | runs the warmers of the cache that the process has added; the service adds none |
//!
//! **A series is one job.** After a reminder is sent, the job continues, delayed, with the next reminder, and after the last one with the
//! recommendation. A reminder that cannot be sent is skipped. The unique key of the job is the conversation, so one call ends the series:
//! `DELETE /v1/queues/platform/unique/CONVERSATION`. Delays count from step to step by Redis's clock, not from a date in the payload, so the
//! clock of this machine has no effect.

mod commission;
mod notify;
mod payload;
mod reminder;
mod settings;
mod tasks;
mod upkeep;
mod vendor;
pub mod webhook;
mod wiring;

pub use commission::Commission;
pub use notify::{Notification, Notifier};
pub use reminder::{AlternativeVendorRecommendation, Reminders, ResponseReminder};
pub use settings::{
    BuiltinJobSettings, HoursError, MAX_SCALE, Rate, RateError, ReminderHours, WORK_QUEUE, WorkSettings, exact_decimal,
};
pub use upkeep::{CacheWarmup, CleanupExpiredSessions, Sweep, SweepPiece, Warmup};
pub use vendor::{VendorCartAdd, VendorWishlistAdd};
pub use webhook::{WebhookError, Webhooks};
pub use wiring::Slice;

use crate::jobs::worker::Registry;
use crate::outgoing::Outgoing;
use std::sync::Arc;

/// The default queue of the service's own jobs.
pub const QUEUE: &str = WORK_QUEUE;

/// The parts of the service that its own jobs use.
pub struct Dependencies {
    /// Calls to other hosts.
    pub outgoing: Outgoing,
    /// The configured webhooks.
    pub webhooks: Webhooks,
    /// When reminders are sent.
    pub reminders: ReminderHours,
    /// The default rate of a commission.
    pub commission_rate: Rate,
    /// Removes ended sessions from their lists, a piece at a time.
    pub sweep_sessions: Box<Sweep>,
    /// Fills the cache, if there is one.
    pub warm_cache: Option<Box<Warmup>>,
}

/// Returns the registry of the service's own jobs.
#[must_use]
pub fn registry(dependencies: Dependencies) -> Registry {
    let notifier = Notifier::new(dependencies.outgoing, dependencies.webhooks);
    let registry = Registry::default()
        .with::<VendorCartAdd>(Arc::new(notifier.clone()))
        .with::<VendorWishlistAdd>(Arc::new(notifier.clone()))
        .with::<AlternativeVendorRecommendation>(Arc::new(notifier.clone()))
        .with::<ResponseReminder>(Arc::new(Reminders {
            notifier: notifier.clone(),
            hours: dependencies.reminders,
        }))
        .with::<Notification>(Arc::new(notifier))
        .with::<Commission>(Arc::new(dependencies.commission_rate))
        .with::<CleanupExpiredSessions>(Arc::new(dependencies.sweep_sessions));
    match dependencies.warm_cache {
        Some(warm) => registry.with::<CacheWarmup>(Arc::new(warm)),
        None => registry,
    }
}
