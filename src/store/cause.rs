//! Why Redis cannot be used: the error code of Redis, and what to do about it.
//!
//! The messages of Redis are not repeated, because they can contain data that was sent to it, such as a password or an id.

use parking_lot::Mutex;
use redis::{ErrorKind, RedisError};
use std::borrow::Cow;
use std::time::Instant;

/// The beginning of Redis's error for a script that runs a command, or reads a key, for which the user lacks the permission.
const NO_RIGHT_IN_SCRIPT: &str = "The user executing the script can't";

/// Why Redis cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The code of Redis's error, such as `OOM`; `None` if Redis did not answer.
    pub code: Option<String>,
    /// What is wrong, and what to do.
    pub detail: Cow<'static, str>,
}

/// The latest problems with Redis, of all connections of a process.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// The latest command that Redis refused.
    pub(super) refused: Mutex<Option<(Instant, Cause)>>,
    /// Why the latest attempt to connect failed.
    pub(super) unreachable: Mutex<Option<(Instant, Cause)>>,
}

impl Cause {
    pub(super) fn without_code(detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: None,
            detail: detail.into(),
        }
    }

    /// Returns the cause that an error of the client library describes.
    pub(super) fn of(error: &RedisError) -> Self {
        if error.kind() == ErrorKind::AuthenticationFailed {
            return Self::with_code("WRONGPASS", None);
        }
        if let Some(code) = error.code() {
            // Before Redis 7.2 a command that is not permitted in a script has no error code of its own.
            let is_right = error
                .detail()
                .is_some_and(|words| words.starts_with(NO_RIGHT_IN_SCRIPT));
            return Self::with_code(if is_right { "NOPERM" } else { code }, error.detail());
        }
        if error.kind() == ErrorKind::RESP3NotSupported {
            return Self::without_code("Redis is older than 6.0; use Redis 7.0 or later");
        }
        if error.is_timeout() {
            return Self::without_code(
                "Redis does not answer within REDIS_TIMEOUT_MS; check that it runs and that the network is open",
            );
        }
        let what = if error.is_connection_refusal() {
            "Redis refuses connections"
        } else if error.is_connection_dropped() {
            "Redis closed the connection"
        } else {
            return Self::without_code(format!("the connection to Redis failed ({})", error.category()));
        };
        Self::without_code(format!("{what}; check that it runs, its address and the network"))
    }

    fn with_code(code: &str, words: Option<&str>) -> Self {
        let contains = |text: &str| words.is_some_and(|words| words.contains(text));
        let detail = match code {
            "OOM" => "Redis has reached maxmemory and refuses writes; raise maxmemory or remove data",
            "READONLY" => "this Redis is a read-only replica; connect to the primary",
            "NOPERM" => "the Redis user lacks rights; see \"The user of Redis\" in docs/operations.md",
            "WRONGPASS" => "the user name or password for Redis is wrong; correct REDIS_URL or REDIS_PASSWORD",
            "NOAUTH" => "Redis requires a password; set it in REDIS_URL or REDIS_PASSWORD",
            "MISCONF" => "Redis cannot save its data and refuses writes; check its log and its disk",
            "LOADING" => "Redis is loading its data; wait until it has finished",
            "NOREPLICAS" => "Redis has fewer replicas than min-replicas-to-write; bring the replicas back",
            "MASTERDOWN" => "this replica has lost its primary; connect to the primary",
            "CLUSTERDOWN" => "the Redis Cluster is down; check its nodes",
            "BUSY" => "a script blocks Redis; end it with SCRIPT KILL",
            "WRONGTYPE" => "a key of the service has another type; find the program that writes under REDIS_KEY_PREFIX",
            _ if contains("max number of clients reached") => {
                "max number of clients reached; raise maxclients of Redis, or close other clients"
            }
            _ if contains("DB index is out of range") => {
                "DB index is out of range: Redis has no database of this number; correct REDIS_URL or REDIS_DB"
            }
            _ if contains("AUTH") => "Redis has no password set, or is too old for user names; correct REDIS_URL",
            _ => "Redis refuses a command; its message is in the log at level debug",
        };
        // Text that is not an error code is not shown, because it came over the network.
        let is_code = code.len() <= 32 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        Self {
            code: is_code.then(|| code.to_owned()),
            detail: detail.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::{ServerErrorKind, parse_redis_value};
    use std::io;

    /// Returns the error that a reply of Redis contains.
    fn answered(line: &str) -> RedisError {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    #[test]
    fn the_code_is_that_of_redis_and_the_detail_describes_the_remedy() {
        for (line, code, part) in [
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                "OOM",
                "maxmemory",
            ),
            (
                "READONLY You can't write against a read only replica.",
                "READONLY",
                "primary",
            ),
            ("NOPERM User x has no permissions", "NOPERM", "rights"),
            (
                "ERR The user executing the script can't run this command or subcommand script: f7, on @user_script:1.",
                "NOPERM",
                "rights",
            ),
            ("WRONGPASS invalid username-password pair", "WRONGPASS", "password"),
            ("NOAUTH Authentication required.", "NOAUTH", "password"),
            ("MISCONF Redis is configured to save RDB snapshots", "MISCONF", "disk"),
            ("LOADING Redis is loading the dataset in memory", "LOADING", "wait"),
            (
                "NOREPLICAS Not enough good replicas to write.",
                "NOREPLICAS",
                "replicas",
            ),
            ("ERR max number of clients reached", "ERR", "maxclients"),
            ("ERR DB index is out of range", "ERR", "REDIS_DB"),
        ] {
            let cause = Cause::of(&answered(line));
            assert_eq!(cause.code.as_deref(), Some(code), "{line}");
            assert!(cause.detail.contains(part), "{line}: {cause:?}");
        }
    }

    #[test]
    fn what_was_sent_to_redis_is_not_repeated() {
        for line in [
            "ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `hidden`",
            "hidden-word is no code",
        ] {
            let cause = Cause::of(&answered(line));
            assert!(!format!("{cause:?}").contains("hidden"), "{cause:?}");
        }
        let late = RedisError::from(io::Error::from(io::ErrorKind::TimedOut));
        assert_eq!(Cause::of(&late).code, None);
        let failed = RedisError::from((ErrorKind::Server(ServerErrorKind::NoPerm), "x", "hidden".to_owned()));
        assert!(!format!("{:?}", Cause::of(&failed)).contains("hidden"));
    }
}
