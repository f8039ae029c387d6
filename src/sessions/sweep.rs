//! Removes ended sessions from the lists of their subjects.
//!
//! When a session ends, its id stays in the subject's list until the list is read, or until the last of the subject's sessions would have
//! ended. The lists of subjects that never return are not read, so this sweep removes the ids.

use crate::store::{Link, StoreError};
use redis::{Pipeline, cmd};

/// The approximate number of keys that one step of the scan checks.
const KEYS: usize = 500;
/// The maximum number of ids of a list that are checked; no list is longer.
const IDS: isize = 512;

/// The result of one step of the sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// The cursor of the next step; 0 at the end.
    pub next: u64,
    /// The number of ids that were checked.
    pub looked_at: u64,
    /// The number of ids of ended sessions that were removed.
    pub removed: u64,
}

/// Runs one step of the sweep from a cursor; 0 is the beginning. Sessions that are created during the sweep are not affected: an id is
/// removed only after its session was found to have ended, and an ended session never exists again.
///
/// # Errors
/// [`StoreError`]; the step can be repeated.
pub async fn sweep(link: &Link, cursor: u64) -> Result<Swept, StoreError> {
    let keys = link.store().keys();
    let mut scan = cmd("SCAN");
    scan.arg(cursor)
        .arg("MATCH")
        .arg(keys.all_sessions_of())
        .arg("COUNT")
        .arg(KEYS);
    // As bytes: an id that is not text was written by another program, and must not make the others fail.
    let (next, lists): (u64, Vec<Vec<u8>>) = link.query(scan.arg("TYPE").arg("zset")).await?;
    let mut swept = Swept {
        next,
        looked_at: 0,
        removed: 0,
    };
    for list in lists.into_iter().filter_map(|list| String::from_utf8(list).ok()) {
        let ids: Vec<Vec<u8>> = link.query(cmd("ZRANGE").arg(&list).arg(0).arg(IDS - 1)).await?;
        let session_of = |id: &Vec<u8>| keys.session_in(&list, std::str::from_utf8(id).ok()?);
        let sessions: Vec<_> = ids.iter().filter_map(|id| Some((id, session_of(id)?))).collect();
        let mut pipeline = Pipeline::with_capacity(sessions.len());
        for (_, session) in &sessions {
            pipeline.exists(session);
        }
        let live: Vec<bool> = link.pipeline(&pipeline).await?;
        let gone: Vec<&Vec<u8>> = sessions
            .iter()
            .zip(&live)
            .filter(|(_, live)| !**live)
            .map(|((id, _), _)| *id)
            .collect();
        swept.looked_at += ids.len() as u64;
        if !gone.is_empty() {
            swept.removed += link.query::<u64>(cmd("ZREM").arg(&list).arg(gone)).await?;
        }
    }
    Ok(swept)
}
