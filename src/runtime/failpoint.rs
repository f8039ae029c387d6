//! Deliberate panics for tests of panic handling. A release build contains none of it.
//!
//! `FLEETPULSE_FAILPOINTS` lists `NAME=panic:TIMES` or `NAME@KEY=panic:TIMES`, separated by `;`. It is read once.

/// Panics here if the environment variable is set.
pub fn failpoint(name: &str) {
    #[cfg(debug_assertions)]
    armed::hit(name, None);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Panics here if the environment variable is set for this name, or for this name and key.
pub fn failpoint_of(name: &str, key: &str) {
    #[cfg(debug_assertions)]
    armed::hit(name, Some(key));
    #[cfg(not(debug_assertions))]
    let _ = (name, key);
}

#[cfg(debug_assertions)]
mod armed {
    use std::env;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    const VARIABLE: &str = "FLEETPULSE_FAILPOINTS";

    struct Failpoint {
        name: String,
        key: Option<String>,
        left: AtomicU32,
    }

    static ARMED: OnceLock<Vec<Failpoint>> = OnceLock::new();

    /// # Panics
    /// As often as the environment variable specifies.
    pub(super) fn hit(name: &str, key: Option<&str>) {
        let armed = ARMED.get_or_init(|| parse(&env::var(VARIABLE).unwrap_or_default()));
        let meant = |point: &&Failpoint| point.name == name && (point.key.is_none() || point.key.as_deref() == key);
        let Some(point) = armed.iter().find(meant) else { return };
        let take = |left: u32| left.checked_sub(1);
        let taken = point.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        assert!(taken.is_err(), "failpoint {name}");
    }

    fn parse(text: &str) -> Vec<Failpoint> {
        let one = |text: &str| {
            let (place, what) = text.trim().split_once('=')?;
            let left = what.strip_prefix("panic:")?.parse().ok()?;
            let (name, key) = match place.split_once('@') {
                Some((name, key)) => (name, Some(key.to_owned())),
                None => (place, None),
            };
            Some(Failpoint {
                name: name.to_owned(),
                key,
                left: AtomicU32::new(left),
            })
        };
        text.split(';').filter_map(one).collect()
    }
}
