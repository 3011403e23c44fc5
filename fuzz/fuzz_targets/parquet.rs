//! Files read as `parquet`, whatever they are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sources::Format;

fuzz_target!(|bytes: &[u8]| counterfoil_fuzz::file(Format::Parquet, bytes));
