//! Every promise × every backend × both disks.

use logdyno_storage::suite::{Subject, conformance};

fn on_real_disk(backend: &str, check: fn(&Subject)) {
    let dir = tempfile::tempdir().unwrap();
    if let Some(subject) = crate::unless_refused(Subject::on_real_disk(crate::kind(backend), dir.path())) {
        check(&subject);
    }
}

fn on_simulated_disk(backend: &str, check: fn(&Subject)) {
    for seed in 0..3 {
        if let Some((subject, _)) = crate::unless_refused(Subject::on_simulated_disk(crate::kind(backend), seed)) {
            check(&subject);
        }
    }
}

macro_rules! promises {
    ($($check:ident)+) => {
        $(mod $check {
            use logdyno_storage::suite::conformance::$check as check;

            #[test]
            fn buffered_on_real_disk() { super::on_real_disk("buffered", check); }
            #[test]
            fn buffered_on_simulated_disk() { super::on_simulated_disk("buffered", check); }
            #[test]
            fn mmap_on_real_disk() { super::on_real_disk("mmap", check); }
            #[test]
            fn mmap_on_simulated_disk() { super::on_simulated_disk("mmap", check); }
            #[test]
            fn uring_on_real_disk() { super::on_real_disk("uring", check); }
            #[test]
            fn uring_on_simulated_disk() { super::on_simulated_disk("uring", check); }
        })+

        #[test]
        fn every_promise_is_tested() {
            let tested = [$(stringify!($check)),+];
            assert_eq!(conformance::CHECKS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), tested);
        }
    };
}

promises! {
    readers_see_what_append_returned
    readers_go_on_while_a_writer_appends
    reads_end_at_the_end
    a_file_is_exactly_what_was_appended
    an_append_of_many_parts_is_one
    an_append_may_be_as_large_as_the_file
    an_append_is_copied_at_most_once
    appends_beyond_the_capacity_are_refused
    marks_keep_their_order
    waiters_are_served_in_order
    reopen_keeps_the_valid_bytes_only
    reopen_leaves_lent_bytes_alone
    a_second_cut_leaves_lent_bytes_alone
    removed_and_renamed_files_stay_readable
    names_are_taken_once
    small_files_are_replaced_whole
}
