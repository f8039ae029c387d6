//! Records the version: that of the package, and the commit where it is known.

use std::env;

mod commit {
    include!("build/commit.rs");
}

fn main() {
    println!("cargo::rerun-if-env-changed=FLEETPULSE_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/commit.rs");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = env::var("FLEETPULSE_COMMIT").ok().filter(|commit| !commit.is_empty());
    let version = match given {
        Some(commit) => format!("{version} ({})", commit::short(&commit)),
        // Otherwise every commit would rebuild everything.
        None if !is_release => format!("{version} (debug build)"),
        None => match env::var("CARGO_MANIFEST_DIR")
            .ok()
            .and_then(|root| commit::of(root.as_ref()))
        {
            Some(found) => {
                for file in found.files {
                    println!("cargo::rerun-if-changed={}", file.display());
                }
                format!("{version} ({})", commit::short(&found.commit))
            }
            None => version,
        },
    };
    println!("cargo::rustc-env=FLEETPULSE_VERSION={version}");
}
