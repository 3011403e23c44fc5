//! Rule sets as TOML and JSON, and what they do with a few records.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| counterfoil_fuzz::rule_file(bytes));
