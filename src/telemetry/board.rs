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
    /// The code of Redis's error, such as `OOM` or `READONLY`, where that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A setup that works and that an operator should change.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Warning {
    /// Since when, RFC 3339.
    pub since: String,
    /// What is wrong, and what to do.
    pub detail: String,
}

/// Where each part of the service reports its state, and what an operator should change. `/health` reads it.
#[derive(Debug, Default)]
pub struct Board {
    parts: RwLock<BTreeMap<&'static str, Part>>,
    warnings: RwLock<BTreeMap<&'static str, Warning>>,
}

impl Board {
    /// Says how a part is. What it said before stays, with its time, if nothing has changed.
    pub fn set(&self, part: &'static str, state: State, why: Option<&str>) {
        self.set_with_code(part, state, why, None);
    }

    /// The same, with the code of Redis's error.
    pub fn set_with_code(&self, part: &'static str, state: State, why: Option<&str>, code: Option<&str>) {
        let unchanged =
            |known: &Part| known.state == state && known.why.as_deref() == why && known.code.as_deref() == code;
        if self.parts.read().get(part).is_some_and(unchanged) {
            return;
        }
        let mut parts = self.parts.write();
        let since = match parts.get(part) {
            // Another reason for the same state does not begin it anew.
            Some(known) if known.state == state => known.since.clone(),
            _ => now(),
        };
        parts.insert(
            part,
            Part {
                state,
                since,
                why: why.map(ToOwned::to_owned),
                code: code.map(ToOwned::to_owned),
            },
        );
    }

    /// Removes a component that has ended.
    pub fn remove(&self, part: &str) {
        self.parts.write().remove(part);
    }

    /// All parts by name.
    #[must_use]
    pub fn parts(&self) -> BTreeMap<&'static str, Part> {
        self.parts.read().clone()
    }

    /// How a part is, if it has said so.
    #[must_use]
    pub fn state(&self, part: &str) -> Option<State> {
        self.parts.read().get(part).map(|part| part.state)
    }

    /// Sets a warning, or removes it. It is logged when it is set first, and shown by `/health` for as long as it is set; it does not
    /// change the status, because nothing has failed yet.
    pub fn warn(&self, name: &'static str, detail: Option<&str>) {
        let unchanged = |known: Option<&Warning>| known.map(|known| known.detail.as_str()) == detail;
        if unchanged(self.warnings.read().get(name)) {
            return;
        }
        let mut warnings = self.warnings.write();
        let Some(detail) = detail else {
            warnings.remove(name);
            return;
        };
        let since = warnings.get(name).map_or_else(now, |known| known.since.clone());
        let is_new = warnings
            .insert(
                name,
                Warning {
                    since,
                    detail: detail.to_owned(),
                },
            )
            .is_none();
        drop(warnings);
        if is_new {
            tracing::warn!(warning = name, "{detail}");
        }
    }

    /// All warnings by name.
    #[must_use]
    pub fn warnings(&self) -> BTreeMap<&'static str, Warning> {
        self.warnings.read().clone()
    }
}

fn now() -> String {
    clock::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
