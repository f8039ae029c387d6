use super::leash::Leash;
use nix::unistd::Pid;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Kills all processes that work in the folder, and removes it.
const END: &str = r#"
    for process in /proc/[0-9]*; do
        case "$(readlink "$process/cwd")" in "$0" | "$0"/*) kill -9 "${process#/proc/}" ;; esac
    done
    rm -rf "$0""#;

/// A folder for an instance's data. When dropped, it kills the servers that still work in it, and removes everything.
pub struct Folder {
    path: PathBuf,
    _leash: Leash,
}

impl Folder {
    pub fn new() -> Self {
        let path = env::temp_dir().join(format!("fleetpulse-it-{}", Uuid::new_v4().simple()));
        fs::create_dir_all(&path).unwrap();
        let path = fs::canonicalize(path).unwrap();
        let leash = Leash::new(END, path.as_ref());
        Self { path, _leash: leash }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The flag that names it.
    pub fn flag(&self) -> String {
        format!("--data-dir={}", self.path.display())
    }

    /// The processes that work in it.
    pub fn processes(&self) -> Vec<Pid> {
        // A zombie has no working directory.
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let entry = entry.ok()?;
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let works_here = fs::read_link(entry.path().join("cwd")).ok()?.starts_with(&self.path);
            works_here.then(|| Pid::from_raw(pid))
        });
        processes.collect()
    }
}
