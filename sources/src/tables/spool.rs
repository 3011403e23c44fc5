//! A copy of the input that can be read from any place.

use crate::ReadError;
use std::fs::File;
use std::io::{Read, Seek, Write};

/// Bytes of a workbook or column file; what is larger is for a database.
const SPOOL_BYTES_MAX: u64 = 16 << 30;
const CHUNK_BYTES: usize = 1 << 20;

/// Copies everything into a temporary file without a name, which goes when it is closed.
pub(crate) fn spool(
    mut input: impl Read,
    mut tick: impl FnMut(u64) -> Result<(), ReadError>,
) -> Result<File, ReadError> {
    let mut file = tempfile::tempfile()?;
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    let mut copied = 0;
    loop {
        chunk.clear();
        if (&mut input).take(CHUNK_BYTES as u64).read_to_end(&mut chunk)? == 0 {
            break;
        }
        copied += chunk.len() as u64;
        if copied > SPOOL_BYTES_MAX {
            let says = format!("the file has more than {SPOOL_BYTES_MAX} bytes");
            return Err(ReadError::NotThisFormat { says });
        }
        file.write_all(&chunk)?;
        tick(copied)?;
    }
    file.rewind()?;
    Ok(file)
}
