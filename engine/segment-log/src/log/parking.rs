//! Where a thread waits for a level of the log.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

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
    /// Nobody will tell the end any more.
    is_forgotten: bool,
    is_asleep: bool,
}

/// The duty to tell a thread the end of its wait. Who drops it without, because a callback of another waiter panicked, ends the wait, too.
pub(super) struct Duty(Arc<Parking>);

impl Duty {
    /// Towards who waits there.
    pub(super) fn towards(parking: &Arc<Parking>) -> Duty {
        Duty(Arc::clone(parking))
    }

    /// Where the thread waits.
    pub(super) fn parking(&self) -> &Arc<Parking> {
        &self.0
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        let mut told = self.0.told();
        told.is_forgotten = true;
        self.0.wake(told);
    }
}

impl Parking {
    /// Tells the thread to do what of a sync blocks. If its wait has ended, the sync is dropped: the backend does it.
    pub(super) fn lead(&self, sync: PendingSync) {
        let mut told = self.told();
        let is_over = told.is_over();
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

    /// Waits for the end, and leads meanwhile if told so; `None` if nobody tells the end.
    pub(super) fn wait(&self) -> Option<Result<()>> {
        let mut told = self.told();
        loop {
            if let Some(sync) = told.lead.take() {
                drop(told);
                sync.here();
                told = self.told();
            } else if told.is_over() {
                return told.reached.clone();
            } else {
                told.is_asleep = true;
                told = self.woken.wait(told).unwrap_or_else(PoisonError::into_inner);
                told.is_asleep = false;
            }
        }
    }

    fn wake(&self, mut told: MutexGuard<'_, Told>) {
        // Once: the next who tells finds it awake, or asleep anew.
        let is_asleep = std::mem::take(&mut told.is_asleep);
        drop(told);
        if is_asleep {
            self.woken.notify_one();
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn is_over(&self) -> bool {
        self.reached.is_some() || self.is_forgotten
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use logdyno_storage::BlockingSync;

    use super::*;

    /// Counts where it was done.
    struct Counted(Arc<[AtomicU32; 2]>);

    impl BlockingSync for Counted {
        fn here(self: Box<Self>) {
            self.0[0].fetch_add(1, Ordering::Relaxed);
        }

        fn elsewhere(self: Box<Self>) {
            self.0[1].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counts(counted: &[AtomicU32; 2]) -> [u32; 2] {
        [0, 1].map(|place| counted[place].load(Ordering::Relaxed))
    }

    /// Each of many waits ends, however it races with what is told, and no sync is lost: the thread does it, or the backend.
    #[test]
    fn every_wait_ends_and_every_sync_is_done_once() {
        const WAITS: u32 = 2_000;
        let counted = Arc::default();
        for number in 0..WAITS {
            let parking = Arc::new(Parking::default());
            let duty = Duty::towards(&parking);
            let teller = thread::spawn({
                let (lead, counted) = (Arc::clone(duty.parking()), Arc::clone(&counted));
                move || {
                    lead.lead(PendingSync::new(0, Counted(counted)));
                    if number % 3 > 0 {
                        duty.parking().reached(Ok(()));
                    }
                }
            });
            assert_eq!(parking.wait().is_some(), number % 3 > 0);
            teller.join().unwrap();
        }
        assert_eq!(counts(&counted), [WAITS, 0], "a thread that waits leads before it leaves");
    }

    #[test]
    fn whoever_has_been_told_the_end_leads_no_more() {
        let (parking, counted) = (Arc::new(Parking::default()), Arc::default());
        parking.reached(Ok(()));
        parking.lead(PendingSync::new(0, Counted(Arc::clone(&counted))));
        assert!(matches!(parking.wait(), Some(Ok(()))));
        assert_eq!(counts(&counted), [0, 1]);
    }
}
