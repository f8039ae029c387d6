//! Events of other services, and what they invalidate by the configured rules.

use super::Cache;
use super::commands;
use super::error::CacheError;
use super::settings::{Event, Target, TargetError};
use super::subject::{Message, Subject};

/// The effect of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Tags, namespaces and keys that the rules name for it.
    pub targets: usize,
    /// How many of them it changed: keys whose entry was removed, and tags and namespaces whose version exists and had no later time.
    /// Those count even if every entry that depends on them is newer than the event.
    pub invalidated: u64,
}

impl Cache {
    /// What an event invalidates.
    ///
    /// # Errors
    /// As of [`EventRules::targets`](crate::cache::EventRules::targets).
    pub fn targets(&self, event: &Event) -> Result<Vec<Target>, TargetError> {
        self.shared().settings().rules.targets(event)
    }

    /// Invalidates the entries whose computation began at `by_ms` or before, Unix milliseconds of Redis's clock. Newer entries stay, also if
    /// an event arrives late or twice. A future time counts as now.
    ///
    /// # Errors
    /// [`CacheError::Store`]: some of it may be invalidated. [`CacheError::Key`].
    pub async fn outdate(&self, targets: &[Target], by_ms: u64) -> Result<Applied, CacheError> {
        let keys = self.link().store().keys();
        let (mut versions, mut entries) = (Vec::new(), Vec::new());
        let (mut of_versions, mut of_entries) = (Vec::new(), Vec::new());
        for target in targets {
            match target {
                Target::Tag(tag) => {
                    versions.push(keys.cache_tag(tag));
                    of_versions.push(Subject::tag(tag));
                }
                Target::Namespace(namespace) => {
                    versions.push(keys.cache_namespace(namespace));
                    of_versions.push(Subject::namespace(namespace));
                }
                Target::Key(namespace, key) => {
                    entries.push(keys.cache_entry(namespace, key));
                    of_entries.push(Subject::entry(namespace, key));
                }
            }
        }
        let (of_versions, of_entries) = (Message::of(of_versions), Message::of(of_entries));
        let outdated = commands::outdate(self.link(), &versions, by_ms, &of_versions).await;
        let outdated = self.forget(&of_versions, outdated)?;
        let dropped = commands::drop_outdated(self.link(), &entries, by_ms, &of_entries).await;
        let dropped = self.forget(&of_entries, dropped)?;
        Ok(Applied {
            targets: targets.len(),
            invalidated: outdated + dropped,
        })
    }
}
