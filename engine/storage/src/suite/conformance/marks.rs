//! How far a file is, and who is told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use super::{CAPACITY, EndOnDrop, SIZES};
use crate::contract::{Level, Writer};
use crate::suite::{PATIENCE, Subject, append, sync};

/// appended ≥ visible ≥ written ≥ durable, at every moment.
pub fn marks_keep_their_order(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    let (marks, done) = (writer.marks(), Arc::new(AtomicBool::new(false)));
    std::thread::scope(|scope| {
        let ended = EndOnDrop(done.clone());
        let watched = marks.clone();
        scope.spawn(move || {
            while !done.load(Ordering::Acquire) {
                // Lower marks first: the ones above can only have moved further since.
                let durable = watched.reached(Level::Durable);
                let written = watched.reached(Level::Written);
                let visible = watched.reached(Level::Visible);
                assert!(durable <= written && written <= visible, "{durable} {written} {visible}");
            }
        });
        for (nth, size) in SIZES.iter().cycle().take(100).enumerate() {
            let end = append(&mut *writer, 0, *size).unwrap();
            assert_eq!(marks.reached(Level::Visible), end);
            match nth % 10 {
                3 => assert_eq!(sync(&mut *writer, Level::Written).unwrap(), end),
                6 => assert_eq!(writer.begin_sync(Level::Durable).unwrap().elsewhere(), end),
                8 => writer.kick(),
                _ => {}
            }
        }
        let end = sync(&mut *writer, Level::Durable).unwrap();
        assert_eq!([Level::Visible, Level::Written, Level::Durable].map(|level| marks.reached(level)), [end; 3]);
        drop(ended);
    });
}

/// Each waiter is called once, none before its position is reached, and the lower ones first.
pub fn waiters_are_served_in_order(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    let (sender, served) = mpsc::channel();
    let wait_for = |position: u64, writer: &mut dyn Writer| {
        let (sender, marks) = (sender.clone(), writer.marks());
        let reached = marks.clone();
        marks.when(
            Level::Durable,
            position,
            Box::new(move |result| {
                result.expect("nothing fails here");
                assert!(reached.reached(Level::Durable) >= position);
                sender.send(position).expect("the check waits for it");
            }),
        );
    };
    for position in [30_000, 10_000, 20_000, 10_000] {
        wait_for(position, &mut *writer);
    }
    append(&mut *writer, 0, 15_000).unwrap();
    sync(&mut *writer, Level::Durable).unwrap();
    append(&mut *writer, 0, 15_000).unwrap();
    sync(&mut *writer, Level::Durable).unwrap();
    wait_for(30_000, &mut *writer);
    let order: Vec<u64> = (0..5).map(|_| served.recv_timeout(PATIENCE).expect("a waiter is served")).collect();
    assert_eq!(order, [10_000, 10_000, 20_000, 30_000, 30_000]);
}
