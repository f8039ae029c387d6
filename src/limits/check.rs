use super::commands::{self, Verdict};
use super::metrics::LimitMetrics;
use super::model::Decision;
use super::settings::{Outage, Policies, Policy};
use crate::ids::ExternalId;
use crate::store::{Link, StoreError};
use parking_lot::Mutex;
use prometheus::IntCounter;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When to try again after a refusal that was decided without Redis.
const RETRY_WITHOUT_REDIS: Duration = Duration::from_secs(1);
/// The minimum time between two log lines that report checks without Redis.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// The limits, for programs that embed the crate; cheap to clone. One for each link, so that a check stays on its thread.
///
/// ```no_run
/// # use fleetpulse::{ids::ExternalId, limits::{LimitMetrics, Limits, Policies}, store::Link};
/// # async fn login(link: &Link, metrics: &LimitMetrics) -> Result<(), Box<dyn std::error::Error>> {
/// let policies: Policies = "login=window:5/1m,fail=closed".parse()?;
/// let limits = Limits::new(link, &policies, metrics);
/// let decision = limits.check("login", &ExternalId::parse("anna")?, 1).await?;
/// if !decision.allowed {
///     println!("again in {:?}", decision.retry_after);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Limits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: Link,
    policies: Policies,
    /// In the order of the policies.
    counters: Vec<Counters>,
    /// When a check without Redis was last logged.
    logged_at: Mutex<Option<Instant>>,
}

/// The counters of one policy, looked up once.
#[derive(Debug)]
struct Counters {
    allowed: IntCounter,
    denied: IntCounter,
    /// Decided without Redis.
    degraded: IntCounter,
}

/// Why a check or a reset failed.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// There is no policy of that name.
    #[error("there is no such policy; GET /v1/limits/policies lists them")]
    UnknownPolicy,
    /// The policy never admits this cost.
    #[error("must be 1 to {most} under this policy")]
    Cost {
        /// The maximum cost that it admits.
        most: u32,
    },
    /// Redis is unavailable (for a reset), or its reply is invalid.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Limits {
    /// Creates the limits of these policies, counted over `link`.
    #[must_use]
    pub fn new(link: &Link, policies: &Policies, metrics: &LimitMetrics) -> Self {
        let counter = |policy: &Policy, outcome| metrics.checks.with_label_values(&[policy.name(), outcome]);
        let counters = policies.iter().map(|policy| Counters {
            allowed: counter(policy, "allowed"),
            denied: counter(policy, "denied"),
            degraded: counter(policy, "degraded"),
        });
        Self(Arc::new(Inner {
            link: link.clone(),
            policies: policies.clone(),
            counters: counters.collect(),
            logged_at: Mutex::new(None),
        }))
    }

    /// Returns all policies.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.0.policies
    }

    /// Checks whether `key` may use `cost` units, and counts them if so. One script does both by Redis's clock, so the count is exact under
    /// concurrency. If Redis is unavailable, or nearly full and the key has no count yet, the policy's [`Outage`] decides.
    ///
    /// # Errors
    /// [`LimitError`].
    pub async fn check(&self, policy: &str, key: &ExternalId, cost: u32) -> Result<Decision, LimitError> {
        let (policy, counters) = self.find(policy)?;
        let most = policy.capacity();
        if !(1..=most).contains(&cost) {
            return Err(LimitError::Cost { most });
        }
        match commands::check(&self.0.link, policy, key, cost).await {
            Ok(verdict) => {
                if verdict.damaged {
                    tracing::error!(%policy, "the stored value of a key is not a count; the key is limited as if its quota were used up");
                }
                let counter = if verdict.admitted {
                    &counters.allowed
                } else {
                    &counters.denied
                };
                counter.inc();
                Ok(counted(verdict, most))
            }
            Err(error @ StoreError::Answer(_)) => Err(error.into()),
            Err(error) => {
                self.warn_degraded(policy, &error);
                counters.degraded.inc();
                Ok(without_redis(policy))
            }
        }
    }

    /// Deletes the count of a key under a policy. Returns whether there was one.
    ///
    /// # Errors
    /// [`LimitError`].
    pub async fn reset(&self, policy: &str, key: &ExternalId) -> Result<bool, LimitError> {
        let (policy, _) = self.find(policy)?;
        Ok(commands::reset(&self.0.link, policy, key).await?)
    }

    /// Logs a warning at most once a minute, because without Redis every check is decided this way.
    fn warn_degraded(&self, policy: &Policy, error: &StoreError) {
        let mut logged_at = self.0.logged_at.lock();
        if logged_at.is_some_and(|logged_at| logged_at.elapsed() < LOG_EVERY) {
            tracing::debug!(%policy, ?error, "a check was decided without Redis");
            return;
        }
        *logged_at = Some(Instant::now());
        drop(logged_at);
        tracing::warn!(%policy, %error, "checks are decided without Redis, by the `fail` of their policies");
    }

    fn find(&self, name: &str) -> Result<(&Policy, &Counters), LimitError> {
        let mut all = self.0.policies.iter().zip(&self.0.counters);
        all.find(|(policy, _)| policy.name() == name)
            .ok_or(LimitError::UnknownPolicy)
    }
}

fn counted(verdict: Verdict, limit: u32) -> Decision {
    Decision {
        allowed: verdict.admitted,
        limit,
        remaining: verdict.remaining,
        retry_after: verdict.retry_after,
        reset: verdict.reset,
        degraded: false,
    }
}

fn without_redis(policy: &Policy) -> Decision {
    let allowed = policy.outage() == Outage::Open;
    let wait = if allowed { Duration::ZERO } else { RETRY_WITHOUT_REDIS };
    Decision {
        allowed,
        limit: policy.capacity(),
        remaining: 0,
        retry_after: wait,
        reset: wait,
        degraded: true,
    }
}
