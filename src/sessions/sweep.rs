//! Takes sessions that have ended out of the lists of their subjects.
//!
//! Nothing of a session outlives it but its id in the subject's list, and that until somebody lists the subject's sessions or
//! the last of them would have ended. Who never comes back leaves his ids there for so long: this takes them out.

use crate::store::{Link, StoreError};
use redis::{Pipeline, cmd};

/// Keys that one step of the scan looks at, roughly.
const KEYS: usize = 500;
/// Ids of a list that are looked at: no list is longer.
const IDS: isize = 512;

/// What a piece of the sweep came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Where to go on; 0 at the end.
    pub next: u64,
    /// Ids that were looked at.
    pub looked_at: u64,
    /// Ids of ended sessions that were taken out.
    pub removed: u64,
}

/// Sweeps a piece, from a cursor on; 0 is the beginning. What a session that is created meanwhile leaves is not touched: an
/// id is taken out only after its session was found to be gone, and what is gone does not come back.
///
/// # Errors
/// [`StoreError`]; nothing is lost by making the piece again.
pub async fn sweep(link: &Link, cursor: u64) -> Result<Swept, StoreError> {
    let keys = link.store().keys();
    let mut scan = cmd("SCAN");
    scan.arg(cursor)
        .arg("MATCH")
        .arg(keys.all_sessions_of())
        .arg("COUNT")
        .arg(KEYS);
    // As bytes: what is no text was put there by another program, and must not cost the others.
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
