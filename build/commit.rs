// Reads the commit of a checkout from the files of git, which need not be installed. Included by `build.rs`, and by the tests.

use std::fs;
use std::path::{Path, PathBuf};

/// The commit that is checked out.
#[derive(Debug)]
pub struct Commit {
    /// Its whole name.
    pub commit: String,
    /// The files that determine it.
    pub files: Vec<PathBuf>,
}

/// The commit of the checkout in a folder; `None` if it is none, or its files are not understood.
pub fn of(root: &Path) -> Option<Commit> {
    let git = folder(&root.join(".git"))?;
    let head = git.join("HEAD");
    let said = fs::read_to_string(&head).ok()?;
    let Some(name) = said.trim().strip_prefix("ref: ") else {
        return named(said.trim(), vec![head]);
    };
    // A worktree has a HEAD of its own and the branches of the repository.
    let common = fs::read_to_string(git.join("commondir"));
    let common = common.map_or_else(|_| git.clone(), |path| git.join(path.trim()));
    let (branch, packed) = (common.join(name), common.join("packed-refs"));
    if let Ok(commit) = fs::read_to_string(&branch) {
        return named(commit.trim(), vec![head, branch]);
    }
    let all = fs::read_to_string(&packed).ok()?;
    let line = all.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' '));
    named(line?, vec![head, packed])
}

/// The first digits of a commit, as git shows it.
pub fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// The folder of git; in a worktree `.git` is a file that names it.
fn folder(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.to_owned());
    }
    let said = fs::read_to_string(path).ok()?;
    let named = said.trim().strip_prefix("gitdir: ")?;
    Some(path.parent()?.join(named))
}

fn named(commit: &str, files: Vec<PathBuf>) -> Option<Commit> {
    let is_one = commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| Commit {
        commit: commit.to_owned(),
        files,
    })
}
