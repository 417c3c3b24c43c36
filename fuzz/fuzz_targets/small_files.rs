#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| logdyno_fuzz::files::lie(bytes));
