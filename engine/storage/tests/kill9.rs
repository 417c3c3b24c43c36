//! No. 8: what `written` promised survives `kill -9`, on the real disk, with a real process.
//!
//! This binary starts itself as the process to be killed: it appends, and says each position that reached
//! `Written`. The parent kills it at an arbitrary moment and looks at what is left.

use std::io::{BufRead, BufReader, IoSlice, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use logdyno_storage::{Append, Backend, Kind, Level, Writer, kinds};

const ROUNDS: u64 = 6;
const CAPACITY: u64 = 256 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[1..] {
        ["append", backend, dir] => append_for_ever(backend, Path::new(dir)),
        // As with the usual harness, a name that is not this test's runs nothing.
        [name, ..] if !name.starts_with('-') && !"kill9".contains(name) => {}
        _ => kinds().into_iter().for_each(kill_and_look),
    }
}

/// Never 0, and telling for its position.
fn sample(position: u64) -> u8 {
    ((position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 255) as u8 + 1
}

fn append_for_ever(backend: &str, dir: &Path) {
    let kind = kinds().into_iter().find(|kind| kind.name == backend).expect("the parent names one of them");
    let backend = kind.start_on(dir).expect("the parent has tried it");
    let storage = backend.open(dir).unwrap();
    let mut writer = storage.create("a", CAPACITY).unwrap();
    let mut output = std::io::stdout().lock();
    for round in 0_u64.. {
        append(&mut *writer, 100 + (round * 7919) % 70_000);
        // Most of what is appended is not synced: it may be there or not, but never wrong.
        if round % 3 == 0 {
            let position = writer.begin_sync(Level::Written).unwrap().elsewhere();
            assert!(writer.marks().wait(Level::Written, position, Duration::from_secs(60)).unwrap());
            writeln!(output, "{position}").and_then(|()| output.flush()).expect("the parent listens");
        }
    }
}

fn append(writer: &mut dyn Writer, len: u64) {
    let position = writer.marks().reached(Level::Visible);
    if position + len > CAPACITY {
        // Nothing more to do but to be killed.
        std::thread::park();
    }
    let bytes: Vec<u8> = (position..position + len).map(sample).collect();
    while writer.append(&[IoSlice::new(&bytes)]).unwrap() == Append::Full {
        let (sender, room) = std::sync::mpsc::channel();
        writer.when_room(Box::new(move || sender.send(()).expect("it is waited for")));
        room.recv().expect("there is room again");
    }
}

fn kill_and_look(kind: Kind) {
    for round in 0..ROUNDS {
        let dir = tempfile::tempdir().unwrap();
        let backend = match kind.start_on(dir.path()) {
            Ok(backend) => backend,
            Err(refused) => return println!("SKIPPED: {refused}"),
        };
        let promised = kill_after(kind, dir.path(), 1 + round * 23);
        look(&*backend, dir.path(), promised);
        println!("{}: {promised} bytes survived kill -9", kind.name);
    }
}

/// Kills the process when it has said `lines` positions; the highest it said before it died.
fn kill_after(kind: Kind, dir: &Path, lines: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["append", kind.name, dir.to_str().expect("temporary directories have plain names")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut promised = 0;
    for _ in 0..lines {
        promised = next_position(&mut said).expect("it goes on until it is killed");
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it was killed");
    std::iter::from_fn(|| next_position(&mut said)).fold(promised, u64::max)
}

/// The next position; `None` at the end. A line that the kill cut short has no newline, and promises nothing.
fn next_position(said: &mut impl BufRead) -> Option<u64> {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    line.strip_suffix('\n').map(|position| position.parse().unwrap())
}

fn look(backend: &dyn Backend, dir: &Path, promised: u64) {
    let storage: Arc<_> = backend.open(dir).unwrap();
    let found = storage.load("a").unwrap().expect("a created file is there");
    assert!(found.len() as u64 >= promised, "{} of {promised} bytes are left", found.len());
    for (position, byte) in (0..).zip(&found) {
        let invented = *byte != sample(position) && (*byte != 0 || position < promised);
        assert!(!invented, "byte {byte} at {position} of {promised} promised");
    }
    let mut writer = storage.reopen("a", promised, CAPACITY).unwrap();
    append(&mut *writer, 10_000);
    writer.close().unwrap();
    assert_eq!(storage.list().unwrap(), ["a"]);
    assert_eq!(storage.reader("a").unwrap().len(), promised + 10_000);
}
