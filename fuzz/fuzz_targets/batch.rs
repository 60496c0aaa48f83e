#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wreimage_fuzz_targets::batch(data));
