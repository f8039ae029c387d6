//! The once-a-second sync of the append-only file, in place of the server's own (see `AppendFsync` for why).

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task;
use tokio::time;
use tracing::{debug, warn};

/// How much of the past a power cut can take.
const EVERY: Duration = Duration::from_secs(1);
/// A sync that takes this long says something about the disk.
const SLOW: Duration = Duration::from_secs(1);

/// Lengths of the files at their last sync.
type Synced = HashMap<PathBuf, u64>;

/// Syncs what has grown in `folder`, for ever. A sync that outlasts its second delays the next; they never pile up.
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
        // A runtime that ends also drops this task; after a panic the caller starts again.
        let Ok((result, kept)) = working.await else { return };
        synced = kept;
        if let Err(error) = result {
            warn!(%error, "the append-only file cannot be synced to disk");
        }
        if started.elapsed() > SLOW {
            debug!(elapsed = ?started.elapsed(), "slow sync of the append-only file");
        }
    }
}

/// Syncs every file whose length is not the one last synced: files here only ever grow or go. An idle service thus leaves
/// the disk alone. A rewrite starts a new file within the same second, so it is all files, not the newest.
fn sync(folder: &Path, synced: &mut Synced) -> io::Result<()> {
    let mut now = Synced::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        match sync_grown(&path, synced.get(&path).copied()) {
            Ok(length) => now.insert(path, length),
            // Replaced by a rewrite meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
    }
    *synced = now;
    Ok(())
}

fn sync_grown(path: &Path, synced: Option<u64>) -> io::Result<u64> {
    let file = File::open(path)?;
    // Read first: what is appended during the sync is the next round's.
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
    fn what_grew_is_synced_and_what_went_is_forgotten() {
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
