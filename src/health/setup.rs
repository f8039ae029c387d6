//! Warnings about the setup of Redis: settings that work today, and can lose data or stop the service later.

use super::redis::parse;
use crate::store::{Link, StoreError};
use crate::telemetry::HealthRegistry;
use std::collections::HashMap;

/// The oldest major version of Redis that the service supports.
const OLDEST: u32 = 7;

/// Checks the setup of Redis, and sets or removes the warnings about it.
pub(super) async fn check(link: &Link, health: &HealthRegistry) -> Result<(), StoreError> {
    let info: Result<String, _> = link.query(&redis::cmd("INFO")).await;
    let info = match info {
        Ok(info) => info,
        // The Redis user may not be allowed to run this command.
        Err(StoreError::Refused(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let save: Result<HashMap<String, String>, _> = link.query(redis::cmd("CONFIG").arg("GET").arg("save")).await;
    let has_snapshots = match save {
        Ok(save) => save.get("save").is_none_or(|save| !save.is_empty()),
        // Managed Redis services often forbid the command, and persist data in their own way.
        Err(StoreError::Refused(_)) => true,
        Err(error) => return Err(error),
    };
    for (name, detail) in warnings(&parse(&info), has_snapshots) {
        health.warn(name, detail.as_deref());
    }
    Ok(())
}

/// Returns each warning by name, with its text if it applies.
fn warnings(info: &HashMap<&str, &str>, has_snapshots: bool) -> [(&'static str, Option<String>); 3] {
    let value = |name| info.get(name).copied().unwrap_or_default();
    let evicts = !matches!(value("maxmemory_policy"), "" | "noeviction");
    let is_volatile = value("aof_enabled") == "0" && !has_snapshots;
    let version = value("redis_version");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    [
        (
            "redis_evicts",
            evicts.then(|| {
                format!(
                    "maxmemory-policy of Redis is {}: when its memory is full it deletes sessions, locks, limits and positions; set it to \
                     noeviction",
                    value("maxmemory_policy")
                )
            }),
        ),
        (
            "redis_not_persistent",
            is_volatile.then(|| {
                "Redis keeps its data only in memory, so a restart of Redis loses everything; set appendonly yes".to_owned()
            }),
        ),
        (
            "redis_too_old",
            major
                .is_some_and(|major| major < OLDEST)
                .then(|| format!("Redis is version {version}; use {OLDEST}.0 or later")),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(info: &str, has_snapshots: bool) -> Vec<&'static str> {
        let all = warnings(&parse(info), has_snapshots);
        all.into_iter()
            .filter_map(|(name, detail)| detail.map(|_| name))
            .collect()
    }

    #[test]
    fn a_good_setup_has_no_warning() {
        let good = "redis_version:7.0.15\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\n";
        assert!(named(good, false).is_empty());
        let snapshots = "redis_version:8.0.0\r\naof_enabled:0\r\nmaxmemory_policy:noeviction\r\n";
        assert!(named(snapshots, true).is_empty());
        assert!(named("", true).is_empty(), "an unknown setup has no warning");
    }

    #[test]
    fn each_fault_of_a_setup_has_its_warning() {
        let bad = "redis_version:6.2.14\r\naof_enabled:0\r\nmaxmemory_policy:allkeys-lru\r\n";
        assert_eq!(
            named(bad, false),
            ["redis_evicts", "redis_not_persistent", "redis_too_old"]
        );
        let volatile = "redis_version:7.2.4\r\naof_enabled:1\r\nmaxmemory_policy:volatile-ttl\r\n";
        assert_eq!(named(volatile, true), ["redis_evicts"]);
    }
}
