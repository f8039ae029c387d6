use crate::ids::Id;
use crate::store::Keys;

impl Keys {
    /// Returns the key of a lock: its holder, and its last fencing token.
    #[must_use]
    pub fn lock(&self, name: &Id) -> String {
        format!("{}lock:{{{name}}}", self.prefix())
    }

    /// Returns the key of the queue of waiting attempts.
    #[must_use]
    pub fn lock_queue(&self, name: &Id) -> String {
        format!("{}lock:{{{name}}}:queue", self.prefix())
    }

    /// Returns the channel on which an instance receives offers for its waiting attempts. Scripts get the channel of the instance `""`, and
    /// append the instance.
    #[must_use]
    pub fn lock_wake(&self, instance: &str) -> String {
        format!("{}lock-wake:{instance}", self.channels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_lock_share_a_slot() {
        let keys = Keys::new("fp:", 1);
        let name = Id::parse("dock:7").unwrap();
        assert_eq!(keys.lock(&name), "fp:lock:{dock:7}");
        assert_eq!(keys.lock_queue(&name), "fp:lock:{dock:7}:queue");
        assert_eq!(keys.lock_wake("0a1b"), "fp:db0:lock-wake:0a1b");
    }
}
