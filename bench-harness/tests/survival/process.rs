//! `logdyno serve` as a process of the test's, and signals to it and its brokers.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{PATIENCE, eventually};

pub(crate) const LOGDYNO: &str = env!("CARGO_BIN_EXE_logdyno");

/// A running `logdyno serve`. It and its brokers are killed when this is dropped.
pub(crate) struct Served {
    child: Child,
    /// Its brokers if there are several: by id.
    brokers: Vec<Process>,
    /// `HOST:PORT` of each broker, by id from 1.
    pub(crate) addresses: Vec<String>,
    said: TempDir,
}

/// A process, with its start time so that nobody else who got its number later is ever signalled.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pid: Pid,
    started: u64,
}

/// Starts one broker, or several, and waits until all serve.
pub(crate) fn serve(backend: &str, data: &Path, brokers: usize, config: &str) -> Served {
    let said = TempDir::new().expect("a directory");
    let properties = said.path().join("given.properties");
    std::fs::write(&properties, config).expect("the configuration is written");
    let mut command = Command::new(LOGDYNO);
    command.args(["serve", "--listen", "127.0.0.1:0", "--backend", backend, "--brokers", &brokers.to_string()]);
    command.arg("--data").arg(data).arg("--config").arg(&properties);
    let stderr = File::create(said.path().join("stderr")).expect("a file");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().expect("serve starts");
    let mut served = Served { child, brokers: Vec::new(), addresses: Vec::new(), said };
    served.wait_until_all_serve(brokers);
    if brokers > 1 {
        served.brokers = (1..=brokers).map(|id| served.find_broker(id)).collect();
    }
    served
}

impl Served {
    fn wait_until_all_serve(&mut self, brokers: usize) {
        let out = BufReader::new(self.child.stdout.take().expect("a pipe"));
        let (line_said, lines) = mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| line_said.send(line)));
        while self.addresses.len() < brokers {
            let line =
                lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("serve did not start: {}", self.stderr()));
            let address = line.strip_prefix("listening ").unwrap_or_else(|| panic!("{line}"));
            self.addresses.push(address.to_owned());
        }
    }

    fn find_broker(&self, id: usize) -> Process {
        let config = format!("/{id}/server.properties");
        let mut children = children(self.child.id()).into_iter();
        children.find(|child| child.command().contains(&config)).unwrap_or_else(|| panic!("broker {id} runs"))
    }

    /// What it has said on stderr.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.said.path().join("stderr")).unwrap_or_default()
    }

    /// The process of broker `id` (from 1) of several.
    pub(crate) fn broker(&self, id: i32) -> &Process {
        &self.brokers[usize::try_from(id - 1).expect("ids from 1")]
    }

    /// All brokers' processes, if there are several.
    pub(crate) fn brokers(&self) -> Vec<Process> {
        self.brokers.clone()
    }

    /// Sends serve itself a signal and waits for its end.
    pub(crate) fn end(&mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("serve runs");
        eventually("serve's end", || self.child.try_wait().expect("a child"))
    }

    /// SIGTERM, and exit code 0.
    pub(crate) fn stop(mut self) {
        let status = self.end(Signal::TERM);
        assert!(status.success(), "{status}: {}", self.stderr());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The brokers first: frozen ones would not hear that their parent is gone.
        for broker in self.brokers.iter().filter(|broker| broker.lives()) {
            broker.signal(Signal::KILL);
        }
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("serve said: {}", self.stderr());
        }
    }
}

impl Process {
    fn find(pid: Pid) -> Option<Process> {
        Some(Process { pid, started: stat(pid, 22)?.parse().ok()? })
    }

    fn command(&self) -> String {
        let path = format!("/proc/{}/cmdline", self.pid.as_raw_pid());
        std::fs::read_to_string(path).unwrap_or_default().replace('\0', " ")
    }

    /// Whether it still runs (an ended process that nobody has waited for does not).
    pub(crate) fn lives(&self) -> bool {
        Process::find(self.pid).is_some_and(|now| now.started == self.started)
            && stat(self.pid, 3).is_some_and(|state| state != "Z")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        assert!(self.lives(), "{self:?} has ended");
        kill_process(self.pid, signal).expect("it lives");
    }

    /// SIGSTOP, and waits until all of it stands.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
        eventually("a frozen process", || stat(self.pid, 3).filter(|state| state == "T"));
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }
}

fn children(parent: u32) -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").expect("Linux");
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?));
    let of_parent = pids.filter(|pid| stat(*pid, 4).is_some_and(|found| found == parent.to_string()));
    of_parent.filter_map(Process::find).collect()
}

/// A field of /proc/PID/stat, by its number in proc(5), from 3 on: those behind the command's name.
fn stat(pid: Pid, field: usize) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    rest.split(' ').nth(field - 3).map(str::to_owned)
}
