//! `fleetpulse settings`: prints the page `docs/settings.md` from the definitions of the flags of `serve`, so the page and
//! `fleetpulse serve --help` cannot differ.

use super::{config_file, markdown};
use clap::{Arg, Command};
use std::error::Error;

/// The text above the tables.
const ABOVE: &str = "# Settings

<!-- Written by `fleetpulse settings`. Do not edit; run `make docs`. -->

Each setting is a flag of `fleetpulse serve`, a variable, and an entry of the TOML file that `--config` (`FLEETPULSE_CONFIG`) names. A
flag overrides a variable, and a variable overrides the file. `fleetpulse serve --check-settings` checks the settings without starting
the service. [Operations](operations.md#settings) shows an example of the file.

A default that is empty means: not set.
";

/// The header row of each table.
const HEAD: [&str; 5] = ["variable", "flag", "default", "range", "meaning"];

/// Returns the page: a table for each heading, in the order of `--help`.
#[must_use]
pub fn page(serve: &Command) -> String {
    let mut headings: Vec<&str> = Vec::new();
    for (_, setting) in shown(serve) {
        let heading = setting.get_help_heading().unwrap_or_default();
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    let mut page = ABOVE.to_owned();
    for heading in headings {
        page.extend(["\n## ", heading, "\n\n"]);
        let here = shown(serve).filter(|(_, setting)| setting.get_help_heading().unwrap_or_default() == heading);
        markdown::table(&mut page, HEAD, here.map(|(variable, setting)| row(variable, setting)));
    }
    page
}

fn shown(serve: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    config_file::settings(serve).filter(|(_, setting)| !setting.is_hide_set())
}

fn row(variable: &str, setting: &Arg) -> [String; 5] {
    let flag = format!("--{}", setting.get_long().unwrap_or_default());
    let default = setting.get_default_values().iter().map(|value| value.to_string_lossy());
    let default = default.collect::<Vec<_>>().join(" ");
    [
        markdown::code(variable),
        markdown::code(&flag),
        markdown::code(&default),
        range(setting),
        markdown::text(&meaning(setting)),
    ]
}

/// Returns the description of a setting: its paragraphs as sentences.
fn meaning(setting: &Arg) -> String {
    let help = setting.get_long_help().or(setting.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let paragraphs = help.split("\n\n").map(|paragraph| paragraph.trim_end_matches('.'));
    paragraphs.collect::<Vec<_>>().join(". ")
}

/// Returns the values that a setting accepts, if they are words or numbers.
fn range(setting: &Arg) -> String {
    let words = setting.get_possible_values();
    if !words.is_empty() {
        let words = words.iter().map(|word| markdown::code(word.get_name()));
        return words.collect::<Vec<_>>().join(", ");
    }
    bounds(setting)
        .map(|(least, most)| format!("{least} to {most}"))
        .unwrap_or_default()
}

/// Returns the bounds of a number. clap shows them only in the error for a number beyond them.
fn bounds(setting: &Arg) -> Option<(String, String)> {
    let flag = format!("--{}={}", setting.get_long()?, i64::MAX);
    let alone = Command::new("setting").arg(setting.clone().env(None::<&str>));
    let error = alone.try_get_matches_from(["setting", &flag]).err()?;
    let why = error.source()?.to_string();
    let (_, bounds) = why.split_once(" is not in ")?;
    let (least, most) = bounds.split_once("..=")?;
    Some((least.to_owned(), most.to_owned()))
}
