//! The backends that run on this machine.

use std::process::Command;

use tempfile::TempDir;

use crate::process::LOGDYNO;

/// Runs `test` for each backend that `logdyno doctor` finds fit for temporary directories, and says which are left out.
pub(crate) fn on_each(test: impl Fn(&str)) {
    let dir = TempDir::new().expect("a directory");
    let doctor = Command::new(LOGDYNO).args(["doctor", "--json"]).arg(dir.path()).output().expect("doctor runs");
    let report: serde_json::Value = serde_json::from_slice(&doctor.stdout).expect("a JSON report");
    let backends = report["backends"].as_array().expect("a list of backends");
    assert!(backends.iter().any(|backend| backend["name"] == "buffered" && backend["runs"] == true), "{report}");
    for backend in backends {
        let name = backend["name"].as_str().expect("a name");
        if backend["runs"] == true {
            eprintln!("backend {name}");
            test(name);
        } else {
            eprintln!("SKIPPED on backend {name}, which does not run here: {}", backend["reason"]);
        }
    }
}
