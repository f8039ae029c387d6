//! Every script begins with its contract, and complies with it. In debug builds `store::Script` checks at each call what callers pass.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

struct Lua {
    /// The file's name without its ending.
    name: String,
    header: Vec<String>,
    body: String,
}

/// The indexes that a header declares, or a body uses.
#[derive(Debug, Default, PartialEq)]
struct Places {
    single: BTreeSet<usize>,
    /// Where an open list (`[4..]`) begins.
    from: Option<usize>,
}

fn scripts() -> Vec<Lua> {
    let mut files = Vec::new();
    collect(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
    assert!(!files.is_empty(), "there are scripts");
    files.iter().map(|file| Lua::read(file)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "lua") {
            assert!(folder.ends_with("lua"), "{} is in its slice's lua/", path.display());
            files.push(path);
        }
    }
}

impl Lua {
    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap();
        let header: Vec<String> = text
            .lines()
            .map_while(|line| line.strip_prefix("--"))
            .map(|line| line.trim().to_owned())
            .collect();
        let code = text.lines().skip(header.len());
        // Indexes in comments are not uses.
        let body = code
            .map(|line| line.split("--").next().unwrap_or_default())
            .collect::<Vec<_>>();
        Self {
            name: file.file_stem().unwrap().to_str().unwrap().to_owned(),
            header,
            body: body.join("\n"),
        }
    }

    /// Functions that other scripts include: their callers pass the keys to them.
    fn is_include(&self) -> bool {
        self.header[0].starts_with("Shared by ")
    }

    fn declared(&self, array: &str) -> Places {
        let mut places = Places::default();
        for line in &self.header {
            let Some(place) = line.strip_prefix(array).and_then(|rest| rest.strip_prefix('[')) else {
                continue;
            };
            let (place, what) = place.split_once(']').unwrap();
            assert!(
                !what.trim().is_empty(),
                "{}: {array}[{place}] has a description",
                self.name
            );
            assert_eq!(places.from, None, "{}: nothing follows an open list", self.name);
            match place.strip_suffix("..") {
                Some(from) => places.from = Some(from.parse().unwrap()),
                None => assert!(
                    places.single.insert(place.parse().unwrap()),
                    "{}: {place} twice",
                    self.name
                ),
            }
        }
        let last = places.single.len();
        assert_eq!(
            places.single,
            (1..=last).collect(),
            "{}: {array} without gaps",
            self.name
        );
        assert!(
            places.from.is_none_or(|from| from == last + 1),
            "{}: {array} without gaps",
            self.name
        );
        places
    }

    /// The indexes that the body uses, as numbers.
    fn used(&self, array: &str) -> BTreeSet<usize> {
        let opening = format!("{array}[");
        let uses = self.body.split(&opening).skip(1);
        uses.filter_map(|rest| rest.split_once(']')?.0.trim().parse().ok())
            .collect()
    }
}

#[test]
fn every_script_has_a_header_with_purpose_inputs_and_return_values() {
    for lua in scripts() {
        if lua.is_include() {
            assert!(
                !lua.body.contains("\nreturn "),
                "{}: an include returns nothing by itself",
                lua.name
            );
            continue;
        }
        let (verb, what) = lua.header[0].split_once(": ").unwrap_or_default();
        assert_eq!(verb, lua.name, "the first line names the file's verb");
        assert!(what.ends_with('.'), "{}: the first line is a sentence", lua.name);
        let place_of = |word: &str| lua.header.iter().position(|line| line.starts_with(word));
        let order = ["KEYS[1", "ARGV[1", "Returns "]
            .map(|word| place_of(word).unwrap_or_else(|| panic!("{}: its header has no {word}", lua.name)));
        assert!(
            order.is_sorted(),
            "{}: keys, then arguments, then what it returns",
            lua.name
        );
    }
}

#[test]
fn a_body_uses_what_its_header_declares_and_nothing_else() {
    for lua in scripts().iter().filter(|lua| !lua.is_include()) {
        for array in ["KEYS", "ARGV"] {
            let (declared, used) = (lua.declared(array), lua.used(array));
            for place in &used {
                let is_declared = declared.single.contains(place) || declared.from.is_some_and(|from| *place >= from);
                assert!(is_declared, "{}: {array}[{place}] is not declared", lua.name);
            }
            let idle: Vec<_> = declared.single.difference(&used).collect();
            assert!(
                idle.is_empty(),
                "{}: {array} {idle:?} are declared and not used",
                lua.name
            );
        }
    }
}

#[test]
fn a_script_documented_as_repeatable_is_declared_so() {
    for lua in scripts().iter().filter(|lua| !lua.is_include()) {
        let says_so = ["Read-only", "Safe to repeat"]
            .iter()
            .any(|word| lua.header[0].contains(word));
        let is_declared = lua.header.iter().any(|line| line.starts_with("Repeatable"));
        assert!(
            is_declared || !says_so,
            "{}: its header has no line `Repeatable`",
            lua.name
        );
    }
}

#[test]
fn no_script_scans_all_of_redis() {
    for lua in scripts() {
        for command in ["'KEYS'", "\"KEYS\"", "'SCAN'", "'FLUSHDB'", "'SMEMBERS'"] {
            assert!(!lua.body.to_uppercase().contains(command), "{}: {command}", lua.name);
        }
    }
}
