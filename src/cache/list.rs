//! The keys of a namespace, page by page: listed for operators, or invalidated.

use super::Cache;
use super::error::CacheError;
use super::settings::MAX_KEY;
use crate::ids::Id;

/// The number of keys that Redis scans for one page; most of them may not match.
const SCANNED_PER_PAGE: u32 = 1_000;

/// A page of a listing. A key may be listed twice; one that is written or expires during the listing may be listed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Keys of stored entries. An invalidated entry stays until it expires.
    pub keys: Vec<String>,
    /// The cursor of the next page; `None` at the end.
    pub next: Option<u64>,
}

impl Cache {
    /// Returns one page of the keys of a namespace that match a pattern (`*`, `?`, `[…]`, as in Redis's `SCAN`). `cursor` is 0, then
    /// [`Page::next`]. A page may be empty and not the last.
    ///
    /// # Errors
    /// [`CacheError::Store`].
    pub async fn list(&self, namespace: &Id, pattern: &str, cursor: u64) -> Result<Page, CacheError> {
        // On a single Redis all keys are in one partition; on a Cluster the partitions are scanned one after another.
        let keys = self.link().store().keys();
        let begins = keys.cache_entries(namespace, 0);
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor)
            .arg("MATCH")
            .arg(format!("{}{pattern}", escaped(&begins)));
        scan.arg("COUNT").arg(SCANNED_PER_PAGE).arg("TYPE").arg("string");
        let (next, names): (u64, Vec<Vec<u8>>) = self.link().query(&scan).await?;
        // Names that are not valid keys belong to another program.
        let key = |name: Vec<u8>| {
            let name = String::from_utf8(name).ok()?;
            let key = name.strip_prefix(&begins)?;
            (1..=MAX_KEY).contains(&key.len()).then(|| key.to_owned())
        };
        Ok(Page {
            keys: names.into_iter().filter_map(key).collect(),
            next: (next != 0).then_some(next),
        })
    }
}

/// The maximum number of pages that one invalidation processes.
const MAX_PAGES: usize = 16;

/// The result of one call that invalidates the keys that match a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalidated {
    /// The number of keys that were deleted.
    pub keys: u64,
    /// The cursor of the next page; `None` at the end.
    pub next: Option<u64>,
}

impl Cache {
    /// Deletes the keys of a namespace that match a pattern, a bounded number at a time, with cursor and pattern as in [`Self::list`]. After
    /// the last call, no entry is served that was stored under one of these keys at the first call. The value of a computation in progress
    /// is not stored.
    ///
    /// # Errors
    /// [`CacheError::Store`]: some of them may be deleted.
    pub async fn delete_matching(&self, namespace: &Id, pattern: &str, cursor: u64) -> Result<Invalidated, CacheError> {
        let (mut keys, mut next) = (0, Some(cursor));
        for _ in 0..MAX_PAGES {
            let Some(at) = next else { break };
            let page = self.list(namespace, pattern, at).await?;
            let names: Vec<&str> = page.keys.iter().map(String::as_str).collect();
            if !names.is_empty() {
                keys += self.drop_many(namespace, &names).await?;
            }
            next = page.next;
            if keys > 0 {
                break;
            }
        }
        Ok(Invalidated { keys, next })
    }
}

/// Returns a pattern that matches only this text.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
