//! The ranges of the values that the Rust interface accepts. A number above 2⁵³ or a hold without an end would damage the books of a
//! whole partition, so it is refused before anything is sent. The HTTP interface refuses the same values, member by member.

use super::commands::Expected;
use super::error::InventoryError;
use super::model::{Goods, MAX_GOODS, MAX_QUANTITY, MAX_TTL, Name, Portion, Terms, is_ours};
use std::slice;
use std::time::Duration;

/// The most versions that a change may expect.
pub(super) const MOST_VERSIONS: usize = 1_000;

fn refuse(field: &'static str, detail: impl Into<String>) -> InventoryError {
    InventoryError::Unacceptable {
        field,
        detail: detail.into(),
    }
}

pub(super) fn terms(terms: &Terms) -> Result<(), InventoryError> {
    if !(1..=MAX_GOODS).contains(&terms.goods.len()) {
        return Err(refuse("items", format!("must be 1 to {MAX_GOODS}")));
    }
    for (index, one) in terms.goods.iter().enumerate() {
        goods(one)?;
        if terms.goods.iter().take(index).any(|other| other.sku == one.sku) {
            return Err(refuse("items", format!("has {} twice", one.sku)));
        }
    }
    ttl(terms.ttl)
}

pub(super) fn name(name: &Name) -> Result<(), InventoryError> {
    match name {
        Name::Id(id) if is_ours(id) => Err(refuse(
            "id",
            "must not begin with r, a hexadecimal digit and a dot: that is the form of generated ids",
        )),
        _ => Ok(()),
    }
}

pub(super) fn goods(goods: &Goods) -> Result<(), InventoryError> {
    if (1..=MAX_QUANTITY).contains(&goods.quantity) {
        Ok(())
    } else {
        Err(refuse("quantity", format!("must be 1 to {MAX_QUANTITY}")))
    }
}

pub(super) fn portion(portion: &Portion) -> Result<(), InventoryError> {
    let given = match portion {
        Portion::Quantity(quantity) if (1..=MAX_QUANTITY).contains(quantity) => return Ok(()),
        Portion::Quantity(_) => return Err(refuse("quantity", format!("must be 1 to {MAX_QUANTITY}"))),
        Portion::Goods(given) => given,
    };
    if !(1..=MAX_GOODS).contains(&given.len()) {
        return Err(refuse("items", format!("must be 1 to {MAX_GOODS}")));
    }
    for (index, one) in given.iter().enumerate() {
        goods(one)?;
        if given.iter().take(index).any(|other| other.sku == one.sku) {
            return Err(refuse("items", format!("has {} twice", one.sku)));
        }
    }
    Ok(())
}

pub(super) fn ttl(ttl: Duration) -> Result<(), InventoryError> {
    if (Duration::from_millis(1)..=MAX_TTL).contains(&ttl) {
        Ok(())
    } else {
        let most = MAX_TTL.as_secs();
        Err(refuse("ttl_s", format!("must be a millisecond to {most} s")))
    }
}

pub(super) fn on_hand(quantity: u64) -> Result<(), InventoryError> {
    if quantity <= MAX_QUANTITY {
        Ok(())
    } else {
        Err(refuse("quantity", format!("must be 0 to {MAX_QUANTITY}")))
    }
}

pub(super) fn delta(delta: i64) -> Result<(), InventoryError> {
    if (1..=MAX_QUANTITY).contains(&delta.unsigned_abs()) {
        Ok(())
    } else {
        Err(refuse("delta", format!("must not be 0, and {MAX_QUANTITY} at most")))
    }
}

pub(super) fn expected(expected: &Expected) -> Result<(), InventoryError> {
    let versions = match expected {
        Expected::Any | Expected::Present => &[],
        Expected::Version(version) => slice::from_ref(version),
        Expected::OneOf(versions) if versions.is_empty() || versions.len() > MOST_VERSIONS => {
            return Err(refuse("version", format!("must be 1 to {MOST_VERSIONS} versions")));
        }
        Expected::OneOf(versions) => versions,
    };
    if versions.iter().any(|version| *version > MAX_QUANTITY) {
        return Err(refuse("version", format!("must be 0 to {MAX_QUANTITY}")));
    }
    Ok(())
}

pub(super) fn page(count: usize) -> Result<(), InventoryError> {
    if (1..=500).contains(&count) {
        Ok(())
    } else {
        Err(refuse("limit", "must be 1 to 500"))
    }
}
