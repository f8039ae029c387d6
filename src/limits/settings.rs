use crate::http::{Networks, ProxyHeader};
use actix_web::http::header::HeaderName;
use clap::Args;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
/// The maximum quota, burst and cost.
pub const MAX_QUOTA: u32 = 1_000_000;
const WINDOWS: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=DAY.saturating_mul(31);
/// The maximum time in which a used-up burst is refilled: keeps every sum of times far below 2^53 µs.
const LONGEST_REFILL: Duration = DAY.saturating_mul(366);
/// The maximum length of a policy's name.
const MAX_NAME: usize = 64;

/// The settings of rate limits.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitSettings {
    /// Policies, separated by semicolons: `NAME=gcra|window:QUOTA/WINDOW`, each with `,burst=N` and `,fail=open|closed` if
    /// needed
    ///
    /// WINDOW is a number with ms, s, m, h or d. `burst` (gcra only) is the quota if not given. `fail` is the result
    /// while Redis is unavailable, `closed` if not given.
    #[arg(
        long = "limits",
        env = "LIMITS_POLICIES",
        default_value = "login=window:5/1m,fail=closed; api=gcra:600/1m,burst=100,fail=open"
    )]
    pub policies: Policies,
    /// Paths of this service with a limit for each caller, each with a gcra policy: `/v1=api; /v1/users=few`; none if not given
    #[arg(long = "limit-requests", env = "LIMIT_REQUESTS", default_value = "")]
    pub requests: RequestRules,
    /// Networks of the proxies that may name the caller in a header, separated by commas: `10.0.0.0/8, 192.0.2.1`
    #[arg(long = "trusted-proxies", env = "TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: Networks,
    /// Header in which those proxies name the caller; they must set or append to it themselves
    #[arg(long = "proxy-header", env = "PROXY_HEADER", value_enum, default_value_t)]
    pub proxy_header: ProxyHeader,
    /// Header in which those proxies send the caller's key once they have verified it; the key then counts instead of the
    /// address
    #[arg(long = "caller-key-header", env = "CALLER_KEY_HEADER")]
    pub caller_key_header: Option<HeaderName>,
}

impl LimitSettings {
    /// Returns the rules for this service's own requests with their policies, the longest prefix first.
    ///
    /// # Errors
    /// [`RuleError`] if a rule names an unknown policy or one that is not `gcra`, or if `CALLER_KEY_HEADER` is set without
    /// `TRUSTED_PROXIES`.
    pub fn request_rules(&self) -> Result<Vec<(&str, &Policy)>, RuleError> {
        if self.caller_key_header.is_some() && self.trusted_proxies == Networks::default() {
            return Err(RuleError::KeyWithoutProxies);
        }
        let mut rules = Vec::with_capacity(self.requests.0.len());
        for (prefix, name) in &self.requests.0 {
            let policy = self
                .policies
                .get(name)
                .ok_or_else(|| RuleError::Unknown(name.clone()))?;
            if policy.algorithm != Algorithm::Gcra {
                return Err(RuleError::NotGcra(name.clone()));
            }
            rules.push((prefix.as_str(), policy));
        }
        rules.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(rules)
    }
}

/// Why a rule for this service's own requests is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No such policy.
    #[error("LIMIT_REQUESTS names a policy that LIMITS_POLICIES does not have: {0}")]
    Unknown(String),
    /// Each instance has a share of its own, and only a gcra policy can be divided into shares.
    #[error("LIMIT_REQUESTS takes only gcra policies, and {0} is not one; use another policy")]
    NotGcra(String),
    /// A caller's key is accepted only from a trusted proxy.
    #[error("CALLER_KEY_HEADER is set without TRUSTED_PROXIES and would be ignored; set TRUSTED_PROXIES, or remove it")]
    KeyWithoutProxies,
}

/// How a policy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The generic cell rate algorithm: an even rate with a burst.
    Gcra,
    /// A sliding window: a maximum in any window of time.
    Window,
}

impl Algorithm {
    /// Returns its name in settings, responses and keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gcra => "gcra",
            Self::Window => "window",
        }
    }
}

/// The result of a check while Redis is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Allowed.
    Open,
    /// Not allowed.
    Closed,
}

impl Outage {
    /// Returns its name in settings and responses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// A policy. Its numbers are limited so that all sums stay within the integers that a double represents exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    name: String,
    algorithm: Algorithm,
    quota: u32,
    window: Duration,
    burst: u32,
    outage: Outage,
}

