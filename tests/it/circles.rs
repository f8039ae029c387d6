//! The files of a folder of `src`, or of a crate's, do not import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::mem;
use std::path::Path;

/// The sources of the crates. Files beside `lib.rs` are not compared: each group of calls of the client has the client, which returns it.
const CRATES: [&str; 2] = ["crates/fleetpulse-index/src", "crates/fleetpulse-client/src"];
/// Exceptions from the rule in `src`: a file, one that it imports, and the reason.
const EXCEPTIONS: [&str; 1] =
    ["cache::warm imports cache::handle: a warmer gets the cache, whose shared state lists the warmers"];

/// By module, such as `jobs::model`, the code of its file.
type Files = BTreeMap<String, String>;
/// By file the files of the same folder that it imports.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// What a file imports.
#[derive(Debug, Default)]
struct Imports {
    /// By name the path of what is imported, for this file or for others.
    names: BTreeMap<String, String>,
    /// The paths that this file uses.
    used: Vec<String>,
}

fn join(module: &str, path: &str) -> String {
    format!("{module}::{path}").trim_start_matches("::").to_owned()
}

/// Reads the files below a folder, without comments and unit tests.
fn collect(folder: &Path, module: &str, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            collect(&path, &join(module, name), files);
        } else if path.extension().is_some_and(|ending| ending == "rs") && name != "tests" {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("\nmod tests {").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let module = if name == "mod" {
                module.to_owned()
            } else {
                join(module, name)
            };
            files.insert(module, lines.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// Returns the paths of a tree of imports, such as `a::{b, c::d}`.
fn expand(tree: &str) -> Vec<String> {
    let (mut paths, mut outer, mut path) = (Vec::new(), Vec::new(), String::new());
    for c in tree.chars().filter(|c| !c.is_whitespace()).chain([',']) {
        match c {
            '{' => outer.push(mem::take(&mut path)),
            '}' | ',' => {
                if !path.is_empty() {
                    let full = outer.concat() + &mem::take(&mut path);
                    paths.push(full.trim_end_matches("::self").to_owned());
                }
                if c == '}' {
                    outer.pop();
                }
            }
            _ => path.push(c),
        }
    }
    paths
}

/// Returns a path from the root of the crate; `None` if it is of another crate.
fn absolute(path: &str, module: &str, files: &Files) -> Option<String> {
    let (first, rest) = path.split_once("::")?;
    // The scope of something, as in `pub(in super::super)`.
    if rest == "super" {
        return None;
    }
    let base = match first {
        "crate" => "",
        "self" => module,
        "super" => module.rsplit_once("::").map_or("", |(parent, _)| parent),
        child => return files.contains_key(&join(module, child)).then(|| join(module, path)),
    };
    if rest.starts_with("super::") {
        absolute(rest, base, files)
    } else {
        Some(join(base, rest))
    }
}

fn read(module: &str, files: &Files) -> Imports {
    let (mut imports, mut code) = (Imports::default(), String::new());
    for statement in files[module].split(';') {
        let parts = statement.rsplit_once("use ");
        let tree = parts.filter(|(_, tree)| tree.chars().all(|c| c.is_alphanumeric() || "_:{}, *\n".contains(c)));
        code.push_str(tree.map_or(statement, |(before, _)| before));
        for path in tree.into_iter().flat_map(|(_, tree)| expand(tree)) {
            let Some(path) = absolute(&path, module, files) else {
                continue;
            };
            // A re-export is no use.
            if !tree.is_some_and(|(before, _)| before.trim_end().ends_with("pub") || before.ends_with(") ")) {
                imports.used.push(path.clone());
            }
            imports.names.insert(path.rsplit("::").next().unwrap().to_owned(), path);
        }
    }
    for word in code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
        let Some((first, rest)) = word.split_once("::") else {
            continue;
        };
        let imported = imports.names.get(first).map(|of| join(of, rest));
        imports.used.extend(imported.or_else(|| absolute(word, module, files)));
    }
    imports
}

/// Returns the file that defines what a path names, which a module may re-export.
fn definer(path: &str, imports: &BTreeMap<String, Imports>) -> Option<String> {
    let (module, item) = path.rsplit_once("::")?;
    match imports.get(module).map(|of| of.names.get(item)) {
        Some(Some(from)) => definer(from, imports),
        Some(None) => Some(module.to_owned()),
        // A member of a type.
        None => definer(module, imports),
    }
}

fn graph(source: &str) -> Graph {
    let mut files = Files::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(source), "", &mut files);
    let imports = files.keys().map(|module| (module.clone(), read(module, &files)));
    let imports: BTreeMap<_, _> = imports.collect();
    let mut graph = Graph::new();
    for (module, Imports { used, .. }) in &imports {
        // Not an imported module is an edge, but what is used of it.
        let used = used.iter().filter(|path| !files.contains_key(*path));
        for from in used.filter_map(|path| definer(path, &imports)) {
            if from != *module && from.split("::").next() == module.split("::").next() {
                graph.entry(module.clone()).or_default().insert(from);
            }
        }
    }
    graph
}

fn reaches(graph: &Graph, from: &str, to: &str) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        if seen.insert(file) {
            next.extend(graph.get(file).into_iter().flatten().map(String::as_str));
        }
    }
    seen.contains(to)
}

fn assert_no_circles(graph: &Graph) {
    let edges = graph
        .iter()
        .flat_map(|(from, all)| all.iter().map(move |to| (from, to)));
    let circles: Vec<_> = edges.filter(|(from, to)| reaches(graph, to, from)).collect();
    assert!(circles.is_empty(), "imports in a circle: {circles:#?}");
}

#[test]
fn no_files_of_a_folder_import_each_other_in_a_circle() {
    let mut graph = graph("src");
    assert!(graph.len() > 100, "the sources are found");
    let exceptions = EXCEPTIONS.map(|exception| {
        let (edge, _reason) = exception.split_once(": ").unwrap();
        edge.split_once(" imports ").unwrap()
    });
    for (from, to) in exceptions {
        let is_circle = graph.get(from).is_some_and(|all| all.contains(to)) && reaches(&graph, to, from);
        assert!(is_circle, "{from} and {to} are no circle any more");
    }
    for (from, to) in exceptions {
        graph.get_mut(from).unwrap().remove(to);
    }
    assert_no_circles(&graph);
}

#[test]
fn no_files_of_a_folder_of_a_crate_import_each_other_in_a_circle() {
    for source in CRATES {
        let graph = graph(source);
        assert!(graph.len() > 5, "the sources are found");
        assert_no_circles(&graph);
    }
}
