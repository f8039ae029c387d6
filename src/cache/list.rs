//! The keys of a namespace, in pieces: listed for those who look after the service, or invalidated.

use super::Cache;
use super::error::CacheError;
use super::settings::MAX_KEY;
use crate::ids::Id;

/// Keys that Redis looks through for one piece; most of them may be of others.
const LOOKED_THROUGH: u32 = 1_000;

/// A piece of a listing. A key may come twice, and one that is written or ends meanwhile come or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Keys of stored entries. An invalidated entry stays until it expires.
    pub keys: Vec<String>,
    /// Where to go on; `None` at the end.
    pub next: Option<u64>,
}

impl Cache {
    /// The keys of a namespace that match a pattern (`*`, `?`, `[…]`, as Redis has them), a bounded piece at a time: `cursor` is
    /// 0, then what the last piece says. A piece may be empty and not the last.
    ///
    /// # Errors
    /// [`CacheError::Store`].
    pub async fn list(&self, namespace: &Id, pattern: &str, cursor: u64) -> Result<Page, CacheError> {
        // All keys of one Redis lie in one partition; a Cluster has them asked one by one.
        let keys = self.link().store().keys();
        let begins = keys.cache_entries(namespace, 0);
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor)
            .arg("MATCH")
            .arg(format!("{}{pattern}", escaped(&begins)));
        scan.arg("COUNT").arg(LOOKED_THROUGH).arg("TYPE").arg("string");
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

/// Pieces of a listing that one invalidation goes through at most.
const MOST_PIECES: usize = 16;

/// What one call has invalidated of the keys that match a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalidated {
    /// How many keys there were.
    pub keys: u64,
    /// Where to go on; `None` at the end.
    pub next: Option<u64>,
}

impl Cache {
    /// Deletes the keys of a namespace that match a pattern, a bounded number at a time; cursor and pattern are as [`Self::list`] has
    /// them. Once the last piece is done, nothing is served that lay under one of these keys when the first began. A value whose
    /// computation is under way is not stored any more.
    ///
    /// # Errors
    /// [`CacheError::Store`]: some of them may be deleted.
    pub async fn delete_matching(&self, namespace: &Id, pattern: &str, cursor: u64) -> Result<Invalidated, CacheError> {
        let (mut keys, mut next) = (0, Some(cursor));
        for _ in 0..MOST_PIECES {
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

/// A text that a pattern takes as it is.
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
