use crate::clock;
use parking_lot::RwLock;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The state of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It works.
    Ok,
    /// It is starting.
    Starting,
    /// It works with restrictions, or not at all.
    Degraded,
}

/// A component of the service.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Component {
    /// Its state.
    pub state: State,
    /// When the state began, RFC 3339.
    pub since: String,
    /// The reason, unless the state is `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The code of the Redis error that is the reason, such as `OOM` or `READONLY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A setting that works for now, but that an operator should change.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Warning {
    /// When it was set, RFC 3339.
    pub since: String,
    /// What is wrong and what to do.
    pub detail: String,
}

/// The states of all components, and the warnings for operators. `/health` reads it.
#[derive(Debug, Default)]
pub struct HealthRegistry {
    components: RwLock<BTreeMap<&'static str, Component>>,
    warnings: RwLock<BTreeMap<&'static str, Warning>>,
}

impl HealthRegistry {
    /// Sets the state of a component. The time at which the state began stays if the state is the same.
    pub fn set(&self, name: &'static str, state: State, why: Option<&str>) {
        self.set_with_code(name, state, why, None);
    }

    /// Sets the state of a component, with the code of the Redis error that is the reason.
    pub fn set_with_code(&self, name: &'static str, state: State, why: Option<&str>, code: Option<&str>) {
        let unchanged =
            |known: &Component| known.state == state && known.why.as_deref() == why && known.code.as_deref() == code;
        if self.components.read().get(name).is_some_and(unchanged) {
            return;
        }
        let mut components = self.components.write();
        let since = match components.get(name) {
            // A new reason alone does not change when the state began.
            Some(known) if known.state == state => known.since.clone(),
            _ => now(),
        };
        components.insert(
            name,
            Component {
                state,
                since,
                why: why.map(ToOwned::to_owned),
                code: code.map(ToOwned::to_owned),
            },
        );
    }

    /// Removes a component that has ended.
    pub fn remove(&self, name: &str) {
        self.components.write().remove(name);
    }

    /// Returns all components by name.
    #[must_use]
    pub fn all(&self) -> BTreeMap<&'static str, Component> {
        self.components.read().clone()
    }

    /// Returns the state of a component, if it has reported one.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<State> {
        self.components.read().get(name).map(|component| component.state)
    }

    /// Sets a warning, or removes it if `detail` is `None`. It is logged when it is set first, and shown by `/health` while it is set. It
    /// does not change the status, because nothing has failed yet.
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

    /// Returns all warnings by name.
    #[must_use]
    pub fn warnings(&self) -> BTreeMap<&'static str, Warning> {
        self.warnings.read().clone()
    }
}

fn now() -> String {
    clock::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