impl Policy {
    /// Returns its name: 1–64 of `A–Z a–z 0–9 . _ -`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Units per window.
    #[must_use]
    pub const fn quota(&self) -> u32 {
        self.quota
    }

    /// The window.
    #[must_use]
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// The maximum that may be admitted at once: the burst, or the quota of a window.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.burst
    }

    /// The result of its checks while Redis is unavailable.
    #[must_use]
    pub const fn outage(&self) -> Outage {
        self.outage
    }

    /// Returns the window, µs.
    #[must_use]
    pub fn window_us(&self) -> u64 {
        micros(self.window)
    }

    /// Returns the time after which a unit is refilled, µs; rounded up, so that the rate is never above the quota.
    #[must_use]
    pub fn interval_us(&self) -> u64 {
        self.window_us().div_ceil(u64::from(self.quota))
    }

    /// Reads `NAME=ALGORITHM:QUOTA/WINDOW[,burst=N][,fail=open|closed]`.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, rest) = text.split_once('=').ok_or("has no =")?;
        let name = name.trim();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        // Without a colon, so that no two policies and keys share a name in Redis.
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(fits) {
            return Err("a name is 1 to 64 of A-Z a-z 0-9 . _ -");
        }
        let mut words = rest.split(',').map(str::trim);
        let (algorithm, rate) = words
            .next()
            .and_then(|word| word.split_once(':'))
            .ok_or("has no ALGORITHM:")?;
        let algorithm = match algorithm.trim() {
            "gcra" => Algorithm::Gcra,
            "window" => Algorithm::Window,
            _ => return Err("the algorithm is gcra or window"),
        };
        let (quota, window) = rate.split_once('/').ok_or("has no QUOTA/WINDOW")?;
        let quota = count(quota).ok_or("a quota is 1 to 1000000")?;
        let window = duration(window.trim()).ok_or("a window is a number with ms, s, m, h or d")?;
        if !WINDOWS.contains(&window) {
            return Err("a window is 10ms to 31d");
        }
        if u64::from(quota) > micros(window) {
            return Err("at most one unit a microsecond");
        }
        let (mut burst, mut outage) = (None, None);
        for word in words {
            match word.split_once('=') {
                Some(("burst", number)) if burst.is_none() => {
                    burst = Some(count(number).ok_or("a burst is 1 to 1000000")?);
                }
                Some(("fail", "open")) if outage.is_none() => outage = Some(Outage::Open),
                Some(("fail", "closed")) if outage.is_none() => outage = Some(Outage::Closed),
                _ => return Err("takes burst=N and fail=open|closed, each once"),
            }
        }
        if algorithm == Algorithm::Window && burst.is_some() {
            return Err("a window has no burst");
        }
        let policy = Self {
            name: name.to_owned(),
            algorithm,
            quota,
            window,
            burst: burst.unwrap_or(quota),
            outage: outage.unwrap_or(Outage::Closed),
        };
        if policy.interval_us() * u64::from(policy.burst) > micros(LONGEST_REFILL) {
            return Err("a burst must be refilled within 366d");
        }
        Ok(policy)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn count(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|count| (1..=MAX_QUOTA).contains(count))
}

fn duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().ok()?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(unit_ms)?))
}

/// A part of a setting that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{part}\": {why}")]
pub struct PartError {
    part: String,
    why: &'static str,
}

/// Returns the parts of a list with semicolons, without the empty ones.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(';').map(str::trim).filter(|part| !part.is_empty())
}

/// All policies, in the order in which they were given; no name twice. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies(Arc<[Policy]>);

impl Policies {
    /// Returns the policy with a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Policy> {
        self.0.iter().find(|policy| policy.name == name)
    }

    /// Returns all policies.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.0.iter()
    }
}

impl FromStr for Policies {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let mut policies: Vec<Policy> = Vec::new();
        for part in parts(text) {
            let fault = |why| PartError {
                part: part.to_owned(),
                why,
            };
            let policy = Policy::parse(part).map_err(fault)?;
            if policies.iter().any(|known| known.name == policy.name) {
                return Err(fault("the name is taken"));
            }
            policies.push(policy);
        }
        Ok(Self(policies.into()))
    }
}

/// Which paths are limited by which policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestRules(Vec<(String, String)>);

