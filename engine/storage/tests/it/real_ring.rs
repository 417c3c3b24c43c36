//! The kernel's ring behind the seam: results, wakes, timeouts, and what dropping it means.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logdyno_storage::seam::real::RealDisk;
use logdyno_storage::seam::real_ring::RealRing;
use logdyno_storage::seam::{Completion, Disk, DiskFile, Open, Operation, Ring};

/// Longer than any operation takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

#[repr(C, align(4096))]
struct Block([u8; 4096]);

fn direct_file(dir: &Path) -> Arc<dyn DiskFile> {
    RealDisk.open(&dir.join("file"), Open { create: true, direct: true, ..Open::default() }).unwrap()
}

/// Waits until `count` operations are over.
fn finish(ring: &mut RealRing, count: usize) -> Vec<Completion> {
    let mut completions = Vec::new();
    while completions.len() < count {
        ring.wait(Some(LONG)).unwrap();
        ring.reap(&mut completions);
    }
    completions.sort_by_key(|completion| completion.token);
    completions
}

fn write(file: &Arc<dyn DiskFile>, block: &Block, position: u64) -> Operation {
    Operation::Write { file: file.clone(), memory: block.0.as_ptr(), len: 4096, then: None, position }
}

#[test]
fn what_is_written_through_the_ring_is_read_through_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = direct_file(dir.path());
    let mut ring = RealRing::new(8).unwrap();
    let blocks: Vec<Box<Block>> = (1..=4).map(|byte| Box::new(Block([byte; 4096]))).collect();
    for (index, block) in blocks.iter().enumerate() {
        // SAFETY: the blocks outlive the ring's `finish` below.
        unsafe { ring.submit(write(&file, block, index as u64 * 4096), index as u64).unwrap() };
    }
    for (index, completion) in finish(&mut ring, 4).into_iter().enumerate() {
        assert_eq!((completion.token, completion.result.unwrap()), (index as u64, 4096));
    }
    // SAFETY: a sync has no memory.
    unsafe { ring.submit(Operation::SyncData { file: file.clone() }, 9).unwrap() };
    assert_eq!(finish(&mut ring, 1)[0].result.as_ref().unwrap(), &0);

    let mut block = Box::new(Block([0; 4096]));
    let read = Operation::Read { file, memory: block.0.as_mut_ptr(), len: 4096, position: 8192 };
    // SAFETY: the block outlives the ring's `finish` below, and is not looked at before.
    unsafe { ring.submit(read, 5).unwrap() };
    assert_eq!(finish(&mut ring, 1)[0].result.as_ref().unwrap(), &4096);
    assert_eq!(block.0, [3; 4096]);
}

/// Whole blocks from one place and the last block from another are one write.
#[test]
fn a_write_may_lie_in_two_places() {
    let dir = tempfile::tempdir().unwrap();
    let file = direct_file(dir.path());
    let mut ring = RealRing::new(8).unwrap();
    let (first, second) = (Box::new(Block([1; 4096])), Box::new(Block([2; 4096])));
    let then = Some((second.0.as_ptr(), 4096));
    let write = Operation::Write { file, memory: first.0.as_ptr(), len: 4096, then, position: 4096 };
    // SAFETY: both blocks outlive the ring's `finish` below.
    unsafe { ring.submit(write, 0).unwrap() };
    assert_eq!(finish(&mut ring, 1)[0].result.as_ref().unwrap(), &8192);
    assert_eq!(std::fs::read(dir.path().join("file")).unwrap(), [[0; 4096], [1; 4096], [2; 4096]].concat());
}

#[test]
fn a_wait_without_work_ends_with_its_timeout() {
    let mut ring = RealRing::new(8).unwrap();
    let before = Instant::now();
    ring.wait(Some(Duration::from_millis(20))).unwrap();
    assert!(before.elapsed() >= Duration::from_millis(20));
}

/// The waiting thread has no timeout: if a wake were lost, this test would not end.
#[test]
fn another_thread_ends_a_wait_as_often_as_it_likes() {
    let mut ring = RealRing::new(8).unwrap();
    let waker = ring.waker();
    let (turn, turns) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || turns.into_iter().for_each(|()| waker.wake()));
    for _ in 0..100 {
        turn.send(()).unwrap();
        ring.wait(None).unwrap();
        let mut completions = Vec::new();
        ring.reap(&mut completions);
        assert!(completions.is_empty(), "a wake is nobody's operation");
    }
    drop(turn);
    other.join().unwrap();
}

#[test]
fn a_wake_before_the_wait_ends_it() {
    let mut ring = RealRing::new(8).unwrap();
    ring.waker().wake();
    ring.wait(None).unwrap();
}

#[test]
fn a_full_ring_asks_to_reap_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = direct_file(dir.path());
    let mut ring = RealRing::new(2).unwrap();
    let block = Box::new(Block([7; 4096]));
    for token in 0..2 {
        // SAFETY: the block outlives the ring's `finish` below.
        unsafe { ring.submit(write(&file, &block, token * 4096), token).unwrap() };
    }
    // SAFETY: as above.
    let refused = unsafe { ring.submit(write(&file, &block, 8192), 2) };
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    finish(&mut ring, 2);
    // SAFETY: as above.
    unsafe { ring.submit(write(&file, &block, 8192), 2).unwrap() };
    finish(&mut ring, 1);
}

/// Dropping waits for what was only queued as well: afterwards the memory is free and the bytes are there.
#[test]
fn a_dropped_ring_finishes_what_is_in_flight() {
    let dir = tempfile::tempdir().unwrap();
    let file = direct_file(dir.path());
    let mut ring = RealRing::new(64).unwrap();
    let block = Box::new(Block([9; 4096]));
    for token in 0..64 {
        // SAFETY: the block outlives the ring.
        unsafe { ring.submit(write(&file, &block, token * 4096), token).unwrap() };
    }
    drop(ring);
    drop(block);
    assert_eq!(std::fs::read(dir.path().join("file")).unwrap(), vec![9; 64 * 4096]);
}

/// The ring keeps the file open, so that its descriptor's number cannot become another file's.
#[test]
fn a_file_may_be_dropped_while_its_operation_is_queued() {
    let dir = tempfile::tempdir().unwrap();
    let file = direct_file(dir.path());
    let mut ring = RealRing::new(8).unwrap();
    let block = Box::new(Block([5; 4096]));
    // SAFETY: the block outlives the ring's `finish` below.
    unsafe { ring.submit(write(&file, &block, 0), 0).unwrap() };
    drop(file);
    let other = dir.path().join("other");
    std::fs::write(&other, b"untouched").unwrap();
    let opened = std::fs::File::open(&other).unwrap();
    assert_eq!(finish(&mut ring, 1)[0].result.as_ref().unwrap(), &4096);
    drop(opened);
    assert_eq!(std::fs::read(other).unwrap(), b"untouched");
    assert_eq!(std::fs::read(dir.path().join("file")).unwrap(), [5; 4096]);
}

#[test]
fn an_error_of_the_kernel_is_the_operations_result() {
    let dir = tempfile::tempdir().unwrap();
    let file = direct_file(dir.path());
    let mut ring = RealRing::new(8).unwrap();
    let block = Box::new(Block([0; 4096]));
    // SAFETY: the block outlives the ring's `finish` below.
    unsafe { ring.submit(write(&file, &block, 100), 3).unwrap() };
    let completion = finish(&mut ring, 1).remove(0);
    assert_eq!(completion.token, 3);
    assert_eq!(completion.result.unwrap_err().kind(), io::ErrorKind::InvalidInput, "direct I/O starts at blocks");
}
