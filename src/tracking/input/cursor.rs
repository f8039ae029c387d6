//! Where a listing of a box goes on: behind an id. The cursor says which listing it is of, and needs no instance to remember it.

use crate::ids::Id;
use crate::tracking::Kind;
use crate::tracking::model::{Filter, WithinQuery};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use compact_str::CompactString;
use sha2::{Digest, Sha256};

/// The form of what follows in a cursor.
const FORM: u8 = 1;
/// Bytes that tell one listing from another: against mistakes, not against malice.
const DIGEST: usize = 8;

/// The cursor of a listing that goes on behind an id.
#[must_use]
pub fn write_cursor(kind: Kind, query: &WithinQuery, last: &Id) -> String {
    let bytes = [&[FORM], &digest(kind, query)[..], last.as_bytes()].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The id behind which a listing goes on.
///
/// # Errors
/// What is wrong with a cursor that is not one of this listing's.
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

/// What is listed, whatever the limit; the same at every instance.
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
        // Zero has two names.
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
