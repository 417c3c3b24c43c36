//! Starts that must fail: one sentence on stderr, exit code 1.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::eventually;
use crate::process::{LOGDYNO, serve};

/// What a `serve` that cannot start says.
fn refused(listen: &str, data: &Path, more: &[&str]) -> String {
    let mut command = Command::new(LOGDYNO);
    command.args(["serve", "--listen", listen, "--data"]).arg(data).args(more);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("serve starts");
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually("a refusal", || child.try_wait().expect("a child"))
    }));
    drop(child.kill());
    let output = child.wait_with_output().expect("its output");
    let said = String::from_utf8(output.stderr).expect("text");
    let status = ended.unwrap_or_else(|_| panic!("serve started where it must not: {said}"));
    assert_eq!(status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "one sentence: {said}");
    assert!(said.starts_with("logdyno: "), "{said}");
    said
}

#[test]
fn a_port_in_use_is_named() {
    let dir = TempDir::new().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = refused(&address, &dir.path().join("one"), &[]);
    assert!(said.contains(&address) && said.contains("free the port"), "{said}");
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("file");
    std::fs::write(&file, "in the way").expect("written");
    let below = file.join("data");
    let said = refused("127.0.0.1:0", &below, &[]);
    assert!(said.contains(below.to_str().expect("text")) && said.contains("Not a directory"), "{said}");
    assert!(!said.contains("backend"), "the path is wrong, not the backend: {said}");
    let said = refused("127.0.0.1:0", &below, &["--brokers", "3"]);
    assert!(said.contains(below.to_str().expect("text")) && said.contains("Not a directory"), "{said}");
}

#[test]
fn a_data_directory_in_use_is_left_alone() {
    let dir = TempDir::new().expect("a directory");
    let holder = serve("buffered", dir.path(), 1, "");
    let said = refused("127.0.0.1:0", dir.path(), &[]);
    assert!(said.contains(dir.path().to_str().expect("text")) && said.contains("in use by another process"), "{said}");
    holder.stop();
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let dir = TempDir::new().expect("a directory");
    for more in [&[][..], &["--brokers", "3"]] {
        let said = refused("0.0.0.0:0", &dir.path().join("data"), more);
        assert!(said.contains("0.0.0.0:0 is not a loopback address") && said.contains("--insecure"), "{said}");
    }
    assert!(!dir.path().join("data").exists(), "nothing was made");
}
