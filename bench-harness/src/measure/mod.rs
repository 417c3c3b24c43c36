//! What a run is measured by: stamps and receipts come in from all threads ([`Recorder`]) and are joined by partition and offset.

mod recorder;

pub use recorder::Recorder;
