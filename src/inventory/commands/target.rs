use crate::once::Once;
use crate::store::{Keys, Link, Script};
use redis::Cmd;

/// A partition of the inventory, and the connection to it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The connection.
    pub link: &'a Link,
    /// The partition.
    pub partition: u16,
    /// Retention of an ended reservation, ms.
    pub keep_ms: u64,
}

impl Target<'_> {
    pub(super) fn keys(&self) -> &Keys {
        self.link.store().keys()
    }

    /// Returns a call of a script that opens the books, with `more` keys after theirs.
    pub(super) fn call(&self, script: &Script, more: &[String], args: usize, bytes: usize) -> Cmd {
        let (keys, partition) = (self.keys(), self.partition);
        let mut call = script.call(5 + more.len(), 6 + more.len() + args, 256 + bytes);
        call.arg(keys.inventory_items(partition))
            .arg(keys.inventory_reservations(partition))
            .arg(keys.inventory_due(partition))
            .arg(keys.inventory_ended(partition))
            .arg(keys.inventory_events(partition))
            .arg(more)
            .arg(self.keep_ms);
        call
    }

    /// Returns the key of the record of an idempotency key; without one, a key that the script does not read.
    pub(super) fn once_key(&self, once: Option<&Once>) -> String {
        let (keys, partition) = (self.keys(), self.partition);
        once.map_or_else(
            || keys.inventory_items(partition),
            |once| keys.inventory_once(partition, &once.name),
        )
    }
}
