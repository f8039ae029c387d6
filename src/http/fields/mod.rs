//! The members of JSON bodies. All bodies but those of positions, which have a parser of their own, are read by one set of rules:
//!
//! | input | answer |
//! |---|---|
//! | not JSON; or JSON that cannot be represented where a value is read: a number beyond any double, half of a surrogate pair, nesting that is too deep | 400 |
//! | not an object, a member of a wrong type or beyond its range | 422 |
//! | a member that is given twice | 422 |
//! | an unknown member, whatever its value | 422 with the nearest known name |
//! | `null` | as if the member was absent, unless the call documents a meaning of it |
//! | an integer with a fraction or an exponent, such as `1.0` or `1e3` | 422 |
//! | a member that is kept or handed on as it was sent ([`Fields::value`]) | any JSON |
//!
//! All faults are collected, up to [`MAX_FAULTS`], so that a client sees them at once. Nothing of what is refused is kept: a body takes
//! no more memory than its bytes.

mod faults;
mod members;
mod objects;
mod reader;
mod scalar;
#[cfg(test)]
mod tests;
mod tree;
mod values;

pub use faults::MAX_FAULTS;
pub use reader::Fields;
pub use scalar::Scalar;
