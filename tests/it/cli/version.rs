use super::run;
use crate::support::Folder;
use std::fs;
use std::path::Path;

#[path = "../../../build/commit.rs"]
mod commit;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

#[actix_web::test]
async fn the_version_identifies_the_build() {
    for words in [&["--version"][..], &["serve", "--version"]] {
        let version = run(words).await;
        assert_eq!(version.code, Some(0), "{version:?}");
        // The commit of a release; this is built without one.
        let said = format!("{} (debug build)\n", env!("CARGO_PKG_VERSION"));
        let is_release = !cfg!(debug_assertions);
        assert!(version.out.ends_with(&said) || is_release, "{version:?}");
    }
}

/// Makes a checkout of these files.
fn checkout(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn found(root: &Path) -> Option<String> {
    let found = commit::of(root)?;
    assert!(found.files.iter().all(|file| file.exists()), "{:?}", found.files);
    Some(found.commit)
}

#[test]
fn the_commit_is_read_from_the_git_files() {
    let line = format!("{COMMIT}\n");
    let packed = format!(
        "# pack-refs with: peeled\n{} refs/heads/other\n{COMMIT} refs/heads/main\n",
        "f".repeat(40)
    );
    let common: [&[(&str, &str)]; 4] = [
        &[(".git/HEAD", "ref: refs/heads/main\n"), (".git/refs/heads/main", &line)],
        &[(".git/HEAD", "ref: refs/heads/main\n"), (".git/packed-refs", &packed)],
        &[(".git/HEAD", &line)],
        // A worktree.
        &[
            (".git", "gitdir: main/.git/worktrees/here\n"),
            ("main/.git/worktrees/here/HEAD", "ref: refs/heads/a/b\n"),
            ("main/.git/worktrees/here/commondir", "../..\n"),
            ("main/.git/refs/heads/a/b", &line),
        ],
    ];
    for files in common {
        let folder = checkout(files);
        assert_eq!(found(folder.path()).as_deref(), Some(COMMIT), "{files:?}");
    }
    let nothing: [&[(&str, &str)]; 4] = [
        &[],
        &[(".git/HEAD", "ref: refs/heads/main\n")],
        &[(".git/HEAD", "rubbish\n")],
        &[(".git", "rubbish")],
    ];
    for files in nothing {
        assert_eq!(found(checkout(files).path()), None, "{files:?}");
    }
    assert_eq!(commit::short(COMMIT), "0123456789ab");
}
