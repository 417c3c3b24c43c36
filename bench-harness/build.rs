//! Tells the program its commit, for the results that it writes.

use std::process::Command;

fn main() {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
    };
    let commit = git(&["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]);
    println!("cargo::rustc-env=LOGDYNO_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    // A change of any source makes the tree dirty, a commit makes it clean again.
    for sources in ["src", "../engine", "../Cargo.lock"] {
        println!("cargo::rerun-if-changed={sources}");
    }
    if let Some(head) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={head}");
    }
}
