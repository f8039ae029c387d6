//! Calls of several steps, which have to run to their end.

use super::error::InventoryError;
use crate::runtime::{Panicked, failpoint, to_its_end};
use crate::store::StoreError;

/// The name of the steps of a saga. If they are interrupted, the sweep completes the saga, or its parts expire.
pub(super) const SAGA: &str = "inventory.saga";
/// The name of the steps of a call about an item. If they are interrupted, a repeated call completes them.
pub(super) const STOCK: &str = "inventory.stock";

/// Runs all steps of a call, even if its caller is dropped. `name` names them in the log.
pub(super) fn all_steps<T: Send + 'static>(
    name: &'static str,
    steps: impl Future<Output = Result<T, InventoryError>> + Send + 'static,
) -> impl Future<Output = Result<T, InventoryError>> + Send {
    let ended = to_its_end(name, async move {
        failpoint(name);
        steps.await
    });
    async {
        ended
            .await
            .unwrap_or_else(|Panicked| Err(StoreError::Interrupted.into()))
    }
}
