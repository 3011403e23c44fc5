//! The names of the sheets of a workbook, without its cells.

use super::{broken, ods};
use crate::ReadError;
use quick_xml::Reader;
use quick_xml::events::Event;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use zip::ZipArchive;

/// Names beyond are left out.
const SHEETS_MAX: usize = 200;
const WORKBOOK: &str = "xl/workbook.xml";
/// Bytes of the list of sheets, unpacked.
const WORKBOOK_BYTES_MAX: u64 = 4 << 20;

/// In the order of the workbook, at most 200; empty for what is no workbook. Of one that was read before: what it
/// unpacks to is not counted again.
pub(crate) fn sheet_names(mut file: File) -> Result<Vec<String>, ReadError> {
    let mut magic = [0; 4];
    file.rewind()?;
    let is_archive = file.read_exact(&mut magic).is_ok() && magic == *b"PK\x03\x04";
    file.rewind()?;
    if !is_archive {
        return Ok(vec![]);
    }
    let read = catch_unwind(AssertUnwindSafe(|| match ods::content_of(&file)? {
        Some(mut archive) => ods::sheet_names(&mut archive),
        None => of_excel(file),
    }));
    let mut names = read.unwrap_or_else(|_| Err(broken("its structure is damaged")))?;
    names.truncate(SHEETS_MAX);
    Ok(names)
}

fn of_excel(file: File) -> Result<Vec<String>, ReadError> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    // Workbooks that keep the list elsewhere are read by their first sheet.
    let Ok(workbook) = archive.by_name(WORKBOOK) else { return Ok(vec![]) };
    let mut reader = Reader::from_reader(BufReader::new(workbook.take(WORKBOOK_BYTES_MAX)));
    let (mut names, mut buffer) = (vec![], vec![]);
    loop {
        buffer.clear();
        match ods::next(&mut reader, &mut buffer)? {
            Event::Start(start) | Event::Empty(start) if start.local_name().as_ref() == "sheet" => {
                names.extend(ods::attribute(&start, "name")?);
            }
            Event::Eof => return Ok(names),
            _ => {}
        }
    }
}
