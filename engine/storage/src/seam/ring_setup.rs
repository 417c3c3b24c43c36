//! Setting up an io_uring, or saying why this kernel will not have it and what to do.

use std::io;

use io_uring::{IoUring, Probe, opcode};

/// What an operation that this backend needs is called in refusals.
const NEEDED: [(u8, &str); 5] = [
    (opcode::Read::CODE, "READ"),
    (opcode::Write::CODE, "WRITE"),
    (opcode::Writev::CODE, "WRITEV"),
    (opcode::Fsync::CODE, "FSYNC"),
    (opcode::PollAdd::CODE, "POLL_ADD"),
];

/// The ring with the flags that suit one owning thread, or without where the kernel does not know them
/// (COOP_TASKRUN is of 5.19, SINGLE_ISSUER of 6.0, DEFER_TASKRUN of 6.1).
pub(super) fn set_up(entries: u32) -> io::Result<IoUring> {
    let owned =
        IoUring::builder().dontfork().setup_single_issuer().setup_coop_taskrun().setup_defer_taskrun().build(entries);
    let ring = match owned {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => IoUring::builder().dontfork().build(entries),
        made => made,
    };
    let ring = ring.map_err(|error| explain_refusal(&error))?;
    check_operations(&ring)?;
    Ok(ring)
}

/// What the kernel's refusal to make a ring means, and what to do about it.
fn explain_refusal(error: &io::Error) -> io::Error {
    let remedy = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "rings are forbidden to this process: set sysctl kernel.io_uring_disabled to 0, or allow io_uring_setup in the container's seccomp profile"
        }
        Some(libc::ENOSYS) => "this kernel has no io_uring: use Linux 5.11 or later, or another backend",
        Some(libc::ENOMEM) => "locked memory is exhausted: raise RLIMIT_MEMLOCK (ulimit -l)",
        _ => "use another backend",
    };
    io::Error::new(error.kind(), format!("io_uring_setup failed ({error}); {remedy}"))
}

/// Asks the kernel what it can (`IORING_REGISTER_PROBE`) instead of finding out from a failed write.
fn check_operations(ring: &IoUring) -> io::Result<()> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    let mut missing: Vec<&str> =
        NEEDED.iter().filter(|(code, _)| !probe.is_supported(*code)).map(|(_, name)| *name).collect();
    let features = ring.params();
    missing.extend((!features.is_feature_ext_arg()).then_some("waiting with a timeout"));
    missing.extend((!features.is_feature_nodrop()).then_some("keeping every completion"));
    if missing.is_empty() {
        return Ok(());
    }
    let message =
        format!("this kernel's io_uring lacks {}: use Linux 5.11 or later, or another backend", missing.join(", "));
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}
