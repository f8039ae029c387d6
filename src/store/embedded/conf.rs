//! The configuration of the server. It is passed through a pipe, so that no secret is in an argument list.

use super::home::Home;
use super::settings::EmbeddedSettings;

/// Returns the configuration file of the server. Paths are relative to its working directory, which is its folder.
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

/// The directives that do not depend on the settings. These keep the server's defaults, because they changed the CPU time of a recorded
/// fix by less than the noise of 5 %: `hz`, `io-threads`, `latency-tracking`, the slow log, `lazyfree-*`, `activedefrag`,
/// `rdbcompression`.
///
/// - `maxmemory-policy noeviction`: a full Redis must refuse a new reservation, not evict an existing one.
/// - `aof-load-truncated`: a power failure may leave half a command at the end of the file; the file is loaded up to there.
/// - `auto-aof-rewrite-min-size`: positions overwrite each other, so most of the file is soon outdated. With the default of 64 MB a fleet
///   of 100,000 causes a rewrite every few seconds, 1–8 % of the server's time. With 256 MB the cost is not measurable, and a file of
///   that size loads in a few seconds.
/// - `client-output-buffer-limit pubsub`: a subscriber that reads too slowly is disconnected, and reloads, before it uses up the server's
///   memory. The default of 8 MB is half a second of updates at full load, so a short pause of a subscriber would exceed it.
const FIXED: &str = "\
maxmemory-policy noeviction
aof-load-truncated yes
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 256mb
client-output-buffer-limit pubsub 128mb 64mb 30
";
