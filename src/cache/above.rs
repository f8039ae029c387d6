//! Functions for slices on top of the cache: whether this process has received an invalidation since, and what Redis has.

use super::key_state::Found;
use super::local::Marks;
use super::model::Name;
use super::subject::Message;
use super::{Cache, CacheError, Tag};
use crate::ids::Id;
use crate::store::Listener as _;

impl Cache {
    /// Returns the marks of an entry and its tags; `None` if the key is not valid.
    pub(crate) fn marks(&self, namespace: &Id, key: &str, tags: &[Tag]) -> Option<Marks> {
        let name = Name::new(namespace, key).ok()?;
        Some(self.shared().local.marks(&name, tags))
    }

    /// Returns whether this process has received no invalidation since.
    pub(crate) fn is_untouched(&self, marks: &Marks) -> bool {
        self.shared().local.is_untouched(marks)
    }

    /// Returns whether there was no invalidation since: this process has received none, and was subscribed all the time.
    pub(crate) fn are_current(&self, marks: &Marks) -> bool {
        let local = &self.shared().local;
        local.is_subscribed() && local.are_current(marks)
    }

    /// Makes this process treat an entry as invalidated.
    pub(crate) fn forget_here(&self, namespace: &Id, key: &str) {
        if let Ok(name) = Name::new(namespace, key) {
            self.shared().local.receive(Message::of([name.subject]).bytes());
        }
    }

    /// Subscribes to invalidations, if this process is not subscribed yet.
    pub(crate) fn want_invalidations(&self) {
        self.shared().local.want();
    }

    /// Returns whether Redis has these bytes under a key, and they are valid.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(crate) async fn holds(
        &self,
        namespace: &Id,
        key: &str,
        tags: &[Tag],
        bytes: &[u8],
    ) -> Result<bool, CacheError> {
        let state = self.read_key(&Name::new(namespace, key)?, tags).await?;
        Ok(matches!(&state.found, Found::Live(_, entry) if entry.bytes == bytes))
    }
}
