//! The server's configuration. It goes to the server through a pipe, so that no secret is in an argument list.

use super::EmbeddedSettings;
use super::home::Home;
use std::fmt;

/// When the server syncs its append-only file to disk. A killed process loses nothing either way: the write itself
/// precedes the answer. This is about the machine losing power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum AppendFsync {
    /// Once a second, beside the work: about a second of writes can be lost with the power.
    #[default]
    #[value(name = "everysec")]
    EverySec,
    /// Before every answer.
    Always,
}

impl fmt::Display for AppendFsync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EverySec => "everysec",
            Self::Always => "always",
        })
    }
}

/// The configuration as the server reads it. Paths are relative: the server's working directory is its folder.
pub(super) fn render(home: &Home, settings: &EmbeddedSettings) -> String {
    format!(
        "\
port 0
unixsocket {socket}
unixsocketperm 600
requirepass {password}
daemonize no
supervised no
logfile redis.log
loglevel notice
always-show-logo no
save \"\"
appendonly yes
appendfsync {fsync}
maxmemory {max_memory}
{FIXED}",
        socket = Home::socket_in_dir(),
        password = home.password(),
        fsync = settings.append_fsync,
        max_memory = settings.max_memory_bytes,
    )
}

/// What no setting changes.
const FIXED: &str = "\
maxmemory-policy noeviction
aof-load-truncated yes
";
