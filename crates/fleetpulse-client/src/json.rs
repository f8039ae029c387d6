//! JSON that the service stores and returns as it was sent, including every digit of its numbers.

use crate::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
pub use serde_json::value::RawValue;

/// Writes a value as JSON.
///
/// # Errors
/// [`Error::Encode`] if the value cannot be written as JSON.
pub fn raw(value: &(impl Serialize + ?Sized)) -> Result<Box<RawValue>, Error> {
    serde_json::value::to_raw_value(value).map_err(Error::Encode)
}

pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(Error::Decode)
}

pub(crate) fn parse<T: DeserializeOwned>(value: &RawValue) -> Result<T, Error> {
    serde_json::from_str(value.get()).map_err(Error::Decode)
}
