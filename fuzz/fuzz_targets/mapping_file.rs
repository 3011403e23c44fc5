//! Mappings as TOML and JSON, and what they make of a file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| counterfoil_fuzz::mapping_file(bytes));
