//! How fast memory is that nobody has used lately. The host of a virtual machine takes free pages back, and gives each again when it is
//! touched: page cache and maps, which always take new pages, are slowed by that, and a measurement of them with it.
//!
//! A guest tells its host of large free pages (of 2 MiB: `page_reporting_order` in the kernel's `mm/page_reporting.c`), so large ones are tried.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::mm::{Advice, madvise};

use super::Fact;

/// What was freed a moment ago is given out first, and may hide that the rest is slow: no advice is no promise. More would find more, and
/// might be what a small machine does not have.
const BYTES: usize = 256 << 20;
const PAGE: usize = 4096;
const LARGE_PAGE: usize = 2 << 20;
/// A first touch that takes so many times as long as the next one is named. What both have in common is the kernel's own work.
const TIMES_MAX: f64 = 2.0;

/// Touches each page of new memory, and of the same memory once it was freed.
pub(super) fn first_touch() -> Fact {
    let first = touch();
    // The best of a few: pages that were freed by others come in between.
    let again = (0..3).map(|_| touch()).min().unwrap_or(first);
    judge(first, again)
}

fn touch() -> Duration {
    let mut memory = vec![0_u8; BYTES + LARGE_PAGE];
    let start = memory.as_ptr().align_offset(LARGE_PAGE);
    let memory = &mut memory[start..start + BYTES];
    // SAFETY: the range is the vector's own, and the advice changes none of its bytes.
    let advised = unsafe { madvise(memory.as_mut_ptr().cast(), BYTES, Advice::LinuxHugepage) };
    // A kernel without large pages gives small ones.
    advised.unwrap_or_default();
    let begun = Instant::now();
    memory.chunks_mut(PAGE).for_each(|page| page[0] = 1);
    black_box(memory);
    begun.elapsed()
}

fn judge(first: Duration, again: Duration) -> Fact {
    let rate = |took: Duration| BYTES as f64 / took.as_secs_f64().max(1e-9) / 1e9;
    let advice = if first.as_secs_f64() > TIMES_MAX * again.as_secs_f64() {
        "the host gives pages when they are touched: page cache and mmap are slow until what they use was used before; run several --repetitions"
    } else {
        ""
    };
    let value = format!("{:.1} GB/s, {:.1} when freed a moment ago", rate(first), rate(again));
    Fact { name: "memory, first touch", value, advice: advice.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_memory_that_the_host_has_taken_back_is_named() {
        let advice = |first, again| judge(Duration::from_millis(first), Duration::from_millis(again)).advice;
        assert!(advice(640, 60).contains("host"));
        assert_eq!(advice(100, 60), "");
        assert_eq!(
            judge(Duration::from_millis(640), Duration::from_millis(64)).value,
            "0.4 GB/s, 4.2 when freed a moment ago"
        );
    }
}
