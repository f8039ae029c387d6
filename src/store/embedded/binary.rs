//! Finds a server binary and checks that its version is supported.

use super::error::EmbeddedError;
use std::env;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf, absolute};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time;

/// Names of server binaries, in order of preference.
const NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// Sharded pub/sub and multi-part append-only files came with 7.0; Valkey's versions begin above it.
const OLDEST_MAJOR: u32 = 7;

/// A Redis server answers `--version` in milliseconds. A binary that takes longer than this is something else.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// A server binary that is new enough.
#[derive(Debug, Clone)]
pub(super) struct Binary {
    path: PathBuf,
    version: String,
}

impl Binary {
    /// Returns the `named` binary, or the first one in `PATH` that is new enough.
    pub(super) async fn find(named: Option<&Path>) -> Result<Self, EmbeddedError> {
        match named {
            Some(path) => Self::check(path).await,
            None => {
                Self::search(&env::var_os("PATH").map_or_else(Vec::new, |path| env::split_paths(&path).collect())).await
            }
        }
    }

    /// Returns the first usable binary in `folders`, or the error of the last unusable one: an old `redis-server` must not prevent the use
    /// of a newer `valkey-server`.
    async fn search(folders: &[PathBuf]) -> Result<Self, EmbeddedError> {
        let mut fault = EmbeddedError::NotInstalled;
        for name in NAMES {
            for path in folders
                .iter()
                .map(|folder| folder.join(name))
                .filter(|path| executable(path))
            {
                match Self::check(&path).await {
                    Ok(binary) => return Ok(binary),
                    Err(why) => fault = why,
                }
            }
        }
        Err(fault)
    }

    async fn check(path: &Path) -> Result<Self, EmbeddedError> {
        let unusable = |reason: String| EmbeddedError::Unusable {
            path: path.to_owned(),
            reason,
        };
        let mut command = Command::new(path);
        command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
        let output = time::timeout(VERSION_TIMEOUT, command.output())
            .await
            .map_err(|_elapsed| unusable("no answer to --version".to_owned()))?
            .map_err(|error| unusable(error.to_string()))?;
        let reported = String::from_utf8_lossy(&output.stdout);
        let version =
            version_in(&reported).ok_or_else(|| unusable("its output for --version contains no version".to_owned()))?;
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_some_and(|major| major < OLDEST_MAJOR) {
            return Err(EmbeddedError::TooOld {
                path: path.to_owned(),
                version: version.to_owned(),
            });
        }
        Ok(Self {
            // Absolute, because the server is started in another folder. Symbolic links are not resolved: Debian's redis-server
            // is a link to redis-check-rdb, which decides by the name under which it was started.
            path: absolute(path).map_err(EmbeddedError::io(path))?,
            version: version.to_owned(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.version)
    }
}

fn executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Returns the version in `Redis server v=7.0.15 sha=…` or `Valkey server v=8.1.3 sha=…`.
fn version_in(reported: &str) -> Option<&str> {
    let version = reported.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
    version.starts_with(|c: char| c.is_ascii_digit()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process;
    use std::slice::from_ref;

    /// Creates a script that prints `output`. Another process writes the file: if this process had it open for writing, a child of another
    /// test could inherit the descriptor, and running the file would fail with "text file busy".
    fn fake(folder: &Path, name: &str, output: &str) -> PathBuf {
        let path = folder.join(name);
        fs::create_dir_all(folder).unwrap();
        let made = process::Command::new("sh")
            .args([
                "-c",
                r##"printf "#!/bin/sh\necho '%s'\n" "$2" > "$1" && chmod 755 "$1""##,
                "sh",
            ])
            .args([path.as_os_str(), output.as_ref()])
            .status();
        assert!(made.unwrap().success());
        path
    }

    #[test]
    fn versions_of_redis_and_valkey_are_parsed() {
        assert_eq!(
            version_in("Redis server v=7.0.15 sha=00000000:0 malloc=x"),
            Some("7.0.15")
        );
        assert_eq!(version_in("Valkey server v=8.1.3 sha=0 bits=64"), Some("8.1.3"));
        assert_eq!(version_in("GNU coreutils 9.1"), None);
        assert_eq!(version_in("v="), None);
    }

    #[tokio::test]
    async fn an_old_server_is_skipped_if_a_newer_one_exists() {
        let folder = env::temp_dir().join(format!("fleetpulse-binary-{}", uuid::Uuid::new_v4()));
        let old = fake(&folder, "redis-server", "Redis server v=6.2.7 sha=0");
        let alone = Binary::search(from_ref(&folder)).await;
        assert!(matches!(alone, Err(EmbeddedError::TooOld { version, .. }) if version == "6.2.7"));
        assert!(matches!(
            Binary::find(Some(&old)).await,
            Err(EmbeddedError::TooOld { .. })
        ));

        let good = fake(&folder, "valkey-server", "Valkey server v=8.1.3 sha=0");
        let found = Binary::search(from_ref(&folder)).await.unwrap();
        assert_eq!(found.path(), good);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test]
    async fn a_missing_server_and_a_wrong_setting_are_different_errors() {
        let nothing = [PathBuf::from("/nonexistent")];
        assert!(matches!(
            Binary::search(&nothing).await,
            Err(EmbeddedError::NotInstalled)
        ));
        for wrong in ["/nonexistent/redis-server", "/bin/true"] {
            let checked = Binary::find(Some(Path::new(wrong))).await;
            assert!(matches!(checked, Err(EmbeddedError::Unusable { .. })), "{wrong}");
        }
    }
}
