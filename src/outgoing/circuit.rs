//! A circuit breaker for each failing host.
//!
//! ```text
//!            failures in a row            the time is up: one call may try
//!  closed ───────────────────▶ open ──────────────────────────────────────▶ half open
//!    ▲                          ▲                failed, or given up            │ │
//!    │                          └───────────────────────────────────────────────┘ │
//!    └────────────────────────────────────────────────────────────────────────────┘ answered
//! ```
//!
//! A host that answers has no entry, so the table contains only failing hosts. Their number is bounded: beyond it the host that was called
//! longest ago is removed.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long other calls are refused while one call tries whether the host has recovered; at most the time that a circuit stays open.
const TRIAL: Duration = Duration::from_secs(10);
/// The maximum number of hosts in the table.
const MOST: usize = 1_024;

/// The breakers of all hosts; cheap to clone.
#[derive(Debug, Clone)]
pub struct Circuits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Failures in a row that open a circuit.
    failures: u32,
    /// How long it stays open.
    rest: Duration,
    // Locked for a check and a change, never across an await.
    hosts: Mutex<HashMap<String, Circuit>>,
}

#[derive(Debug)]
struct Circuit {
    failures: u32,
    open_until: Option<Instant>,
    /// A call tries whether the host has recovered.
    trying: bool,
    called: Instant,
}

/// The permission to make one call. Report the result to it; if it is dropped without one, the call does not count and another call may
/// try.
#[derive(Debug)]
pub struct Pass {
    circuits: Circuits,
    host: String,
    trying: bool,
}

impl Circuits {
    /// Creates breakers that open after `failures` failures in a row, for the time `rest`.
    #[must_use]
    pub fn new(failures: u32, rest: Duration) -> Self {
        Self(Arc::new(Inner {
            failures: failures.max(1),
            rest,
            hosts: Mutex::default(),
        }))
    }

    /// Requests permission to call a host.
    ///
    /// # Errors
    /// For how long the host is not called.
    pub fn enter(&self, host: &str, now: Instant) -> Result<Pass, Duration> {
        let mut hosts = self.0.hosts.lock();
        let mut trying = false;
        if let Some(circuit) = hosts.get_mut(host) {
            circuit.called = now;
            if let Some(until) = circuit.open_until {
                if now < until {
                    return Err(until - now);
                }
                if circuit.trying {
                    // Another call tries at the moment. The result is not awaited here. That call may take long, so the
                    // delay is not too short, to avoid repeated attempts.
                    return Err(self.0.rest.min(TRIAL));
                }
                circuit.trying = true;
                trying = true;
            }
        }
        drop(hosts);
        Ok(Pass {
            circuits: self.clone(),
            host: host.to_owned(),
            trying,
        })
    }

    fn succeeded(&self, host: &str) {
        self.0.hosts.lock().remove(host);
    }

    fn failed(&self, host: &str, tried: bool, now: Instant) {
        let mut hosts = self.0.hosts.lock();
        if hosts.len() >= MOST && !hosts.contains_key(host) {
            let oldest = hosts.iter().min_by_key(|(_, circuit)| circuit.called);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                hosts.remove(&oldest);
            }
        }
        let circuit = hosts.entry(host.to_owned()).or_insert(Circuit {
            failures: 0,
            open_until: None,
            trying: false,
            called: now,
        });
        circuit.failures = circuit.failures.saturating_add(1);
        if tried {
            circuit.trying = false;
        }
        if tried || (circuit.failures >= self.0.failures && circuit.open_until.is_none()) {
            circuit.open_until = Some(now + self.0.rest);
        }
    }
}

impl Pass {
    /// The host answered.
    pub fn succeeded(mut self) {
        self.trying = false;
        self.circuits.succeeded(&self.host);
    }

    /// The host did not answer, or answered with a server error.
    pub fn failed(mut self, now: Instant) {
        let tried = std::mem::take(&mut self.trying);
        self.circuits.failed(&self.host, tried, now);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.trying
            && let Some(circuit) = self.circuits.0.hosts.lock().get_mut(&self.host)
        {
            circuit.trying = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(30);

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_when_a_trial_call_is_answered() {
        let (circuits, start) = (Circuits::new(3, REST), Instant::now());
        let fail = |at| circuits.enter("a:443", at).unwrap().failed(at);
        fail(start);
        fail(start);
        // A successful call in between resets the count.
        circuits.enter("a:443", start).unwrap().succeeded();
        fail(start);
        fail(start);
        fail(start);
        assert_eq!(circuits.enter("a:443", start).unwrap_err(), REST);
        assert!(circuits.enter("b:443", start).is_ok());
        let later = start + REST;
        let trying = circuits.enter("a:443", later).unwrap();
        // Only one call tries.
        assert!(circuits.enter("a:443", later).is_err());
        trying.failed(later);
        assert_eq!(circuits.enter("a:443", later).unwrap_err(), REST);
        circuits.enter("a:443", later + REST).unwrap().succeeded();
        assert!(circuits.enter("a:443", later + REST).is_ok());
        assert!(circuits.0.hosts.lock().is_empty());
    }

    #[test]
    fn a_trial_call_that_is_dropped_lets_another_call_try() {
        let (circuits, start) = (Circuits::new(1, REST), Instant::now());
        circuits.enter("a", start).unwrap().failed(start);
        let later = start + REST;
        drop(circuits.enter("a", later).unwrap());
        assert!(circuits.enter("a", later).is_ok());
    }

    #[test]
    fn calls_in_progress_when_it_opened_do_not_keep_it_open_for_longer() {
        let (circuits, start) = (Circuits::new(1, REST), Instant::now());
        let (first, second) = (circuits.enter("a", start).unwrap(), circuits.enter("a", start).unwrap());
        first.failed(start);
        second.failed(start + REST / 2);
        assert_eq!(circuits.enter("a", start + REST / 2).unwrap_err(), REST / 2);
    }

    #[test]
    fn the_table_is_bounded_and_the_host_called_longest_ago_is_removed() {
        let (circuits, start) = (Circuits::new(1, REST), Instant::now());
        for n in 0..MOST + 10 {
            let at = start + Duration::from_millis(u64::try_from(n).unwrap());
            circuits.enter(&n.to_string(), at).unwrap().failed(at);
        }
        assert_eq!(circuits.0.hosts.lock().len(), MOST);
        assert!(circuits.enter("9", start).is_ok());
        assert!(circuits.enter("10", start).is_err());
    }
}
