//! The promises of the contract that need no faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Subject;

mod appending;
mod marks;
mod names;
mod reading;
mod reopening;

pub use self::appending::{
    a_file_is_exactly_what_was_appended, an_append_is_copied_at_most_once, an_append_may_be_as_large_as_the_file,
    an_append_of_many_parts_is_one, appends_beyond_the_capacity_are_refused,
};
pub use self::marks::{marks_keep_their_order, waiters_are_served_in_order};
pub use self::names::{names_are_taken_once, small_files_are_replaced_whole};
pub use self::reading::{
    readers_go_on_while_a_writer_appends, readers_see_what_append_returned, reads_end_at_the_end,
    removed_and_renamed_files_stay_readable,
};
pub use self::reopening::{
    a_second_cut_leaves_lent_bytes_alone, reopen_keeps_the_valid_bytes_only, reopen_leaves_lent_bytes_alone,
};

/// Panics where a promise is broken.
pub type Check = fn(&Subject);

/// All checks by name.
pub const CHECKS: &[(&str, Check)] = &[
    ("readers_see_what_append_returned", readers_see_what_append_returned),
    ("readers_go_on_while_a_writer_appends", readers_go_on_while_a_writer_appends),
    ("reads_end_at_the_end", reads_end_at_the_end),
    ("a_file_is_exactly_what_was_appended", a_file_is_exactly_what_was_appended),
    ("an_append_of_many_parts_is_one", an_append_of_many_parts_is_one),
    ("an_append_may_be_as_large_as_the_file", an_append_may_be_as_large_as_the_file),
    ("an_append_is_copied_at_most_once", an_append_is_copied_at_most_once),
    ("appends_beyond_the_capacity_are_refused", appends_beyond_the_capacity_are_refused),
    ("marks_keep_their_order", marks_keep_their_order),
    ("waiters_are_served_in_order", waiters_are_served_in_order),
    ("reopen_keeps_the_valid_bytes_only", reopen_keeps_the_valid_bytes_only),
    ("reopen_leaves_lent_bytes_alone", reopen_leaves_lent_bytes_alone),
    ("a_second_cut_leaves_lent_bytes_alone", a_second_cut_leaves_lent_bytes_alone),
    ("removed_and_renamed_files_stay_readable", removed_and_renamed_files_stay_readable),
    ("names_are_taken_once", names_are_taken_once),
    ("small_files_are_replaced_whole", small_files_are_replaced_whole),
];

const CAPACITY: u64 = 8 << 20;

/// Sizes around everything that backends treat differently: nothing, blocks, combining buffers, chunks.
const SIZES: &[usize] =
    &[1, 61, 0, 511, 512, 4035, 4096, 4097, 65_535, 65_536, 65_537, 100, 200_000, 7, 16_384, 16_384, 300_000, 33];

/// Sets its flag when the scope ends that watchers run beside, also when that fails.
struct EndOnDrop(Arc<AtomicBool>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
