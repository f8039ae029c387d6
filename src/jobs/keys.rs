use crate::ids::Id;
use crate::store::Keys;

/// The names of the keys of a queue, in the order of `lua/queue.lua`. The keys of the lines of ready jobs follow.
const QUEUE: [&str; 16] = [
    "meta",
    "specs",
    "runs",
    "delayed",
    "leased",
    "done",
    "dead",
    "cancelled",
    "unique",
    "unique_ends",
    "events",
    "schedules",
    "schedules_due",
    "once",
    "calls",
    "sizes",
];

impl Keys {
    /// The index of the key to which the digest of an idempotency key is appended.
    pub const QUEUE_ONCE: usize = 13;

    /// Returns all keys of a queue with a number of types of jobs, in the order of `lua/queue.lua`.
    #[must_use]
    pub fn queue(&self, queue: &Id, types: usize) -> Vec<String> {
        let named = QUEUE.iter().map(|what| self.queue_part(queue, what));
        let lines = (1..=types).map(|number| format!("{}q:{{{queue}}}:ready:{number}", self.prefix()));
        named.chain(lines).collect()
    }

    /// Returns the key of the events of a queue.
    #[must_use]
    pub fn queue_events(&self, queue: &Id) -> String {
        self.queue_part(queue, "events")
    }

    /// Returns the key of the last lease of each call.
    #[must_use]
    pub fn queue_calls(&self, queue: &Id) -> String {
        self.queue_part(queue, "calls")
    }

    /// Returns the key of the queues in use.
    #[must_use]
    pub fn queues(&self) -> String {
        format!("{}queues", self.prefix())
    }

    /// Returns the key of the queues that have, or had, schedules.
    #[must_use]
    pub fn queues_with_schedules(&self) -> String {
        format!("{}queues-scheduled", self.prefix())
    }

    /// Returns the channel that wakes waiting lease requests in every instance.
    #[must_use]
    pub fn queue_wake(&self) -> String {
        format!("{}queue-wake", self.channels())
    }

    fn queue_part(&self, queue: &Id, what: &str) -> String {
        format!("{}q:{{{queue}}}:{what}", self.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_queue_share_a_slot() {
        let keys = Keys::new("fp:", 1);
        let queue = Id::parse("emails").unwrap();
        let names = keys.queue(&queue, 2);
        assert_eq!(names.len(), QUEUE.len() + 2);
        assert!(names.iter().all(|name| name.starts_with("fp:q:{emails}:")), "{names:?}");
        assert_eq!(names[Keys::QUEUE_ONCE], "fp:q:{emails}:once");
        assert_eq!(names[10], keys.queue_events(&queue));
        assert_eq!(names[14], keys.queue_calls(&queue));
        assert_eq!(names[16..], ["fp:q:{emails}:ready:1", "fp:q:{emails}:ready:2"]);
        assert_eq!(
            (&*keys.queues(), &*keys.queue_wake()),
            ("fp:queues", "fp:db0:queue-wake")
        );
    }
}
