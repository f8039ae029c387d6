//! The dependency rule: a slice imports the shared folders and never another slice, except a slice on top, which names in its
//! first line what it is on top of.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules that may import slices.
const TOP: [&str; 3] = ["app", "cli", "main"];
/// Middleware for other programs, on top of slices. It follows the rule of a slice, and nothing of the service imports it.
const EMBEDDED: [&str; 1] = ["response_cache"];

/// An import of a top-level module of the crate.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Import {
    /// Path of the file below `src`.
    file: String,
    module: String,
}

impl Import {
    /// The top-level module that the file belongs to.
    fn from(&self) -> &str {
        let first = self.file.split('/').next().unwrap();
        first.trim_end_matches(".rs")
    }
}

fn src() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// The slices, as `app` lists them. Each is a folder in `src`.
fn slices() -> BTreeSet<String> {
    let text = fs::read_to_string(src().join("app/slices.rs")).unwrap();
    let (_, list) = text.split_once("\nslices! {\n").expect("the list of slices");
    let (list, _) = list.split_once("\n}").expect("the end of the list");
    // On each line a name, and perhaps others in parentheses.
    let names = list.lines().filter_map(|line| line.trim().split(['(', ',']).next());
    names.map(str::to_owned).collect()
}

/// The slices, and what follows the same rule.
fn slices_and_embedded() -> BTreeSet<String> {
    let mut all = slices();
    all.extend(EMBEDDED.map(str::to_owned));
    all
}

/// Every `crate::…` outside of comments, unit tests included. The names in the list of slices are not included.
fn imports() -> BTreeSet<Import> {
    let mut files = Vec::new();
    collect(src(), &mut files);
    assert!(files.len() > 100, "the sources are found");
    let mut imports = BTreeSet::new();
    for path in files {
        let file = path.strip_prefix(src()).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("crate::") {
                let rest = &line[at + "crate::".len()..];
                // An argument of the macro that expands the list of slices.
                if file == "app/slices.rs" && rest.starts_with(['$', '"']) {
                    continue;
                }
                let end = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                let module = rest[..end].to_owned();
                assert!(!module.is_empty(), "{file} names one module of the crate in each `use`");
                let file = file.clone();
                imports.insert(Import { file, module });
            }
        }
    }
    imports
}

/// Returns the slices that the first sentence of a slice names as those that it is on top of.
fn named_by(slice: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(src().join(slice).join("mod.rs")).unwrap();
    let header: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//! ")).collect();
    let header = header.join(" ");
    let sentence = header.split(". ").next().unwrap();
    let Some((_, named)) = sentence.split_once(", on top of ") else {
        return BTreeSet::new();
    };
    let links = named.match_indices("](crate::").map(|(at, link)| {
        let rest = &named[at + link.len()..];
        rest[..rest.find(')').unwrap()].to_owned()
    });
    links.collect()
}

#[test]
fn a_slice_imports_no_slice_that_its_first_line_does_not_name() {
    let slices = slices_and_embedded();
    let is_slice = |module: &str| slices.contains(module);
    for import in imports() {
        let from = import.from();
        if !is_slice(&import.module) || from == import.module || TOP.contains(&from) || from == "lib" {
            continue;
        }
        let named = is_slice(from) && named_by(from).contains(&import.module);
        assert!(named, "{} imports {}", import.file, import.module);
    }
}

#[test]
fn only_the_list_of_app_names_the_slices() {
    let slices = slices();
    let imports = imports();
    // A folder that imports `wiring` is a slice.
    let wired = imports.iter().filter(|import| import.module == "wiring");
    let wired: BTreeSet<String> = wired.map(|import| import.from().to_owned()).collect();
    let wired: BTreeSet<String> = wired.into_iter().filter(|from| !TOP.contains(&&**from)).collect();
    assert_eq!(slices, wired);
    for import in imports {
        let is_named = import.from() == "app" && slices.contains(&import.module);
        assert!(!is_named, "{} names {}", import.file, import.module);
    }
}

#[test]
fn nothing_imports_what_sees_every_slice() {
    for import in imports() {
        let module = &*import.module;
        let from = import.from();
        let allowed = !TOP.contains(&module)
            || from == module
            || from == "main"
            || from == "cli"
            || (from == "app" && module != "cli");
        assert!(allowed, "{} imports {module}", import.file);
    }
}

#[test]
fn the_service_does_not_import_what_is_for_other_programs() {
    for import in imports() {
        let is_embedded = EMBEDDED.contains(&&*import.module);
        assert!(
            !is_embedded || import.from() == import.module,
            "{} imports {}",
            import.file,
            import.module
        );
    }
}

#[test]
fn slices_on_top_say_so_in_their_first_line() {
    let on_top: Vec<_> = slices_and_embedded()
        .into_iter()
        .map(|slice| {
            let named = named_by(&slice);
            (slice, named)
        })
        .filter(|(_, named)| !named.is_empty())
        .collect();
    let of = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(
        on_top,
        [
            (
                "builtin_jobs".to_owned(),
                of(&["cache", "jobs", "outgoing", "sessions"])
            ),
            ("response_cache".to_owned(), of(&["cache"])),
        ]
    );
}
