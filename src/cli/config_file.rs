//! The configuration file of `serve`: TOML, each setting under the name of its variable. A flag overrides a variable, and a variable
//! overrides the file, so an entry of the file becomes a flag if neither is given.

use crate::http::names;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The largest file that is read, bytes: room for every setting and comments.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// It cannot be read.
    #[error("the configuration file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error.
        #[source]
        source: io::Error,
    },
    /// It is larger than a configuration file can be.
    #[error("the configuration file {} is larger than {MAX_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
    /// It is not TOML.
    #[error("the configuration file {} is not TOML", path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// The position and the reason.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A name is not that of a setting.
    #[error("the configuration file {} has an unknown name {name:?}: {hint}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// The nearest known name, or where to find the names.
        hint: String,
    },
    /// The value of a setting is not valid.
    #[error("the configuration file {}: {name}: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The setting.
        name: String,
        /// The reason.
        reason: String,
    },
}

/// Adds the settings of the configuration file, if the command line names one, as flags before those of the command line.
///
/// # Errors
/// [`ConfigFileError`].
pub(super) fn extend(cli: &Command, words: Vec<OsString>) -> Result<Vec<OsString>, ConfigFileError> {
    // Errors of the command line are ignored here, and reported when it is parsed.
    let Ok(given) = cli.clone().ignore_errors(true).try_get_matches_from(&words) else {
        return Ok(words);
    };
    let (Some(serve), Some(given)) = (cli.find_subcommand("serve"), given.subcommand_matches("serve")) else {
        return Ok(words);
    };
    let Ok(Some(path)) = given.try_get_one::<PathBuf>("config") else {
        return Ok(words);
    };
    let mut flags = Vec::new();
    for (name, value) in read(path)? {
        let setting = setting(serve, path, &name)?;
        let flag = flag(setting, &value).map_err(|reason| invalid(path, &name, reason))?;
        check(serve, setting, &flag).map_err(|reason| invalid(path, &name, reason))?;
        if !is_given(given, setting) {
            flags.push(OsString::from(flag));
        }
    }
    // After the name of the command, whatever flags come before it.
    let mut words = words;
    let at = words
        .iter()
        .position(|word| word == "serve")
        .map_or(words.len(), |at| at + 1);
    words.splice(at..at, flags);
    Ok(words)
}

fn invalid(path: &Path, name: &str, reason: String) -> ConfigFileError {
    ConfigFileError::Value {
        path: path.to_owned(),
        name: name.to_owned(),
        reason,
    }
}

fn read(path: &Path) -> Result<Table, ConfigFileError> {
    let unreadable = |source| ConfigFileError::Read {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(ConfigFileError::TooLarge(path.to_owned()));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    text.parse().map_err(|source| ConfigFileError::NotToml {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

/// The settings that a file may have: those with a variable, except the one that names the file.
pub(super) fn settings(serve: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    let named = serve.get_arguments().filter(|arg| arg.get_id() != "config");
    named.filter_map(|arg| Some((arg.get_env()?.to_str()?, arg)))
}

fn setting<'c>(serve: &'c Command, path: &Path, name: &str) -> Result<&'c Arg, ConfigFileError> {
    let found = settings(serve).find(|(known, _)| *known == name);
    found.map(|(_, arg)| arg).ok_or_else(|| {
        let known: Vec<&str> = settings(serve).map(|(known, _)| known).collect();
        let hint = match names::nearest(name, &known) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => "the names are those of the variables in `fleetpulse serve --help`".to_owned(),
        };
        ConfigFileError::Unknown {
            path: path.to_owned(),
            name: names::shown(name),
            hint,
        }
    })
}

fn flag(setting: &Arg, value: &Value) -> Result<String, String> {
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(is_so) => is_so.to_string(),
        _ => return Err("must be a string, a number, true or false".to_owned()),
    };
    let long = setting.get_long().unwrap_or_default();
    Ok(format!("--{long}={value}"))
}

/// Parses a single flag, so that an error names the file. The error does not repeat a value that may be a secret.
fn check(serve: &Command, setting: &Arg, flag: &str) -> Result<(), String> {
    let alone = serve.clone().mut_args(|arg| arg.env(None::<&str>));
    match alone.try_get_matches_from(["serve", flag]) {
        Ok(_) => Ok(()),
        Err(_) if setting.is_hide_env_values_set() => Err("the value is not valid".to_owned()),
        Err(error) => {
            let said = error.to_string();
            let first = said.lines().next().unwrap_or_default();
            Err(first.trim_start_matches("error: ").to_owned())
        }
    }
}

/// Returns whether a flag or a variable is given, which overrides the file.
fn is_given(given: &ArgMatches, setting: &Arg) -> bool {
    let source = given.value_source(setting.get_id().as_str());
    matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}
