use crate::ids::ExternalId;
use crate::store::Keys;
use std::fmt;

impl Keys {
    /// Returns the key with the count of a key under a policy. Each algorithm has its own, because they store counts in different formats.
    /// `policy` has no colon, so no two pairs share a name.
    #[must_use]
    pub fn limit(&self, algorithm: &str, policy: &str, key: &ExternalId) -> String {
        format!("{}limit:{algorithm}:{{{policy}:{key}}}", self.prefix())
    }

    /// Returns the key of what all instances together have admitted of a caller's requests to this service.
    #[must_use]
    pub fn limit_requests(&self, policy: &str, caller: impl fmt::Display) -> String {
        format!("{}limit:requests:{{{policy}:{caller}}}", self.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_are_stable() {
        let keys = Keys::new("fp:", 1);
        let key = ExternalId::parse("login:anna").unwrap();
        assert_eq!(keys.limit("gcra", "login", &key), "fp:limit:gcra:{login:login:anna}");
        assert_eq!(
            keys.limit_requests("api", "192.0.2.1"),
            "fp:limit:requests:{api:192.0.2.1}"
        );
    }
}
