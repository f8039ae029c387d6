//! The Markdown pages: their links resolve, their example calls succeed, and the README stays short.

use crate::support::{Scene, ServiceProcess};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Lines of the README at most.
const MOST_LINES: usize = 150;

/// Pages that a command prints, and that command.
const GENERATED: [(&str, &[&str]); 2] = [
    ("docs/routes.md", &["routes", "--markdown"]),
    ("docs/settings.md", &["settings"]),
];

/// Comes before the `sh` blocks of a page. A call has to succeed, or to be answered with the status that the comment above it names.
const CURL: &str = r#"set -euo pipefail
curl() {
    local answer status
    answer=$(command curl -sS -m 20 -w '\n%{http_code}' "$@")
    status=${answer##*$'\n'}
    if [[ $status != ${EXPECTED:-2}* ]]; then
        printf 'expected %s: curl %s\n%s\n' "${EXPECTED:-2xx}" "$*" "$answer" >&2
        exit 1
    fi
    printf '%s\n' "${answer%$'\n'*}"
}
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page: its path below the root, and its text. The README is the first.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = BTreeSet::from([root().join("fixtures/README.md")]);
    let mut folders = vec![root().join("docs")];
    let top = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    paths.extend(top.filter(|path| is_page(path)));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if is_page(&path) {
                paths.insert(path);
            }
        }
    }
    let mut pages: Vec<_> = paths
        .into_iter()
        .map(|path| {
            (
                path.strip_prefix(root()).unwrap().to_owned(),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect();
    pages.sort_by_key(|(path, _)| path != Path::new("README.md"));
    pages
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The text without its code blocks.
fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}

/// The fragment by which a link names a heading.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|&c| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_');
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

#[test]
fn every_relative_link_of_the_pages_resolves() {
    let mut links = 0;
    for (page, text) in pages() {
        let prose = prose(&text);
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            links += 1;
            let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
            let linked = if path.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(path)
            };
            let linked = root().join(&linked);
            assert!(linked.exists(), "{}: {target} does not exist", page.display());
            if !fragment.is_empty() {
                let there = anchors(&fs::read_to_string(&linked).unwrap());
                assert!(
                    there.contains(fragment),
                    "{}: {target} is no heading of {there:?}",
                    page.display()
                );
            }
        }
    }
    assert!(links > 50, "{links}");
}

#[test]
fn every_page_with_rust_code_is_compiled() {
    let compiled = include_str!("../../src/lib.rs");
    let mut with_code = 0;
    for (page, text) in pages() {
        if text.contains("\n```rust") {
            with_code += 1;
            let included = format!("include_str!(\"../{}\")", page.display());
            assert!(compiled.contains(&included), "{} is not in src/lib.rs", page.display());
        }
        // rustdoc takes a block without a language for Rust.
        for opening in text.split("\n```").skip(1).step_by(2) {
            assert!(
                opening.starts_with(char::is_alphabetic),
                "{}: a block without a language",
                page.display()
            );
        }
    }
    assert!(with_code > 5, "{with_code}");
}

#[actix_web::test]
async fn the_generated_pages_match_the_output_of_the_commands() {
    for (page, words) in GENERATED {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleetpulse"));
        // Settings of this machine are not in the page.
        command.env("REDIS_KEY_PREFIX", "mine:").args(words);
        let printed = command.output().await.unwrap();
        assert!(printed.status.success(), "{printed:?}");
        let printed = String::from_utf8(printed.stdout).unwrap();
        let there = fs::read_to_string(root().join(page)).unwrap();
        assert!(there == printed, "{page} is out of date: run `make docs`");
    }
}

#[test]
fn the_readme_is_short() {
    let lines = fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= MOST_LINES, "{lines} lines; move what is long to docs/");
}

/// The `sh` blocks of a page as one script, or `None` if it has none.
fn script(text: &str, url: &str) -> Option<String> {
    let blocks = text
        .split("\n```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next());
    let blocks = blocks.collect::<Vec<_>>().join("\n");
    let mut script = CURL.to_owned();
    let mut lines = blocks.lines().peekable();
    while let Some(line) = lines.next() {
        let status = line.strip_prefix("# ").filter(|status| status.parse::<u16>().is_ok());
        if let (Some(status), Some(call)) = (status, lines.peek()) {
            assert!(call.starts_with("curl "), "{status} is of no call: {call}");
            script.extend(["EXPECTED=", status, " "]);
        } else {
            script.extend([line, "\n"]);
        }
    }
    (!blocks.is_empty()).then(|| script.replace("http://127.0.0.1:8080", url))
}

#[actix_web::test]
async fn every_example_call_of_the_pages_is_answered_as_shown() {
    let scene = Scene::new().await;
    let service = ServiceProcess::start(&scene.args()).await;
    let mut tried = 0;
    for (page, text) in pages() {
        let Some(script) = script(&text, service.url()) else {
            continue;
        };
        let output = Command::new("bash").arg("-c").arg(&script).output().await.unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {error}", page.display());
        tried += 1;
    }
    assert!(tried > 8, "{tried}");
}
