use crate::clock;
use parking_lot::RwLock;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How a part of the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// On its way to that.
    Starting,
    /// Answers, but not as well as it should.
    Degraded,
}

/// What the board says of a part.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Part {
    /// How it is.
    pub state: State,
    /// Since when, RFC 3339.
    pub since: String,
    /// Why, where it is not as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Where each part of the service says how it is, and `/health` reads it.
#[derive(Debug, Default)]
pub struct Board(RwLock<BTreeMap<&'static str, Part>>);

impl Board {
    /// Says how a part is. What it said before stays, with its time, if nothing has changed.
    pub fn set(&self, part: &'static str, state: State, why: Option<&str>) {
        let unchanged = |known: &Part| known.state == state && known.why.as_deref() == why;
        if self.0.read().get(part).is_some_and(unchanged) {
            return;
        }
        let mut parts = self.0.write();
        let since = match parts.get(part) {
            // Another reason for the same state does not begin it anew.
            Some(known) if known.state == state => known.since.clone(),
            _ => clock::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        };
        parts.insert(
            part,
            Part {
                state,
                since,
                why: why.map(ToOwned::to_owned),
            },
        );
    }

    /// Removes a component that has ended.
    pub fn remove(&self, part: &str) {
        self.0.write().remove(part);
    }

    /// All parts by name.
    #[must_use]
    pub fn parts(&self) -> BTreeMap<&'static str, Part> {
        self.0.read().clone()
    }

    /// How a part is, if it has said so.
    #[must_use]
    pub fn state(&self, part: &str) -> Option<State> {
        self.0.read().get(part).map(|part| part.state)
    }
}
