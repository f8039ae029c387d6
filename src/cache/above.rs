//! What a slice on top of the cache asks of this process's level: whether it has heard of an invalidation meanwhile.

use super::key_state::Found;
use super::local::Marks;
use super::model::Name;
use super::subject::Message;
use super::{Cache, CacheError, Tag};
use crate::ids::Id;
use crate::store::Listener as _;

impl Cache {
    /// What this process has heard until now of an entry and its tags; nothing for a key that no entry can have.
    pub(crate) fn marks(&self, namespace: &Id, key: &str, tags: &[Tag]) -> Option<Marks> {
        let name = Name::new(namespace, key).ok()?;
        Some(self.shared().local.marks(&name, tags))
    }

    /// Whether this process has heard of no invalidation since.
    pub(crate) fn is_untouched(&self, marks: &Marks) -> bool {
        self.shared().local.is_untouched(marks)
    }

    /// Whether there was no invalidation since, because this process has listened all the while.
    pub(crate) fn stands(&self, marks: &Marks) -> bool {
        let local = &self.shared().local;
        local.is_heard() && local.stand(marks)
    }

    /// Makes this process treat an entry as invalidated.
    pub(crate) fn forget_here(&self, namespace: &Id, key: &str) {
        if let Ok(name) = Name::new(namespace, key) {
            self.shared().local.hear(Message::of([name.subject]).bytes());
        }
    }

    /// Has invalidations listened to, if they are not yet.
    pub(crate) fn want_invalidations(&self) {
        self.shared().local.want();
    }

    /// Whether Redis holds these bytes under a key, and they are valid.
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
