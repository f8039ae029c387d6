//! Syncs the append-only file once a second, instead of the server (`AppendFsync::directive` explains why).

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task;
use tokio::time;
use tracing::{debug, warn};

/// The pause between two syncs: a power failure can lose the writes of about this time.
const EVERY: Duration = Duration::from_secs(1);
/// A sync that takes longer than this is logged, because the disk may be overloaded.
const SLOW: Duration = Duration::from_secs(1);

/// The lengths of the files at their last sync.
type Synced = HashMap<PathBuf, u64>;

/// Syncs the files in `folder` that have grown, forever. A slow sync delays the next one; two never run at the same time.
pub(super) async fn keep_synced(folder: PathBuf) {
    let mut synced = Synced::new();
    loop {
        time::sleep(EVERY).await;
        let folder = folder.clone();
        let started = time::Instant::now();
        let working = task::spawn_blocking(move || {
            let result = sync(&folder, &mut synced);
            (result, synced)
        });
        // An error means that the runtime is shutting down, or that `sync` panicked; after a panic the caller starts this function again.
        let Ok((result, kept)) = working.await else { return };
        synced = kept;
        if let Err(error) = result {
            warn!(%error, "cannot sync the append-only file to the disk; a power failure may lose more than a second of writes");
        }
        if started.elapsed() > SLOW {
            debug!(elapsed = ?started.elapsed(), "slow sync of the append-only file");
        }
    }
}

/// Syncs every file whose length has changed since its last sync; files in this folder only grow or are deleted. An idle service
/// therefore does not use the disk. All files are checked and not only the newest, because a rewrite may start a new file at any time.
fn sync(folder: &Path, synced: &mut Synced) -> io::Result<()> {
    let mut now = Synced::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        match sync_grown(&path, synced.get(&path).copied()) {
            Ok(length) => now.insert(path, length),
            // A rewrite has deleted it in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
    }
    *synced = now;
    Ok(())
}

fn sync_grown(path: &Path, synced: Option<u64>) -> io::Result<u64> {
    let file = File::open(path)?;
    // Read before the sync: what is appended during the sync belongs to the next one.
    let length = file.metadata()?.len();
    if synced != Some(length) {
        file.sync_data()?;
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;
    use uuid::Uuid;

    #[test]
    fn files_that_grew_are_synced_and_deleted_files_are_forgotten() {
        let folder = env::temp_dir().join(format!("fleetpulse-sync-{}", Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        let (first, second) = (folder.join("1.incr.aof"), folder.join("2.incr.aof"));
        let mut synced = Synced::new();
        fs::write(&first, "abc").unwrap();
        sync(&folder, &mut synced).unwrap();
        assert_eq!(synced, Synced::from([(first.clone(), 3)]));

        fs::write(&second, "abcdef").unwrap();
        fs::remove_file(&first).unwrap();
        sync(&folder, &mut synced).unwrap();
        assert_eq!(synced, Synced::from([(second, 6)]));
        fs::remove_dir_all(&folder).unwrap();
        assert!(sync(&folder, &mut synced).is_err());
    }
}
