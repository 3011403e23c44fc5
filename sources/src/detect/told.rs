//! What a person says of a file, where what was found out is wrong.

use crate::text_encoding;
use crate::{ExcelOptions, ReadError};
use encoding_rs::Encoding;
use std::ops::RangeInclusive;

/// Overrides what [`super::peek_columns_as`] would find out by itself. What does not concern the format of the file is
/// left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Between the cells of a CSV file; ASCII.
    pub delimiter: Option<char>,
    /// Of a CSV file; a name of the Encoding Standard.
    pub encoding: Option<String>,
    /// Line (CSV) or row (Excel), from 1, with the names of the columns: one of [`Told::HEADER_LINES`].
    pub header_line: Option<u32>,
    /// Of a workbook.
    pub sheet: Option<String>,
}

impl Told {
    /// So far into a file it is looked for the names of the columns.
    pub const HEADER_LINES: RangeInclusive<u32> = 1..=400;

    pub(super) fn encoding(&self) -> Result<Option<&'static Encoding>, ReadError> {
        let Some(name) = &self.encoding else { return Ok(None) };
        match text_encoding::by_name(name) {
            Some(encoding) => Ok(Some(encoding)),
            None => Err(not_so(format!("there is no encoding {name:?}"))),
        }
    }

    pub(super) fn excel(&self) -> ExcelOptions {
        ExcelOptions { sheet: self.sheet.clone(), header_row: self.header_line }
    }

    /// The place of the header among lines with these numbers, if it was told.
    pub(super) fn header_among(&self, numbers: &[u64]) -> Result<Option<usize>, ReadError> {
        let Some(line) = self.header_line else { return Ok(None) };
        match numbers.iter().position(|number| *number == u64::from(line)) {
            Some(at) => Ok(Some(at)),
            None => Err(not_so(format!("line {line} has no names of columns"))),
        }
    }
}

fn not_so(says: String) -> ReadError {
    ReadError::NotThisFormat { says }
}
