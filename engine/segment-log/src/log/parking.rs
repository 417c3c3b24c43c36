//! Where a thread waits for a level of the log.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use logdyno_storage::PendingSync;

use super::Result;

/// The place of one wait. What a thread is told lies here until it looks: waking it is a system call, which one that is awake is spared.
#[derive(Default)]
pub(super) struct Parking {
    told: Mutex<Told>,
    woken: Condvar,
}

#[derive(Default)]
struct Told {
    /// A sync of which the thread shall do what blocks: it covers what it waits for.
    lead: Option<PendingSync>,
    /// The end of its wait.
    reached: Option<Result<()>>,
    is_asleep: bool,
}

impl Parking {
    /// Tells the thread to do what of a sync blocks. If its wait has ended, the sync is dropped: the backend does it.
    pub(super) fn lead(&self, sync: PendingSync) {
        let mut told = self.told();
        let is_over = told.reached.is_some();
        let left = if is_over { Some(sync) } else { told.lead.replace(sync) };
        self.wake(told);
        drop(left);
    }

    /// Ends the thread's wait.
    pub(super) fn reached(&self, reached: Result<()>) {
        let mut told = self.told();
        told.reached.get_or_insert(reached);
        self.wake(told);
    }

    /// Waits for the end, and leads meanwhile if told so.
    pub(super) fn wait(&self) -> Result<()> {
        let mut told = self.told();
        loop {
            if let Some(sync) = told.lead.take() {
                drop(told);
                sync.here();
                told = self.told();
            } else if let Some(reached) = &told.reached {
                return reached.clone();
            } else {
                told.is_asleep = true;
                told = self.woken.wait(told).unwrap_or_else(PoisonError::into_inner);
                told.is_asleep = false;
            }
        }
    }

    fn wake(&self, told: MutexGuard<'_, Told>) {
        let is_asleep = told.is_asleep;
        drop(told);
        if is_asleep {
            self.woken.notify_one();
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