impl FromStr for RequestRules {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let mut rules: Vec<(String, String)> = Vec::new();
        for part in parts(text) {
            let fault = |why| PartError {
                part: part.to_owned(),
                why,
            };
            let (prefix, policy) = part.split_once('=').ok_or_else(|| fault("has no ="))?;
            let (prefix, policy) = (prefix.trim(), policy.trim());
            if !prefix.starts_with('/') {
                return Err(fault("a prefix begins with /"));
            }
            let prefix = prefix.trim_end_matches('/');
            if rules.iter().any(|(known, _)| known == prefix) {
                return Err(fault("the prefix is taken"));
            }
            rules.push((prefix.to_owned(), policy.to_owned()));
        }
        Ok(Self(rules))
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Policy {
        text.parse::<Policies>().unwrap().iter().next().unwrap().clone()
    }

    #[test]
    fn policies_are_parsed() {
        let policies: Policies = " login=window:5/60s ;\n api = gcra:600/1m, burst=100, fail=open; "
            .parse()
            .unwrap();
        let login = policies.get("login").unwrap();
        assert_eq!(
            (login.algorithm(), login.quota(), login.capacity()),
            (Algorithm::Window, 5, 5)
        );
        assert_eq!(
            (login.window(), login.outage()),
            (Duration::from_mins(1), Outage::Closed)
        );
        let api = policies.get("api").unwrap();
        assert_eq!(
            (api.algorithm(), api.quota(), api.capacity()),
            (Algorithm::Gcra, 600, 100)
        );
        assert_eq!((api.interval_us(), api.outage()), (100_000, Outage::Open));
        assert!(policies.get("other").is_none());
        assert_eq!("".parse::<Policies>().unwrap().iter().count(), 0);
    }

    #[test]
    fn the_interval_is_rounded_so_that_the_rate_is_never_above_the_quota() {
        assert_eq!(one("a=gcra:3/1s").interval_us(), 333_334);
        assert_eq!(one("a=gcra:1000000/1s").interval_us(), 1);
    }

    #[test]
    fn an_invalid_policy_is_refused_with_its_text() {
        for (text, why) in [
            ("login", "no ="),
            ("=gcra:1/1s", "a name"),
            ("a:b=gcra:1/1s", "a name"),
            ("a b=gcra:1/1s", "a name"),
            ("a={}:1/1s", "gcra or window"),
            ("a=gcra", "ALGORITHM"),
            ("a=gcra:1", "QUOTA/WINDOW"),
            ("a=gcra:0/1s", "a quota"),
            ("a=gcra:-1/1s", "a quota"),
            ("a=gcra:1000001/1s", "a quota"),
            ("a=gcra:9007199254740993/1s", "a quota"),
            ("a=gcra:1/1", "a window"),
            ("a=gcra:1/s", "a window"),
            ("a=gcra:1/1y", "a window"),
            ("a=gcra:1/0s", "10ms to 31d"),
            ("a=gcra:1/32d", "10ms to 31d"),
            ("a=gcra:1/99999999999999999999d", "a window"),
            ("a=gcra:1000000/10ms", "one unit a microsecond"),
            ("a=gcra:1/31d,burst=1000000", "366d"),
            ("a=gcra:1/1s,burst=0", "a burst"),
            ("a=gcra:1/1s,burst=1,burst=2", "each once"),
            ("a=gcra:1/1s,fail=sometimes", "each once"),
            ("a=gcra:1/1s,brust=5", "each once"),
            ("a=window:1/1s,burst=5", "no burst"),
            ("a=gcra:1/1s; a=gcra:2/1s", "taken"),
        ] {
            let error = text.parse::<Policies>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn rules_are_parsed_and_checked_against_the_policies() {
        let settings = |requests: &str| LimitSettings {
            policies: "login=window:5/60s; api=gcra:600/1m".parse().unwrap(),
            requests: requests.parse().unwrap(),
            trusted_proxies: Networks::default(),
            proxy_header: ProxyHeader::default(),
            caller_key_header: None,
        };
        let rules = settings("/=api; /v1/drivers/=api");
        let rules = rules.request_rules().unwrap();
        let prefixes: Vec<_> = rules.iter().map(|(prefix, _)| *prefix).collect();
        assert_eq!(prefixes, ["/v1/drivers", ""]);
        assert!(settings("").request_rules().unwrap().is_empty());
        let unknown = RuleError::Unknown("none".to_owned());
        assert_eq!(settings("/v1=none").request_rules(), Err(unknown));
        let window = RuleError::NotGcra("login".to_owned());
        assert_eq!(settings("/v1=login").request_rules(), Err(window));
        for text in ["api", "v1=api", "/v1=api;/v1/=api"] {
            assert!(text.parse::<RequestRules>().is_err(), "{text}");
        }
    }
}
