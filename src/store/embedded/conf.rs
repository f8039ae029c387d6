//! The configuration of the server. It is passed through a pipe, so that no secret is in an argument list.

use super::EmbeddedSettings;
use super::home::Home;

/// When what is written reaches the disk. A killed service or server loses nothing that was acknowledged either way: each
/// write precedes its answer. This is about the machine losing power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum AppendFsync {
    /// Once a second, beside the work: about a second of writes can be lost with the power.
    #[default]
    #[value(name = "everysec")]
    EverySec,
    /// Before every answer.
    Always,
}

impl AppendFsync {
    /// The server's word for it. Its own `everysec` would not do: while its background thread syncs, it answers before it
    /// writes, for up to two seconds, and a kill then loses what clients believe stored. With `no` it always writes
    /// first, and the once-a-second sync is the supervisor's ([`super::sync`]).
    const fn directive(self) -> &'static str {
        match self {
            Self::EverySec => "no",
            Self::Always => "always",
        }
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
        fsync = settings.append_fsync.directive(),
        max_memory = settings.max_memory_bytes,
    )
}

/// What no setting changes. Left as the server has them, for they moved the CPU time of a recorded fix by less than the
/// noise of 5 %: `hz`, `io-threads`, `latency-tracking`, the slow log, `lazyfree-*`, `activedefrag`, `rdbcompression`.
///
/// - `noeviction`: a full Redis must refuse a reservation, not forget one.
/// - A file that a power cut left with half a command at its end is loaded up to there.
/// - Positions overwrite each other, so the file is soon mostly history. At the default of 64 MB a busy fleet of 100,000
///   has it rewritten every few seconds, 1–8 % of the server's time; at 256 MB that is lost in the noise, and such a
///   file loads in a few seconds.
/// - A subscriber that lags is cut off, and reloads, before it takes the server's memory. The default of 8 MB is half a
///   second of updates at full load: a pause, not a lag.
const FIXED: &str = "\
maxmemory-policy noeviction
aof-load-truncated yes
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 256mb
client-output-buffer-limit pubsub 128mb 64mb 30
";
