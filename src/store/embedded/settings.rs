use std::path::PathBuf;

/// The settings of the embedded Redis.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// The service's data folder; the server's own is `redis/` inside it. Created if it does not exist.
    pub data_dir: PathBuf,
    /// The server's binary. Without one: `redis-server`, then `valkey-server`, from `PATH`.
    pub binary: Option<PathBuf>,
    /// When a write reaches the disk.
    pub append_fsync: AppendFsync,
    /// The most memory its data may take, bytes; above it writes are refused, nothing is evicted. 0 means no limit.
    pub max_memory_bytes: u64,
}

impl EmbeddedSettings {
    /// The defaults for a data folder: binary from `PATH`, an fsync every second, no memory limit.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            binary: None,
            append_fsync: AppendFsync::EverySec,
            max_memory_bytes: 0,
        }
    }
}

/// When a write is synced to the disk. This matters only if the machine loses power: each write reaches the file before its reply is
/// sent, so a killed service or server loses no acknowledged write in either mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum AppendFsync {
    /// Once a second, in the background. A power failure can lose about a second of writes.
    #[default]
    #[value(name = "everysec")]
    EverySec,
    /// Before every reply.
    Always,
}

impl AppendFsync {
    /// Returns the value of the server's `appendfsync` directive. The server's own `everysec` is not used: while its background thread
    /// syncs, the server replies before it writes, for up to two seconds, and a kill loses these acknowledged writes. With `no` the server
    /// always writes first, and the supervisor syncs once a second ([`super::sync`]).
    pub(super) const fn directive(self) -> &'static str {
        match self {
            Self::EverySec => "no",
            Self::Always => "always",
        }
    }
}
