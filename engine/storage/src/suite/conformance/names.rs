//! Names and small files.

use super::CAPACITY;
use crate::suite::{Subject, append, assert_reads};

/// `create` fails where a name exists; everything else where it does not.
pub fn names_are_taken_once(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 0, 100).unwrap();
    assert!(storage.create("a", CAPACITY).is_err());
    assert_reads(&*storage.reader("a").unwrap(), 0, 0..100);
    assert!(storage.reader("b").is_err());
    assert!(storage.reopen("b", 0, CAPACITY).is_err());
    assert!(storage.remove("b").is_err());
    assert!(storage.rename("b", "c").is_err());
}

/// Small files: whole, replaceable by shorter and longer ones, no temporary file left.
pub fn small_files_are_replaced_whole(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    assert_eq!(storage.load("checkpoint").unwrap(), None);
    for content in [&b"first"[..], b"a second, longer one", b"", b"third"] {
        storage.replace("checkpoint", content).unwrap();
        assert_eq!(storage.load("checkpoint").unwrap().as_deref(), Some(content));
        storage.write_rebuildable("index", content).unwrap();
        assert_eq!(storage.load("index").unwrap().as_deref(), Some(content));
    }
    storage.sync_all().unwrap();
    let mut files = storage.list().unwrap();
    files.sort();
    assert_eq!(files, ["checkpoint", "index"]);
}
