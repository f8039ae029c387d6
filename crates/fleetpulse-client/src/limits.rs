//! Rate limits.

use crate::{Client, Error};
use serde::{Deserialize, Serialize};

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Decision {
    /// Whether the request is allowed. Only an allowed request is counted.
    pub allowed: bool,
    /// The maximum number of units that the policy allows at once.
    pub limit: u64,
    /// The number of units that are left.
    pub remaining: u64,
    /// The time until the same cost would be allowed, milliseconds; 0 if it is allowed.
    pub retry_after_ms: u64,
    /// The time until all units are available again, milliseconds.
    pub reset_ms: u64,
    /// Whether Redis was unavailable: the policy decided (`fail`), and nothing was counted.
    #[serde(default)]
    pub degraded: bool,
}

/// A policy of the service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct LimitPolicy {
    /// The name of the policy.
    pub name: String,
    /// `gcra` or `window`.
    pub algorithm: String,
    /// The number of units in a window.
    pub quota: u64,
    /// The length of the window, milliseconds.
    pub window_ms: u64,
    /// The maximum number of units at once; only of `gcra`.
    pub burst: Option<u64>,
    /// What the policy decides while Redis is unavailable: `open` allows, `closed` refuses.
    pub fail: String,
}

#[derive(Serialize)]
struct Check<'a> {
    policy: &'a str,
    key: &'a str,
    cost: u32,
}

#[derive(Deserialize)]
struct Policies {
    policies: Vec<LimitPolicy>,
}

/// Calls about rate limits; see [`Client::limits`].
#[derive(Debug, Clone, Copy)]
pub struct Limits<'c> {
    client: &'c Client,
}

impl<'c> Limits<'c> {
    pub(crate) const fn new(client: &'c Client) -> Self {
        Self { client }
    }

    /// Checks a limit and, if the request is allowed, counts `cost` units of the key. The call is not repeated after a lost answer, because
    /// it may have been counted.
    ///
    /// # Errors
    /// 422 `validation_failed` if the policy does not exist, or never allows this cost. A request that is not allowed is not an error:
    /// see [`Decision::allowed`].
    pub async fn check(self, policy: &str, key: &str, cost: u32) -> Result<Decision, Error> {
        let call = self.client.post(&["v1", "limits", "check"])?;
        call.json(&Check { policy, key, cost })?.fetch().await
    }

    /// Resets the count of a key, for example after a successful login.
    ///
    /// # Errors
    /// 404 `not_found` if the policy does not exist; 503 `unavailable` while Redis is unavailable.
    pub async fn reset(self, policy: &str, key: &str) -> Result<(), Error> {
        self.client.delete(&["v1", "limits", policy, key])?.done().await
    }

    /// Returns the policies of the service.
    ///
    /// # Errors
    /// None of its own; see [`Error`].
    pub async fn policies(self) -> Result<Vec<LimitPolicy>, Error> {
        let answer: Policies = self.client.get(&["v1", "limits", "policies"])?.fetch().await?;
        Ok(answer.policies)
    }
}
