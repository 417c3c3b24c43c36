//! What other threads ask of the ring thread, and how they wake it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::callback::undisturbed;
use super::segment::Segment;
use crate::contract::ReadDone;
use crate::error::StorageError;
use crate::seam::RingWaker;

/// A request to the ring thread.
pub(super) enum Command {
    /// The segment has bytes that nobody asked to write yet: the kick timer writes them.
    Dirty(Arc<Segment>),
    /// Write everything before this position.
    Flush(Arc<Segment>, u64),
    /// Make everything before this position durable.
    Sync(Arc<Segment>, u64),
    /// Read from the device what is not in memory, then answer.
    Read(Demand),
    /// Bring these bytes into memory, nobody waits for them.
    Prefetch(Arc<Segment>, Range<u64>),
    /// Forget what has not been submitted, and drop the sender when nothing of the segment is in flight.
    Retire(Arc<Segment>, Retiring),
    /// Finish what is pending and end.
    Stop,
}

/// The end of a channel on which nothing is ever sent: that it is gone is the message.
pub(super) type Retiring = Sender<Infallible>;

/// A read that somebody waits for.
pub(super) struct Demand {
    /// Of which file.
    pub(super) segment: Arc<Segment>,
    /// Which bytes. They are below the segment's length.
    pub(super) range: Range<u64>,
    /// Who gets them.
    pub(super) done: ReadDone,
}

const AWAKE: u8 = 0;
/// Waiting in the ring until a completion, a wake or a timer.
const DOZING: u8 = 1;
/// Waiting in the ring without a timer.
const ASLEEP: u8 = 2;

/// The ring thread's inbox.
#[derive(Default)]
pub(super) struct Queue {
    commands: Mutex<Commands>,
    state: AtomicU8,
    waker: OnceLock<Arc<dyn RingWaker>>,
}

#[derive(Default)]
struct Commands {
    list: VecDeque<Command>,
    poked: bool,
    closed: bool,
}

impl Queue {
    /// Hands over how the ring thread is woken. Called by that thread before anyone else uses the queue.
    pub(super) fn set_waker(&self, waker: Arc<dyn RingWaker>) {
        assert!(self.waker.set(waker).is_ok(), "one ring thread has one waker");
    }

    /// Asks something of the ring thread.
    pub(super) fn push(&self, command: Command) {
        // A dirty segment has time until the next timer: only a thread without a timer must hear of it.
        let wakes_from = if matches!(command, Command::Dirty(_)) { ASLEEP } else { DOZING };
        let refused = {
            let mut commands = self.commands();
            if commands.closed {
                Some(command)
            } else {
                commands.list.push_back(command);
                None
            }
        };
        match refused {
            Some(command) => refuse(command),
            None => self.wake(wakes_from),
        }
    }

    /// Has the ring thread go around once.
    pub(super) fn poke(&self) {
        self.commands().poked = true;
        self.wake(DOZING);
    }

    fn wake(&self, from: u8) {
        // The thread declares its sleep first and looks for commands afterwards (`fall_asleep`); here it is
        // the other way round. So either it sees the command or we see its sleep.
        if self.state.load(Ordering::SeqCst) >= from && self.state.swap(AWAKE, Ordering::SeqCst) >= from {
            self.waker.get().expect("the waker is set before the queue is shared").wake();
        }
    }

    /// Takes all commands. Only the ring thread does this.
    pub(super) fn take(&self) -> VecDeque<Command> {
        let mut commands = self.commands();
        commands.poked = false;
        std::mem::take(&mut commands.list)
    }

    /// Declares that the ring thread is about to wait. False if there is something to do instead.
    pub(super) fn fall_asleep(&self, timer: bool) -> bool {
        self.state.store(if timer { DOZING } else { ASLEEP }, Ordering::SeqCst);
        let commands = self.commands();
        let idle = commands.list.is_empty() && !commands.poked;
        if !idle {
            self.state.store(AWAKE, Ordering::SeqCst);
        }
        idle
    }

    /// The ring thread is back from its wait.
    pub(super) fn wake_up(&self) {
        self.state.store(AWAKE, Ordering::SeqCst);
    }

    /// The ring thread is ending: refuses what is still there and all that comes later.
    pub(super) fn close(&self) {
        let left = {
            let mut commands = self.commands();
            commands.closed = true;
            std::mem::take(&mut commands.list)
        };
        left.into_iter().for_each(refuse);
    }

    fn commands(&self) -> MutexGuard<'_, Commands> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whoever waits for a command that nothing will come of it.
fn refuse(command: Command) {
    match command {
        Command::Read(demand) => undisturbed(|| (demand.done)(Err(StorageError::Stopped))),
        Command::Dirty(segment) | Command::Flush(segment, _) | Command::Sync(segment, _) => {
            undisturbed(|| segment.marks.set_poison(StorageError::Stopped));
        }
        // Dropping the sender of `Retire` answers it: nothing is in flight without a ring.
        Command::Prefetch(..) | Command::Retire(..) | Command::Stop => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl RingWaker for Woken {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A system call per command would cost more than the command: a thread that is awake, or has been woken
    /// already, is left alone.
    #[test]
    fn a_sleeping_thread_is_woken_once() {
        let (queue, woken) = (Queue::default(), Arc::new(Woken::default()));
        queue.set_waker(Arc::clone(&woken) as Arc<dyn RingWaker>);
        queue.push(Command::Stop);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0, "it is awake");
        assert!(!queue.fall_asleep(true), "there is a command");
        queue.take();
        assert!(queue.fall_asleep(true));
        queue.push(Command::Stop);
        queue.push(Command::Stop);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!(queue.take().len(), 2);
    }
}
