//! Files of any kind, read by what they seem to be.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| counterfoil_fuzz::detected(bytes));
