//! Every fault × every backend, on the simulated disk.

use logdyno_storage::seam::simulated::SimulatedDisk;
use logdyno_storage::suite::{Subject, faults};

fn run(backend: &str, check: fn(&Subject, &SimulatedDisk)) {
    for seed in 0..5 {
        if let Some((subject, disk)) = crate::unless_refused(Subject::on_simulated_disk(crate::kind(backend), seed)) {
            check(&subject, &disk);
        }
    }
}

macro_rules! faults {
    ($($check:ident)+) => {
        $(mod $check {
            use logdyno_storage::suite::faults::$check as check;

            #[test]
            fn buffered() { super::run("buffered", check); }
            #[test]
            fn mmap() { super::run("mmap", check); }
            #[test]
            fn uring() { super::run("uring", check); }
        })+

        #[test]
        fn every_fault_is_tested() {
            let tested = [$(stringify!($check)),+];
            assert_eq!(faults::CHECKS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), tested);
        }
    };
}

faults! {
    short_and_interrupted_calls_are_continued
    a_failed_sync_is_final
    a_failed_write_is_final
    a_new_files_name_is_part_of_its_sync
    a_full_disk_refuses_appends_until_there_is_space
    a_full_writer_has_taken_nothing
    cold_reads_never_wait_on_the_readers_thread
    a_failed_read_is_an_error_and_no_more
}
