//! Rebuilds a live index in which a panic has interrupted a change.

use super::Kind;
use super::shared::Shared;
use crate::clock;
use futures_util::future::join_all;
use std::sync::Arc;

/// Waits for damage, forever. The lock has emptied the index; this task restores what Redis does not have, and the feed loads the rest.
pub async fn keep_rebuilding(shared: Arc<Shared>) {
    join_all(Kind::ALL.map(|kind| rebuild(&shared, kind))).await;
}

async fn rebuild(shared: &Shared, kind: Kind) {
    let live = shared.live(kind);
    loop {
        live.damaged().await;
        tracing::error!(%kind, "a panic interrupted a change of the live index; it is loaded again from Redis");
        if shared.store.is_configured() {
            shared.set_unsynced("an internal error damaged it; it is loaded again", false);
            shared.resync.notify_one();
        }
        let restored = live.restore_unsaved(clock::now_ms());
        if !shared.store.is_configured() {
            // There is nothing else to load.
            live.set_complete();
        }
        if restored > 0 {
            tracing::warn!(%kind, restored, "positions that Redis does not have yet were restored");
        }
    }
}
