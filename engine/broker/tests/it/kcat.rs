//! A foreign client, if it is installed.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::cluster::single;

fn is_installed() -> bool {
    Command::new("kcat").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Row 1; G1, G2.
#[test]
fn kcat_lists_produces_and_consumes() {
    if !is_installed() {
        eprintln!("SKIPPED: kcat is not installed, so that interoperation with librdkafka was not tested");
        return;
    }
    let single = single("");
    let broker = single.broker.address().to_string();
    let kcat = |arguments: &[&str], input: &str| {
        let mut child = Command::new("kcat")
            .args(["-b", &broker])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("kcat runs");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("kcat reads");
        let output = child.wait_with_output().expect("kcat ends");
        assert!(output.status.success(), "kcat {arguments:?} failed");
        String::from_utf8(output.stdout).expect("text")
    };
    let lines: String = (0..1000).map(|number| format!("record number {number}\n")).collect();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("from-kcat-{codec}");
        kcat(&["-P", "-t", &topic, "-z", codec], &lines);
        assert_eq!(kcat(&["-C", "-t", &topic, "-o", "beginning", "-e", "-q"], ""), lines, "{codec}");
    }
    let listed = kcat(&["-L"], "");
    assert!(listed.contains("1 brokers") && listed.contains("(controller)"), "{listed}");
    assert!(listed.contains("topic \"from-kcat-lz4\" with 1 partitions"), "{listed}");
}
