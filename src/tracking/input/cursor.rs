//! Cursors of box listings. A cursor contains the last id and a digest of the query, so no instance has to keep state.

use crate::ids::Id;
use crate::tracking::Kind;
use crate::tracking::model::{Filter, WithinQuery};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use compact_str::CompactString;
use sha2::{Digest, Sha256};

/// The version of the cursor format.
const FORM: u8 = 1;
/// Bytes of the digest that identifies a listing. It protects against mistakes, not against attacks.
const DIGEST: usize = 8;

/// Returns the cursor of a listing that continues after an id.
#[must_use]
pub fn write_cursor(kind: Kind, query: &WithinQuery, last: &Id) -> String {
    let bytes = [&[FORM], &digest(kind, query)[..], last.as_bytes()].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A cursor that a client sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The digest of its listing.
    listing: [u8; DIGEST],
    /// The last id of the previous page.
    last: Id,
}

impl Cursor {
    /// Parses a cursor.
    ///
    /// # Errors
    /// The fault of a text that is not a cursor.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let parsed = || {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let (form, rest) = bytes.split_first()?;
            let (listing, last) = rest.split_first_chunk()?;
            let last = Id::parse(str::from_utf8(last).ok()?).ok()?;
            (*form == FORM).then_some(Self {
                listing: *listing,
                last,
            })
        };
        parsed().ok_or("is not a cursor of an answer: send it unchanged, or leave it out to start at the first page")
    }

    /// Returns the id after which the listing of a query continues.
    ///
    /// # Errors
    /// The fault of a cursor that belongs to another listing.
    pub fn after(self, kind: Kind, query: &WithinQuery) -> Result<Id, &'static str> {
        if self.listing != digest(kind, query) {
            return Err(
                "belongs to another listing: repeat the kind, the bbox and the filters of the call that returned it",
            );
        }
        Ok(self.last)
    }
}

/// Returns the digest of a listing. It does not depend on the limit, and is the same at every instance.
fn digest(kind: Kind, query: &WithinQuery) -> [u8; DIGEST] {
    let WithinQuery { bounds, filter, .. } = query;
    let Filter {
        max_age_ms,
        statuses,
        vehicle_types,
        min_capacity,
    } = filter;
    let mut digest = Sha256::new_with_prefix(kind.as_str());
    for side in [bounds.west(), bounds.south(), bounds.east(), bounds.north()] {
        // Adding zero turns −0 into 0, so that both have one digest.
        digest.update((side + 0.0).to_le_bytes());
    }
    digest.update(max_age_ms.unwrap_or(-1).to_le_bytes());
    digest.update(min_capacity.map_or(-1, i64::from).to_le_bytes());
    for words in [statuses, vehicle_types] {
        let mut words: Vec<&CompactString> = words.iter().collect();
        words.sort_unstable();
        words.dedup();
        digest.update(words.len().to_le_bytes());
        for word in words {
            digest.update(word.len().to_le_bytes());
            digest.update(word);
        }
    }
    let mut listing = [0; DIGEST];
    listing.copy_from_slice(&digest.finalize()[..DIGEST]);
    listing
}
