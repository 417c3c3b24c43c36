//! A [`Ring`] over the kernel's io_uring.
//!
//! Three rules make it safe and quiet.
//!
//! * **The kernel's memory is left alone.** From `submit` to the reaped completion a buffer and a
//!   descriptor belong to the kernel. The ring keeps the file open (`in_flight`); the memory is the
//!   submitter's promise. Dropping the ring waits until nothing is in flight: closing the ring's
//!   descriptor alone would only *begin* to cancel, and DMA could still hit memory that has been freed.
//! * **One thread.** The ring is set up with `SINGLE_ISSUER | COOP_TASKRUN | DEFER_TASKRUN` where the kernel
//!   has them: completions are then processed when this thread enters the kernel, and no other time. The
//!   price is that only the thread which made the ring may use it; the type is not `Send`, so the compiler
//!   holds us to it.
//! * **No spinning.** Another thread wakes the ring through an eventfd, which the ring itself polls:
//!   one wait (`io_uring_enter`) covers completions, wakes and the timeout.

use std::collections::HashMap;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{Fd, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::event::{EventfdFlags, eventfd};

use super::ring_setup::set_up;
use super::{Completion, DiskFile, Operation, Ring, RingWaker};

/// The token of the poll on the eventfd. Submitters' tokens are indices, which never get there.
const WAKE: u64 = u64::MAX;

/// What an operation needs besides the submitter's memory, kept until its completion.
#[expect(dead_code, reason = "held for the kernel, which looks at it through descriptor and address")]
struct Kept {
    /// A descriptor must not be closed, and its number given to another file, while an operation that names it
    /// waits in the submission queue.
    file: Arc<dyn DiskFile>,
    /// Where a gathered write's parts are: the kernel reads this list when it takes the operation.
    parts: Option<Rc<[libc::iovec; 2]>>,
}

/// The kernel's ring.
pub struct RealRing {
    ring: IoUring,
    /// What is in flight, by token.
    in_flight: HashMap<u64, Kept>,
    waker: Arc<EventWaker>,
    /// The poll on the eventfd is in the kernel.
    polling: bool,
    entries: usize,
    /// Not `Send`: see the second rule above.
    one_thread: PhantomData<*const ()>,
}

impl RealRing {
    /// Sets up a ring for this thread.
    ///
    /// # Errors
    /// The kernel refuses rings (`kernel.io_uring_disabled`, a seccomp filter, Linux before 5.11), or one of
    /// the operations that backends need is missing. The message says which and what to do.
    pub fn new(entries: u32) -> io::Result<RealRing> {
        let ring = set_up(entries)?;
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let waker = Arc::new(EventWaker { event });
        Ok(RealRing {
            ring,
            in_flight: HashMap::new(),
            waker,
            polling: false,
            entries: entries as usize,
            one_thread: PhantomData,
        })
    }

    /// Puts an entry into the submission queue; if that is full, lets the kernel take what is in it first.
    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        for _ in 0..2 {
            // SAFETY: what `entry` points to stays valid until its completion: the submitter of
            // `Ring::submit` promises it for memory, `in_flight` holds the descriptor and the list of parts, and `waker` outlives
            // the ring (see `Drop`).
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Asks the kernel to complete an entry once somebody has written to the eventfd.
    fn poll_waker(&mut self) -> io::Result<()> {
        if !self.polling {
            let readable = u32::try_from(libc::POLLIN).unwrap_or_default();
            let poll = opcode::PollAdd::new(Fd(self.waker.event.as_raw_fd()), readable).build().user_data(WAKE);
            self.push(&poll)?;
            self.polling = true;
        }
        Ok(())
    }

    /// Takes one entry off the completion queue: a wake is swallowed, an operation returned.
    fn take(&mut self, entry: &cqueue::Entry) -> Option<Completion> {
        let token = entry.user_data();
        if token == WAKE {
            self.polling = false;
            self.waker.clear();
            return None;
        }
        // The kernel is done with the descriptor.
        self.in_flight.remove(&token);
        let result = u32::try_from(entry.result()).map_err(|_| io::Error::from_raw_os_error(-entry.result()));
        Some(Completion { token, result })
    }

    /// Enters the kernel until at least one completion is there, or the timeout has passed.
    fn enter(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let entered = match timeout {
            None => self.ring.submit_and_wait(1),
            Some(timeout) => {
                let timeout = Timespec::from(timeout);
                self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&timeout))
            }
        };
        match entered {
            Ok(_) => Ok(()),
            // ETIME is the timeout; a signal is as good as a wake; EAGAIN and EBUSY ask to reap first.
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY)) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

impl Ring for RealRing {
    unsafe fn submit(&mut self, operation: Operation, token: u64) -> io::Result<()> {
        assert_ne!(token, WAKE, "the token is taken");
        if self.in_flight.len() >= self.entries {
            // The completion queue has twice as many entries, so it cannot overflow.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (entry, kept) = entry_of(operation)?;
        // First kept, then pushed: the other way round, the kernel could have a descriptor that nobody keeps open.
        self.in_flight.insert(token, kept);
        let pushed = self.push(&entry.user_data(token));
        if pushed.is_err() {
            self.in_flight.remove(&token);
        }
        pushed
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.poll_waker()?;
        self.enter(timeout)
    }

    fn reap(&mut self, into: &mut Vec<Completion>) {
        loop {
            let next = self.ring.completion().next();
            match next {
                Some(entry) => into.extend(self.take(&entry)),
                None => return,
            }
        }
    }

    fn waker(&self) -> Arc<dyn RingWaker> {
        Arc::clone(&self.waker) as Arc<dyn RingWaker>
    }
}

impl Drop for RealRing {
    fn drop(&mut self) {
        let mut finished = Vec::new();
        while !self.in_flight.is_empty() {
            self.reap(&mut finished);
            if !self.in_flight.is_empty()
                && let Err(error) = self.enter(None)
            {
                // Memory is still the kernel's and there is no way left to learn when it is not. Going on
                // could hand it to somebody else, so this is the end of the process.
                tracing::error!(%error, in_flight = self.in_flight.len(), "cannot wait for the ring's operations");
                std::process::abort();
            }
        }
        // The poll on the eventfd may remain: it holds no memory of ours, and the kernel keeps its own
        // reference to the eventfd until the ring is torn down.
    }
}

/// Ends a wait from another thread.
struct EventWaker {
    event: OwnedFd,
}

impl EventWaker {
    /// Takes back all wakes so far.
    fn clear(&self) {
        let mut count = [0; 8];
        match rustix::io::read(&self.event, &mut count) {
            // Already taken by an earlier clear.
            Ok(_) | Err(rustix::io::Errno::AGAIN) => {}
            Err(error) => tracing::error!(%error, "cannot read the ring's eventfd"),
        }
    }
}

impl RingWaker for EventWaker {
    fn wake(&self) {
        match rustix::io::write(&self.event, &1_u64.to_ne_bytes()) {
            // The counter is at its limit: the ring has long been told.
            Ok(_) | Err(rustix::io::Errno::AGAIN) => {}
            Err(error) => tracing::error!(%error, "cannot write the ring's eventfd"),
        }
    }
}

/// The kernel's form of an operation, and what must be kept for it.
fn entry_of(operation: Operation) -> io::Result<(squeue::Entry, Kept)> {
    Ok(match operation {
        Operation::Write { file, memory, len, then: None, position } => {
            let entry = opcode::Write::new(descriptor(&*file)?, memory, len).offset(position).build();
            (entry, Kept { file, parts: None })
        }
        Operation::Write { file, memory, len, then: Some((more, more_len)), position } => {
            let parts = Rc::new([part(memory, len), part(more, more_len)]);
            let entry = opcode::Writev::new(descriptor(&*file)?, parts.as_ptr(), 2).offset(position).build();
            (entry, Kept { file, parts: Some(parts) })
        }
        Operation::Read { file, memory, len, position } => {
            let entry = opcode::Read::new(descriptor(&*file)?, memory, len).offset(position).build();
            (entry, Kept { file, parts: None })
        }
        Operation::SyncData { file } => {
            let entry = opcode::Fsync::new(descriptor(&*file)?).flags(FsyncFlags::DATASYNC).build();
            (entry, Kept { file, parts: None })
        }
    })
}

/// A part of a gathered write. The kernel only reads it, whatever the type says.
fn part(memory: *const u8, len: u32) -> libc::iovec {
    libc::iovec { iov_base: memory.cast_mut().cast(), iov_len: len as usize }
}

fn descriptor(file: &dyn DiskFile) -> io::Result<Fd> {
    let simulated = || io::Error::new(io::ErrorKind::InvalidInput, "a simulated file has no place in a real ring");
    file.raw_fd().map(Fd).ok_or_else(simulated)
}
