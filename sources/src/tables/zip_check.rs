//! Refuses archives that are small on disk and endless in memory.

use super::{broken, not_this_format};
use crate::ReadError;
use std::fs::File;
use std::io::{self, BufReader, Read};
use zip::ZipArchive;

const PARTS_MAX: usize = 10_000;

/// Unpacks everything once and counts: what an archive says about itself may be wrong.
pub(super) fn check(file: &File, unpacked_bytes_max: u64) -> Result<(), ReadError> {
    let mut archive = ZipArchive::new(BufReader::new(file.try_clone()?)).map_err(broken)?;
    if archive.len() > PARTS_MAX {
        return Err(not_this_format(&format!("it has more than {PARTS_MAX} parts")));
    }
    let mut left = unpacked_bytes_max;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(broken)?;
        if part.name().is_ok_and(|name| name == "xl/workbook.bin") {
            return Err(not_this_format("it is a binary Excel workbook (.xlsb): save it as .xlsx"));
        }
        let unpacked = io::copy(&mut part.take(left + 1), &mut io::sink()).map_err(broken)?;
        left = left
            .checked_sub(unpacked)
            .ok_or_else(|| not_this_format(&format!("it unpacks to more than {unpacked_bytes_max} bytes")))?;
    }
    Ok(())
}
