//! The memory of this machine, or of the container in which the service runs.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns half of the memory that this process may use, bytes: of the machine's, or of the lowest limit of its cgroups. The other half
/// is for the service, and for the copies that Redis makes while it rewrites its file. 0 if this system does not report it.
#[must_use]
pub fn half_of_memory() -> u64 {
    available(Path::new("/")) / 2
}

/// Returns the memory that this process may use, bytes; 0 if unknown. `root` is `/` except in tests.
fn available(root: &Path) -> u64 {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let machine = read(&root.join("proc/meminfo")).and_then(|info| total(&info));
    let limits = limit_files(root, &read(&root.join("proc/self/cgroup")).unwrap_or_default());
    let limits = limits.iter().filter_map(|file| read(file)?.trim().parse::<u64>().ok());
    let least = limits.filter(|limit| *limit > 0).min();
    // Without a limit the file contains `max`, or a number larger than any memory.
    match (machine, least) {
        (Some(machine), Some(limit)) => machine.min(limit),
        (Some(machine), None) => machine,
        (None, _) => 0,
    }
}

/// Reads `MemTotal` from the text of `/proc/meminfo`, bytes.
fn total(info: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

/// Returns the files that may limit the memory of a process with this `/proc/self/cgroup`: those of its cgroup and of all its ancestors.
/// In a container the path may be that of the host, which does not exist there; the limit is then in the root of the mount.
fn limit_files(root: &Path, cgroups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in cgroups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (mount, file) = if controllers.is_empty() {
            (root.join("sys/fs/cgroup"), "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            (root.join("sys/fs/cgroup/memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        let path = Path::new(path.trim_start_matches('/'));
        files.extend(path.ancestors().map(|above| mount.join(above).join(file)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;
    use uuid::Uuid;

    /// A temporary root folder with some files.
    struct Root(PathBuf);

    impl Root {
        fn with(files: &[(&str, &str)]) -> Self {
            let root = env::temp_dir().join(format!("fleetpulse-memory-{}", Uuid::new_v4()));
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\n");
    const MACHINE: u64 = 16 << 30;

    #[test]
    fn the_lowest_limit_of_the_cgroups_applies() {
        let cases: [(&[(&str, &str)], u64); 6] = [
            (&[], MACHINE),
            (
                &[
                    ("proc/self/cgroup", "0::/a/b\n"),
                    ("sys/fs/cgroup/a/b/memory.max", "max\n"),
                ],
                MACHINE,
            ),
            (
                &[
                    ("proc/self/cgroup", "0::/a/b\n"),
                    ("sys/fs/cgroup/a/b/memory.max", "max\n"),
                    ("sys/fs/cgroup/a/memory.max", "1073741824\n"),
                ],
                1 << 30,
            ),
            // In a container: the path is the host's, the mount is the container's.
            (
                &[
                    ("proc/self/cgroup", "0::/docker/x\n"),
                    ("sys/fs/cgroup/memory.max", "2147483648\n"),
                ],
                2 << 30,
            ),
            (
                &[
                    ("proc/self/cgroup", "9:cpu,cpuacct:/x\n4:memory:/docker/x\n"),
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"),
                ],
                512 << 20,
            ),
            (
                &[
                    ("proc/self/cgroup", "4:memory:/\n"),
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ],
                MACHINE,
            ),
        ];
        for (files, expected) in cases {
            let root = Root::with(&[&[MEMINFO], files].concat());
            assert_eq!(available(&root.0), expected, "{files:?}");
        }
        assert_eq!(
            available(&Root::with(&[]).0),
            0,
            "a system that does not report its memory"
        );
    }
}
