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
/// Bytes of the digest that tells listings apart. It protects against mistakes, not against attacks.
const DIGEST: usize = 8;

/// Returns the cursor of a listing that continues after an id.
#[must_use]
pub fn write_cursor(kind: Kind, query: &WithinQuery, last: &Id) -> String {
    let bytes = [&[FORM], &digest(kind, query)[..], last.as_bytes()].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the id after which a listing continues.
///
/// # Errors
/// The fault of a cursor that does not belong to this listing.
pub fn read_cursor(text: &str, kind: Kind, query: &WithinQuery) -> Result<Id, &'static str> {
    const MALFORMED: &str = "is not a cursor of an answer: send it as it was, or leave it out to begin anew";
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_no_base64| MALFORMED)?;
    let (form, rest) = bytes.split_first().ok_or(MALFORMED)?;
    let (listing, last) = rest.split_at_checked(DIGEST).ok_or(MALFORMED)?;
    let last = str::from_utf8(last).ok().and_then(|last| Id::parse(last).ok());
    let last = last.filter(|_| *form == FORM).ok_or(MALFORMED)?;
    if listing != digest(kind, query) {
        return Err("is of another listing: repeat the kind, the bbox and the filters of the call that gave it");
    }
    Ok(last)
}

/// Returns the digest of a listing, whatever the limit; it is the same at every instance.
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
