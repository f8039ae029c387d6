//! File descriptors: how many this process may have, and how many of them connections may take.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Reserved for Redis, files and calls to other hosts.
const RESERVE: u64 = 128;
/// Reserved for each worker: its runtime and its connection to Redis.
const PER_WORKER: u64 = 6;
/// The share of descriptors for connections that are only refused.
const SURPLUS_PART: u64 = 20;
/// If the limit leaves fewer descriptors than this besides the reserve, a warning is logged.
const LOW: u64 = 4_096;

/// The numbers of connections for which there are descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// The limit of the process.
    pub limit: u64,
    /// Connections that may be served at once.
    pub served: usize,
    /// Connections beyond those that may be accepted at once, to be refused.
    pub surplus: usize,
}

impl Descriptors {
    /// Raises the soft limit to the hard limit, and divides the descriptors; at most `wanted` connections are served, by `workers` workers.
    #[must_use]
    pub fn claim(wanted: usize, workers: usize) -> Self {
        let limit = match getrlimit(Resource::RLIMIT_NOFILE) {
            Ok((soft, hard)) if soft < hard => {
                let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
                raised.map_or(soft, |()| hard)
            }
            Ok((soft, _)) => soft,
            Err(_unknown) => u64::MAX,
        };
        Self::of(limit, wanted, workers)
    }

    fn of(limit: u64, wanted: usize, workers: usize) -> Self {
        let reserve = RESERVE + PER_WORKER * u64::try_from(workers).unwrap_or(0);
        // If there are very few descriptors, half of them.
        let free = limit.saturating_sub(reserve).max(limit / 2);
        let surplus = (free / SURPLUS_PART).min(256);
        let served = usize::try_from(free - surplus).unwrap_or(usize::MAX).min(wanted);
        Self {
            limit,
            served: served.max(1),
            surplus: usize::try_from(surplus).unwrap_or(0).max(1),
        }
    }

    /// Returns a warning with advice if there are few.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let Self { limit, served, .. } = *self;
        let is_low = limit < LOW + RESERVE;
        is_low.then(|| {
            format!("the limit of {limit} open files leaves room for {served} connections at once; raise the hard limit (ulimit -Hn, LimitNOFILE)")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_kept_for_every_limit() {
        for limit in [0, 1, 64, 128, 200, 256, 1_024, 4_096, 65_536, 1_048_576, u64::MAX] {
            let Descriptors { served, surplus, .. } = Descriptors::of(limit, 50_000, 2);
            assert!(
                (1..=50_000).contains(&served) && (1..=256).contains(&surplus),
                "{limit}"
            );
            let taken = (served + surplus) as u64;
            assert!(
                limit < 4 || taken <= limit / 2 || taken + RESERVE <= limit,
                "{limit}: {taken}"
            );
        }
        assert_eq!(Descriptors::of(1_024, 50_000, 2).served, 840);
    }

    #[test]
    fn a_low_limit_causes_a_warning() {
        assert!(Descriptors::of(1_024, 50_000, 2).warning().is_some());
        assert!(Descriptors::of(65_536, 50_000, 2).warning().is_none());
        // No warning if few connections are wanted.
        assert!(Descriptors::of(65_536, 100, 2).warning().is_none());
    }
}
