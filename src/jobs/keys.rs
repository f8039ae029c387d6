use crate::ids::Id;
use crate::store::Keys;

/// The keys of a queue that have a name of their own, in the order that its scripts know them by; those of the lines of its
/// ready jobs follow.
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
    /// Which of the keys of a queue is completed by the name of a call's idempotency key.
    pub const QUEUE_ONCE: usize = 13;

    /// All keys of a queue with so many types of jobs, in the order that its scripts know them by.
    #[must_use]
    pub fn queue(&self, queue: &Id, types: usize) -> Vec<String> {
        let named = QUEUE.iter().map(|what| self.queue_part(queue, what));
        let lines = (1..=types).map(|number| format!("{}q:{{{queue}}}:ready:{number}", self.prefix()));
        named.chain(lines).collect()
    }

    /// What happened in a queue.
    #[must_use]
    pub fn queue_events(&self, queue: &Id) -> String {
        self.queue_part(queue, "events")
    }

    /// What each call that leases jobs has leased last.
    #[must_use]
    pub fn queue_calls(&self, queue: &Id) -> String {
        self.queue_part(queue, "calls")
    }

    /// The queues that are in use.
    #[must_use]
    pub fn queues(&self) -> String {
        format!("{}queues", self.prefix())
    }

    /// The queues that have schedules, or had.
    #[must_use]
    pub fn queues_with_schedules(&self) -> String {
        format!("{}queues-scheduled", self.prefix())
    }

    /// Channel on which every instance hears that there is something to lease.
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
    fn the_names_of_a_queue_share_a_slot() {
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
