//! Whole writes and reads out of system calls that may do less than asked.

use std::io::{self, IoSlice};

use crate::counters::Counters;
use crate::seam::DiskFile;

/// How often a call may answer EAGAIN in a row before that counts as an error.
const AGAIN_MAX: u32 = 1000;

/// Counts what may be tried again, and says when it was too often.
#[derive(Default)]
struct Patience {
    again: u32,
}

impl Patience {
    /// `Ok` if the call that failed with `error` should be repeated.
    fn bear(&mut self, error: io::Error) -> io::Result<()> {
        match error.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            io::ErrorKind::WouldBlock if self.again < AGAIN_MAX => {
                self.again += 1;
                std::thread::yield_now();
                Ok(())
            }
            _ => Err(error),
        }
    }
}

/// Writes all of `parts` from `position`. Says how many bytes were written, also when it failed on the way.
pub(crate) fn write_whole(
    file: &dyn DiskFile,
    mut parts: &mut [IoSlice<'_>],
    position: u64,
    counters: &Counters,
) -> (u64, io::Result<()>) {
    IoSlice::advance_slices(&mut parts, 0);
    let (mut written, mut patience) = (0, Patience::default());
    while !parts.is_empty() {
        counters.write_calls.one();
        match file.write_at(parts, position + written) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(bytes) => {
                counters.bytes_written.add(bytes as u64);
                written += bytes as u64;
                patience = Patience::default();
                IoSlice::advance_slices(&mut parts, bytes);
            }
            Err(error) => {
                if let Err(error) = patience.bear(error) {
                    return (written, Err(error));
                }
            }
        }
    }
    (written, Ok(()))
}

/// Fills `buffer` from `position` in calls of at most `piece` bytes; fewer bytes mean the end of the file.
pub(crate) fn read_whole(
    file: &dyn DiskFile,
    buffer: &mut [u8],
    position: u64,
    piece: usize,
    counters: &Counters,
) -> io::Result<usize> {
    let (mut read, mut patience) = (0, Patience::default());
    while read < buffer.len() {
        let end = read + piece.min(buffer.len() - read);
        counters.read_calls.one();
        match file.read_at(&mut buffer[read..end], position + read as u64) {
            Ok(0) => break,
            Ok(bytes) => {
                counters.bytes_read.add(bytes as u64);
                read += bytes;
                patience = Patience::default();
            }
            Err(error) => patience.bear(error)?,
        }
    }
    Ok(read)
}

/// Repeats a call without a partial result until it is not interrupted.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut patience = Patience::default();
    loop {
        match call() {
            Ok(value) => return Ok(value),
            Err(error) => patience.bear(error)?,
        }
    }
}

/// Fails if a file holds fewer than `len` bytes.
pub(crate) fn check_holds(file: &dyn DiskFile, len: u64) -> io::Result<()> {
    let found = file.len()?;
    if found < len {
        let reason = format!("it holds {found} bytes, {len} were to be kept");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
    }
    Ok(())
}

/// Cuts a file to its first `len` bytes, durably.
pub(crate) fn cut(file: &dyn DiskFile, len: u64) -> io::Result<()> {
    check_holds(file, len)?;
    uninterrupted(|| file.set_len(len))?;
    uninterrupted(|| file.sync_data())
}
