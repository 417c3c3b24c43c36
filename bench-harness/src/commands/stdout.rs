//! Documents on stdout.

use std::fmt::Display;
use std::io::{BufWriter, ErrorKind, Write, stdout};

/// Prints a document as it is. Who closes the pipe before its end has read enough, and that is no error.
pub(super) fn print(document: impl Display) -> anyhow::Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    match write!(out, "{document}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a document and ends its line.
pub(super) fn print_line(document: impl Display) -> anyhow::Result<()> {
    print(format_args!("{document}\n"))
}

/// Whether something could not be printed because nobody reads any more.
pub(super) fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
