//! What to do with a completion: a pure judgement over short counts and passing errors.

use std::io;

use super::memory::BLOCK;

/// How often in a row "try again" is obeyed. Each try is a way through the kernel, so this is no spin.
const AGAIN_MAX: u32 = 64;

/// How far an operation on `len` bytes is.
#[derive(Debug)]
pub(super) struct Transfer {
    len: usize,
    /// Fewer for a read up to the end of the file, where the last block is short.
    needed: usize,
    done: usize,
    /// Completions in a row that moved nothing.
    nothing: u32,
    /// Completions in a row that brought no block.
    tries: u32,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Verdict {
    /// All needed bytes were moved.
    Done,
    /// Submit what [`Transfer::rest`] says.
    Resubmit,
    /// It will not work.
    Failed(io::Error),
}

impl Transfer {
    /// An operation that must move at least `needed` of `len` bytes.
    pub(super) fn new(len: usize, needed: usize) -> Transfer {
        Transfer { len, needed, done: 0, nothing: 0, tries: 0 }
    }

    /// Where the rest starts, and how long it is.
    pub(super) fn rest(&self) -> (usize, usize) {
        (self.done, self.len - self.done)
    }

    /// Judges a completion.
    ///
    /// A short count is rounded down to a block, since only there direct I/O can go on. Nothing at all twice in
    /// a row is an error: the device is full, or the file shorter than it should be. Less than a block is
    /// borne as long as "try again" is.
    pub(super) fn judge(&mut self, result: io::Result<u32>) -> Verdict {
        let moved = match result {
            Ok(moved) => moved as usize,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return self.again(error);
            }
            Err(error) => return Verdict::Failed(error),
        };
        if self.done + moved >= self.needed {
            return Verdict::Done;
        }
        let message = format!("stopped after {} of {} bytes", self.done + moved, self.needed);
        let stopped = io::Error::new(io::ErrorKind::UnexpectedEof, message);
        self.nothing = if moved == 0 { self.nothing + 1 } else { 0 };
        match moved - moved % BLOCK {
            _ if self.nothing == 2 => Verdict::Failed(stopped),
            0 => self.again(stopped),
            progress => {
                self.done += progress;
                self.tries = 0;
                Verdict::Resubmit
            }
        }
    }

    /// Another try without progress, unless there were too many.
    fn again(&mut self, error: io::Error) -> Verdict {
        self.tries += 1;
        if self.tries > AGAIN_MAX { Verdict::Failed(error) } else { Verdict::Resubmit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resubmits(transfer: &mut Transfer, result: io::Result<u32>) -> (usize, usize) {
        assert!(matches!(transfer.judge(result), Verdict::Resubmit));
        transfer.rest()
    }

    #[test]
    fn a_short_write_goes_on_from_the_last_whole_block() {
        let mut write = Transfer::new(16_384, 16_384);
        assert_eq!(resubmits(&mut write, Ok(5000)), (4096, 12_288));
        assert_eq!(resubmits(&mut write, Ok(8192)), (12_288, 4096));
        assert!(matches!(write.judge(Ok(4096)), Verdict::Done));
    }

    #[test]
    fn nothing_twice_in_a_row_is_an_error() {
        let mut write = Transfer::new(16_384, 16_384);
        resubmits(&mut write, Ok(0));
        resubmits(&mut write, Ok(4096));
        resubmits(&mut write, Ok(0));
        resubmits(&mut write, Ok(100));
        resubmits(&mut write, Ok(0));
        assert!(matches!(write.judge(Ok(0)), Verdict::Failed(_)));
    }

    #[test]
    fn less_than_a_block_is_borne_for_a_while() {
        let mut write = Transfer::new(16_384, 16_384);
        for _ in 0..AGAIN_MAX {
            assert_eq!(resubmits(&mut write, Ok(512)), (0, 16_384));
        }
        assert!(matches!(write.judge(Ok(512)), Verdict::Failed(_)));
    }

    #[test]
    fn a_read_to_the_end_of_the_file_needs_no_whole_last_block() {
        let mut read = Transfer::new(8192, 4100);
        assert!(matches!(read.judge(Ok(4100)), Verdict::Done));
    }

    #[test]
    fn try_again_is_obeyed_for_a_while_and_other_errors_are_final() {
        let mut write = Transfer::new(4096, 4096);
        let again = || Err(io::ErrorKind::WouldBlock.into());
        for _ in 0..AGAIN_MAX {
            resubmits(&mut write, again());
        }
        assert!(matches!(write.judge(again()), Verdict::Failed(_)));
        let eio = io::Error::from_raw_os_error(libc::EIO);
        assert!(matches!(Transfer::new(4096, 4096).judge(Err(eio)), Verdict::Failed(_)));
    }
}
