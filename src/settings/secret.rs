use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use std::ffi::OsStr;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

/// Parses a secret. A failure does not show the value, as those of clap's own parsers do.
#[derive(Debug)]
pub(crate) struct SecretParser<T>(PhantomData<fn() -> T>);

impl<T> SecretParser<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

// A derived implementation would require `T: Clone`.
impl<T> Clone for SecretParser<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T> TypedValueParser for SecretParser<T>
where
    T: FromStr<Err: Display> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let parsed = match value.to_str() {
            Some(text) => text.parse::<T>().map_err(|error| error.to_string()),
            None => Err("is not UTF-8".to_owned()),
        };
        parsed.map_err(|why| {
            let name = arg.map(ToString::to_string).unwrap_or_default();
            Error::raw(
                ErrorKind::ValueValidation,
                format!("invalid value for '{name}': {why}\n"),
            )
            .with_cmd(command)
        })
    }
}
