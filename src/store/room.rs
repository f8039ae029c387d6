//! Room for new data in Redis.
//!
//! When a configured share of the memory is in use, nothing new is stored. The rest is reserved for existing data: known entities report
//! positions, jobs are completed, sessions are used and ended, locks are renewed and released. Beyond `maxmemory` Redis itself refuses
//! writes (`OOM`).
//!
//! The memory is measured in the background ([`Link::measure_memory`]); a call that creates something reads a flag.

use super::{Link, Store, StoreError};
use redis::cmd;
use std::sync::atomic::Ordering;

/// The memory of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Bytes in use, as Redis compares them with its limit.
    pub used: u64,
    /// Bytes that it may use: its `maxmemory`, or all memory of its machine if it has none; 0 if it is unknown.
    pub most: u64,
    /// Whether it evicts data when its memory is full; then it always has room.
    pub evicts: bool,
}

impl Memory {
    /// Reads the section `memory` of `INFO`.
    fn parse(info: &str) -> Self {
        let number = |name: &str| {
            let mut values = info
                .lines()
                .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            values
                .next()
                .and_then(|value| value.trim().parse().ok())
                .unwrap_or(0_u64)
        };
        // Redis does not count the buffers of replicas and of the append-only file towards its limit.
        let used = number("used_memory").saturating_sub(number("mem_not_counted_for_evict"));
        let most = match number("maxmemory") {
            0 => number("total_system_memory"),
            most => most,
        };
        let evicts = info
            .lines()
            .find_map(|line| line.strip_prefix("maxmemory_policy:"))
            .is_some_and(|policy| policy.trim() != "noeviction");
        Self { used, most, evicts }
    }

    /// Returns whether at least `percent` of the memory is in use, and Redis neither evicts nor refuses writes yet.
    #[must_use]
    pub const fn is_nearly_full(self, percent: u8) -> bool {
        let from = (self.most / 100).saturating_mul(percent as u64);
        !self.evicts && self.most > 0 && self.used >= from && self.used < self.most
    }
}

impl Store {
    /// Returns whether nothing new is to be stored.
    #[must_use]
    pub fn is_nearly_full(&self) -> bool {
        self.0.is_nearly_full.load(Ordering::Relaxed)
    }

    /// Checks that there is room for new data.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    pub fn room(&self) -> Result<(), StoreError> {
        if self.is_nearly_full() {
            return Err(StoreError::Full);
        }
        Ok(())
    }
}

impl Link {
    /// Checks that there is room for new data, or that something is stored under `key` already. Redis is asked only if it is nearly full.
    ///
    /// # Errors
    /// [`StoreError::Full`], and those of the connection.
    pub async fn room_for(&self, key: &str) -> Result<(), StoreError> {
        if self.store().is_nearly_full() && !self.query::<bool>(cmd("EXISTS").arg(key)).await? {
            return Err(StoreError::Full);
        }
        Ok(())
    }

    /// Measures the memory of Redis, and lets nothing new be stored from `percent` of it on. `None` if its user may not run `INFO`: then
    /// there is no such bound.
    ///
    /// # Errors
    /// Those of the connection; the last measurement stays in force.
    pub async fn measure_memory(&self, percent: u8) -> Result<Option<Memory>, StoreError> {
        let memory = match self.query::<String>(cmd("INFO").arg("memory")).await {
            Ok(info) => Some(Memory::parse(&info)),
            Err(StoreError::Refused(_)) => None,
            Err(error) => return Err(error),
        };
        let is_nearly_full = memory.is_some_and(|memory| memory.is_nearly_full(percent));
        self.store().0.is_nearly_full.store(is_nearly_full, Ordering::Relaxed);
        Ok(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_what_redis_compares_with_its_limit() {
        let info = "# Memory\r\nused_memory:1000\r\nused_memory_peak:9000\r\nmaxmemory:2000\r\n\
                    maxmemory_policy:noeviction\r\ntotal_system_memory:64000\r\nmem_not_counted_for_evict:100\r\n";
        let (used, most, evicts) = (900, 2_000, false);
        assert_eq!(Memory::parse(info), Memory { used, most, evicts });
        let unlimited = Memory::parse(&info.replace("maxmemory:2000", "maxmemory:0"));
        assert_eq!(unlimited.most, 64_000);
        assert!(Memory::parse(&info.replace("noeviction", "allkeys-lru")).evicts);
        assert_eq!(Memory::parse("").most, 0);
    }

    #[test]
    fn redis_is_nearly_full_between_a_share_of_its_memory_and_all_of_it() {
        let memory = |used, most, evicts| Memory { used, most, evicts };
        let at = |used| memory(used, 1_000, false).is_nearly_full(90);
        assert_eq!([0, 899, 900, 999].map(at), [false, false, true, true]);
        assert!(!at(1_000), "Redis itself refuses writes");
        assert!(!memory(950, 1_000, true).is_nearly_full(90), "Redis evicts data");
        assert!(!memory(5, 0, false).is_nearly_full(90), "unknown limit");
        assert!(!memory(999, 1_000, false).is_nearly_full(100), "switched off");
    }
}
