use crate::ids::Id;
use crate::store::Keys;

impl Keys {
    /// A lock: who holds it, and the last fence that was given.
    #[must_use]
    pub fn lock(&self, name: &Id) -> String {
        format!("{}lock:{{{name}}}", self.prefix())
    }

    /// Who waits for a lock.
    #[must_use]
    pub fn lock_queue(&self, name: &Id) -> String {
        format!("{}lock:{{{name}}}:queue", self.prefix())
    }

    /// Channel on which an instance hears that it is the turn of one of its waiters; the scripts put the instance behind
    /// that of `""`.
    #[must_use]
    pub fn lock_wake(&self, instance: &str) -> String {
        format!("{}lock-wake:{instance}", self.channels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_lock_share_a_slot() {
        let keys = Keys::new("fp:", 1);
        let name = Id::parse("dock:7").unwrap();
        assert_eq!(keys.lock(&name), "fp:lock:{dock:7}");
        assert_eq!(keys.lock_queue(&name), "fp:lock:{dock:7}:queue");
        assert_eq!(keys.lock_wake("0a1b"), "fp:db0:lock-wake:0a1b");
    }
}
