//! The holds of an owner.

use super::Inventory;
use super::check;
use super::commands::{self, HoldPosition};
use super::error::InventoryError;
use super::keys::INVENTORY_PARTITIONS;
use super::model::Reservation;
use crate::ids::ExternalId;
use futures_util::future::join_all;

/// Calls to Redis for one page, each of which examines up to 1,000 holds.
const MOST_CALLS: usize = 64;

/// The position in a listing of holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedCursor {
    partition: u16,
    behind: HoldPosition,
}

impl OwnedCursor {
    /// Parses the output of [`Self::text`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let partition = parts.next()?.parse().ok().filter(|p| *p < INVENTORY_PARTITIONS)?;
        let ends_ms = parts.next()?.parse().ok().filter(|ends_ms| *ends_ms >= 0)?;
        let id = parts.next()?;
        // The id of a part has a slash.
        let is_id = |text: &str| text.is_empty() || ExternalId::parse(text).is_ok();
        let cursor = is_id(id).then(|| Self {
            partition,
            behind: (ends_ms, id.to_owned()),
        })?;
        // A number has other spellings, such as `+1` and `01`.
        (cursor.text() == text).then_some(cursor)
    }

    /// Returns the cursor as text, which a URL has to percent-encode.
    #[must_use]
    pub fn text(&self) -> String {
        let (ends_ms, id) = &self.behind;
        format!("{}.{ends_ms}.{id}", self.partition)
    }
}

impl Inventory {
    /// Returns up to `count` (1 to 500) holds of an owner after a cursor, and the next cursor if there may be more. A page may be empty
    /// although it is not the last. A hold that is extended during the listing may be returned twice.
    ///
    /// # Errors
    /// [`InventoryError::Unacceptable`] and those of Redis.
    pub async fn owned(
        &self,
        owner: &ExternalId,
        cursor: Option<OwnedCursor>,
        count: usize,
    ) -> Result<(Vec<Reservation>, Option<OwnedCursor>), InventoryError> {
        check::page(count)?;
        let begin = |partition| OwnedCursor {
            partition,
            behind: (0, String::new()),
        };
        let (mut at, mut holds) = (cursor.unwrap_or_else(|| begin(0)), Vec::new());
        for _ in 0..MOST_CALLS {
            let target = self.target(at.partition);
            let (found, behind) = commands::owned(target, owner, &at.behind, count - holds.len()).await?;
            holds.extend(found.into_iter().map(|(id, record)| record.reservation(&id)));
            match behind {
                Some(behind) => at.behind = behind,
                None if at.partition + 1 < INVENTORY_PARTITIONS => at = begin(at.partition + 1),
                None => return Ok((holds, None)),
            }
            if holds.len() >= count {
                break;
            }
        }
        Ok((holds, Some(at)))
    }

    /// Releases up to `count` (1 to 500) holds of an owner after a cursor. Returns how many were released, and the next cursor as
    /// [`Self::owned`] does. Holds that expire or are confirmed during the call are ignored.
    ///
    /// # Errors
    /// [`InventoryError::Unacceptable`], and those of Redis, after which some may be released.
    pub async fn release_owned(
        &self,
        owner: &ExternalId,
        cursor: Option<OwnedCursor>,
        count: usize,
    ) -> Result<(u64, Option<OwnedCursor>), InventoryError> {
        let (holds, next) = self.owned(owner, cursor, count).await?;
        let mut released = 0;
        for outcome in join_all(holds.iter().map(|hold| self.release(&hold.id))).await {
            match outcome {
                Ok(_) => released += 1,
                Err(InventoryError::NoReservation(_) | InventoryError::WrongState { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((released, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for text in ["15.1700000000000.a.b", "0.0.", "3.5.x/0a1b"] {
            assert_eq!(OwnedCursor::parse(text).unwrap().text(), text);
        }
        for bad in ["", "16.0.", "0.-1.", "0.a.b", "0.1", "0.1.a\nb"] {
            assert_eq!(OwnedCursor::parse(bad), None, "{bad}");
        }
    }
}
