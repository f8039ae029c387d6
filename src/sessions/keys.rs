use crate::ids::ExternalId;
use crate::store::{Keys, fnv1a};

/// A partition of the sessions, in a slot of its own; all sessions of a subject are in the same one.
///
/// There are 256 in every mode. Each token contains the number of its partition, so the token is enough to find its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPartition(pub u8);

impl SessionPartition {
    /// Returns all partitions.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }

    /// Returns the partition of a subject's sessions: the low byte of FNV-1a of its id.
    #[must_use]
    pub fn of(subject: &ExternalId) -> Self {
        Self(fnv1a(subject).to_le_bytes()[0])
    }
}

impl Keys {
    /// Returns the key of a session.
    #[must_use]
    pub fn session(&self, SessionPartition(p): SessionPartition, id: &str) -> String {
        format!("{}session:{{s:{p:02x}}}:{id}", self.prefix())
    }

    /// Returns the key of the ids of a subject's sessions.
    #[must_use]
    pub fn sessions_of(&self, subject: &ExternalId) -> String {
        let SessionPartition(p) = SessionPartition::of(subject);
        format!("{}sessions:{{s:{p:02x}}}:{subject}", self.prefix())
    }

    /// Returns the key of the ids of a partition's sessions.
    #[must_use]
    pub fn sessions_open(&self, SessionPartition(p): SessionPartition) -> String {
        format!("{}sessions_open:{{s:{p:02x}}}", self.prefix())
    }

    /// Returns the key of the record of an idempotency key of a creation in this partition.
    #[must_use]
    pub fn session_once(&self, SessionPartition(p): SessionPartition, name: &str) -> String {
        format!("{}session-once:{{s:{p:02x}}}:{name}", self.prefix())
    }

    /// Returns a pattern that matches the lists of all subjects.
    #[must_use]
    pub fn all_sessions_of(&self) -> String {
        format!("{}sessions:{{s:*", glob(self.prefix()))
    }

    /// Returns the key of a session whose id is in the list with this key; `None` if that is not the key of a list.
    #[must_use]
    pub fn session_in(&self, list: &str, id: &str) -> Option<String> {
        let partition = list
            .strip_prefix(self.prefix())?
            .strip_prefix("sessions:{s:")?
            .get(..2)?;
        let partition = u8::from_str_radix(partition, 16).ok()?;
        Some(self.session(SessionPartition(partition), id))
    }

    /// Returns the key of the approximate count of a partition's sessions that were in use in a window of time.
    #[must_use]
    pub fn sessions_used(&self, SessionPartition(p): SessionPartition, window: u64) -> String {
        format!("{}sessions_used:{{s:{p:02x}}}:{window}", self.prefix())
    }
}

/// Returns a pattern that matches only this text.
fn glob(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_are_stable() {
        let keys = Keys::new("fp:", 1);
        let anna = ExternalId::parse("anna").unwrap();
        let partition = SessionPartition::of(&anna);
        let hex = format!("{:02x}", partition.0);
        assert_eq!(keys.session(partition, "0a"), format!("fp:session:{{s:{hex}}}:0a"));
        assert_eq!(keys.sessions_of(&anna), format!("fp:sessions:{{s:{hex}}}:anna"));
        assert_eq!(
            keys.session_once(partition, "0a"),
            format!("fp:session-once:{{s:{hex}}}:0a")
        );
        assert_eq!(keys.sessions_open(SessionPartition(10)), "fp:sessions_open:{s:0a}");
        assert_eq!(keys.sessions_used(SessionPartition(10), 7), "fp:sessions_used:{s:0a}:7");
        assert_eq!(
            keys.session_in(&keys.sessions_of(&anna), "0a"),
            Some(keys.session(partition, "0a"))
        );
        assert_eq!(keys.session_in("fp:session:{s:00}:x", "0a"), None);
        assert_eq!(Keys::new("a*b:", 1).all_sessions_of(), "a\\*b:sessions:{s:*");
    }

    #[test]
    fn subjects_use_all_partitions() {
        let mut seen = [0_u32; 256];
        for n in 0..64_000 {
            let SessionPartition(p) = SessionPartition::of(&ExternalId::parse(&format!("user-{n}")).unwrap());
            seen[usize::from(p)] += 1;
        }
        assert!(seen.iter().all(|count| (120..500).contains(count)), "{seen:?}");
    }
}
