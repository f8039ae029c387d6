use crate::ids::ExternalId;
use crate::store::Keys;
use std::fmt;

impl Keys {
    /// What a policy has counted of a key; another key for each algorithm, because they write it in different ways.
    /// `policy` has no colon, so no two pairs share a name.
    #[must_use]
    pub fn limit(&self, algorithm: &str, policy: &str, key: &ExternalId) -> String {
        format!("{}limit:{algorithm}:{{{policy}:{key}}}", self.prefix())
    }

    /// What all instances together have admitted of a caller's requests to this service.
    #[must_use]
    pub fn limit_requests(&self, policy: &str, caller: impl fmt::Display) -> String {
        format!("{}limit:requests:{{{policy}:{caller}}}", self.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_agreed() {
        let keys = Keys::new("fp:", 1);
        let key = ExternalId::parse("login:anna").unwrap();
        assert_eq!(keys.limit("gcra", "login", &key), "fp:limit:gcra:{login:login:anna}");
        assert_eq!(
            keys.limit_requests("api", "192.0.2.1"),
            "fp:limit:requests:{api:192.0.2.1}"
        );
    }
}
