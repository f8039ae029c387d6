//! The folder of the server: its owner, its files, and the password.

use super::error::EmbeddedError;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use std::fmt;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;

/// `sun_path` holds 108 bytes on Linux and 104 on macOS, the closing zero included.
const LONGEST_SOCKET_PATH: usize = 103;

const SOCKET: &str = "redis.sock";

/// The folder, locked for this process: while this value exists no other service can use the folder.
#[derive(Debug)]
pub(super) struct Home {
    dir: PathBuf,
    password: Password,
    /// The locked `owner.lock`. The kernel releases the lock when the process ends, however it ends.
    _owner: File,
    /// The folder itself, kept open: a socket whose path is too long is reached through this descriptor.
    opened: File,
}

/// 256 random bits in hex. `Debug` does not show them.
pub(super) struct Password(String);

impl Home {
    /// Creates the folder if it does not exist, and locks it for this process.
    pub(super) fn claim(data_dir: &Path) -> Result<Self, EmbeddedError> {
        fs::create_dir_all(data_dir).map_err(EmbeddedError::io(data_dir))?;
        let dir = data_dir.join("redis");
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(&dir).map_err(EmbeddedError::io(&dir))?;
        fs::set_permissions(&dir, Permissions::from_mode(0o700)).map_err(EmbeddedError::io(&dir))?;
        // Canonical, because it is compared with the links in /proc.
        let dir = dir.canonicalize().map_err(EmbeddedError::io(&dir))?;
        let owner = lock_owner(&dir)?;
        let password = Password::load_or_make(&dir.join("password"))?;
        let opened = File::open(&dir).map_err(EmbeddedError::io(&dir))?;
        Ok(Self {
            dir,
            password,
            _owner: owner,
            opened,
        })
    }

    /// Returns the canonical path of the folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the path of the file that is locked while a server runs.
    pub(super) fn console(&self) -> PathBuf {
        self.dir.join("server.lock")
    }

    /// Returns the path of the folder with the append-only files. Its name is the server's default.
    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("appendonlydir")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("redis.log")
    }

    pub(super) fn password(&self) -> &str {
        &self.password.0
    }

    /// Returns the path of the socket for the server. It is relative to the server's working directory, so it is never too long.
    pub(super) const fn socket_in_dir() -> &'static str {
        SOCKET
    }

    /// Returns the path of the socket for this process. A path that is too long for a socket address goes through the descriptor of the
    /// folder and not through a link in `/tmp`, which another user could have created first, and which would have to be removed.
    fn socket(&self) -> Result<PathBuf, EmbeddedError> {
        let plain = self.dir.join(SOCKET);
        if plain.as_os_str().len() <= LONGEST_SOCKET_PATH {
            return Ok(plain);
        }
        let through = PathBuf::from(format!("/proc/self/fd/{}", self.opened.as_raw_fd()));
        if through.exists() {
            return Ok(through.join(SOCKET));
        }
        Err(EmbeddedError::PathTooLong {
            folder: self.dir.clone(),
        })
    }

    /// Returns address and password, which are the same for every server that runs in this folder.
    pub(super) fn connection_info(&self) -> Result<ConnectionInfo, EmbeddedError> {
        let address = ConnectionAddr::Unix(self.socket()?).into_connection_info()?;
        Ok(address.set_redis_settings(RedisConnectionInfo::default().set_password(self.password())))
    }
}

/// Locks `owner.lock` and writes this process's id into it.
fn lock_owner(dir: &Path) -> Result<File, EmbeddedError> {
    let path = dir.join("owner.lock");
    let mut file = private_file().open(&path).map_err(EmbeddedError::io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // The pid is only for the error message, which omits a pid that cannot be read.
            let _ = file.read_to_string(&mut pid);
            return Err(EmbeddedError::InUse {
                folder: dir.to_owned(),
                pid: pid.trim().parse().ok(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(EmbeddedError::Io { path, source }),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", process::id()))
        .map_err(EmbeddedError::io(&path))?;
    Ok(file)
}

/// Returns options that open a file for reading and writing, without truncating it, and create it with mode 0600 if it does not exist.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

impl Password {
    /// Reads the folder's password. Replaces an invalid one, such as the empty file that a full disk leaves, with a new one.
    fn load_or_make(path: &Path) -> Result<Self, EmbeddedError> {
        if let Ok(kept) = fs::read_to_string(path)
            && kept.len() == 64
            && kept.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(EmbeddedError::io(path))?;
            return Ok(Self(kept));
        }
        let mut made = String::with_capacity(64);
        for byte in rand::random::<[u8; 32]>() {
            // Writing to a String cannot fail.
            let _ = write!(made, "{byte:02x}");
        }
        // Written to another file that is then renamed: a kill leaves either the old file or the complete new one.
        let beside = path.with_extension("new");
        let _ = fs::remove_file(&beside);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| file.write_all(made.as_bytes()))
            .and_then(|()| fs::rename(&beside, path))
            .map_err(EmbeddedError::io(path))?;
        Ok(Self(made))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}
