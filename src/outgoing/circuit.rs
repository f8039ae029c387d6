//! A circuit breaker for each host that fails.
//!
//! ```text
//!            failures in a row            the time is over: one call may try
//!  closed ───────────────────▶ open ──────────────────────────────────────▶ half open
//!    ▲                          ▲                failed, or given up            │ │
//!    │                          └───────────────────────────────────────────────┘ │
//!    └────────────────────────────────────────────────────────────────────────────┘ answered
//! ```
//!
//! A host that answers has no entry at all, so the table holds only what fails, and of that a bounded number: past it
//! the host that was called longest ago is forgotten.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long others stay away while one call tries whether a host is back, if the host rests for as long.
const TRIAL: Duration = Duration::from_secs(10);
/// Hosts that are remembered.
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
    // Held for a look and a change, never across an await.
    hosts: Mutex<HashMap<String, Circuit>>,
}

#[derive(Debug)]
struct Circuit {
    failures: u32,
    open_until: Option<Instant>,
    /// A call tries whether the host is back.
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
    /// Breakers that open after so many failures in a row, for so long.
    #[must_use]
    pub fn new(failures: u32, rest: Duration) -> Self {
        Self(Arc::new(Inner {
            failures: failures.max(1),
            rest,
            hosts: Mutex::default(),
        }))
    }

    /// Asks leave to call a host.
    ///
    /// # Errors
    /// For how long the host is left alone still.
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
                    // What the one that tries will find is worth waiting for, but not to be waited for here. A call may take
                    // its time, and those who wait are not to come back again and again.
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

    /// The host did not answer, or said that it is not well.
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
    fn it_opens_after_failures_in_a_row_and_closes_when_one_that_tries_is_answered() {
        let (circuits, start) = (Circuits::new(3, REST), Instant::now());
        let fail = |at| circuits.enter("a:443", at).unwrap().failed(at);
        fail(start);
        fail(start);
        // One that is answered in between ends the row.
        circuits.enter("a:443", start).unwrap().succeeded();
        fail(start);
        fail(start);
        fail(start);
        assert_eq!(circuits.enter("a:443", start).unwrap_err(), REST);
        assert!(circuits.enter("b:443", start).is_ok());
        let later = start + REST;
        let trying = circuits.enter("a:443", later).unwrap();
        // Only one tries.
        assert!(circuits.enter("a:443", later).is_err());
        trying.failed(later);
        assert_eq!(circuits.enter("a:443", later).unwrap_err(), REST);
        circuits.enter("a:443", later + REST).unwrap().succeeded();
        assert!(circuits.enter("a:443", later + REST).is_ok());
        assert!(circuits.0.hosts.lock().is_empty());
    }

    #[test]
    fn one_that_tries_and_goes_away_lets_another_one_try() {
        let (circuits, start) = (Circuits::new(1, REST), Instant::now());
        circuits.enter("a", start).unwrap().failed(start);
        let later = start + REST;
        drop(circuits.enter("a", later).unwrap());
        assert!(circuits.enter("a", later).is_ok());
    }

    #[test]
    fn calls_that_were_under_way_when_it_opened_do_not_open_it_for_longer() {
        let (circuits, start) = (Circuits::new(1, REST), Instant::now());
        let (first, second) = (circuits.enter("a", start).unwrap(), circuits.enter("a", start).unwrap());
        first.failed(start);
        second.failed(start + REST / 2);
        assert_eq!(circuits.enter("a", start + REST / 2).unwrap_err(), REST / 2);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_host_called_longest_ago() {
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
