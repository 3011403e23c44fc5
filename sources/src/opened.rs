//! The first bytes of a file: what it is, how its text is encoded, and the text from its beginning.

use crate::text_encoding::{self, HEAD_BYTES_MAX};
use crate::transcode::Transcode;
use crate::{Format, Mapping, ReadError};
use encoding_rs::{Encoding, UTF_8};
use std::cell::Cell;
use std::io::{self, Cursor, Read};
use std::rc::Rc;

/// A text file from its beginning, as UTF-8 without a byte order mark.
pub(crate) struct Opened<'r> {
    pub text: Box<dyn Read + 'r>,
    /// Bytes of the mark that was dropped.
    pub mark_bytes: u64,
    /// All bytes taken from the file, where those of the text do not tell.
    pub counter: Option<Rc<Cell<u64>>>,
}

/// Refuses what is known to be something else by its first bytes.
pub(crate) fn open_text<'r>(mut input: impl Read + 'r, mapping: &Mapping) -> Result<Opened<'r>, ReadError> {
    let mut head = vec![];
    (&mut input).take(4).read_to_end(&mut head)?;
    refuse_others(&head)?;
    let encoding = match (mapping.format, &mapping.csv.encoding) {
        (Format::Csv, Some(name)) => text_encoding::by_name(name).unwrap_or(UTF_8),
        (Format::Csv, None) => {
            (&mut input).take(HEAD_BYTES_MAX as u64).read_to_end(&mut head)?;
            text_encoding::find(&head).0
        }
        _ => {
            (&mut input).take(1_000).read_to_end(&mut head)?;
            let marked = Encoding::for_bom(&head).map(|(encoding, _)| encoding);
            marked.or_else(|| text_encoding::declared_in_xml(&head)).unwrap_or(UTF_8)
        }
    };
    if encoding == UTF_8 {
        let mark = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut head = Cursor::new(head);
        head.set_position(mark);
        return Ok(Opened { text: Box::new(head.chain(input)), mark_bytes: mark, counter: None });
    }
    let counter = Rc::new(Cell::new(0));
    let counted = Counted { input: Cursor::new(head).chain(input), count: Rc::clone(&counter) };
    Ok(Opened { text: Box::new(Transcode::new(counted, encoding)), mark_bytes: 0, counter: Some(counter) })
}

/// Files that are no text at all.
pub(crate) fn refuse_others(head: &[u8]) -> Result<(), ReadError> {
    let says = match head {
        [b'P', b'K', 3, 4, ..] => "the file is a zip archive or an Excel workbook, not what the mapping says",
        [0xd0, 0xcf, 0x11, 0xe0, ..] => "the file is an Excel workbook, not what the mapping says",
        [0x1f, 0x8b, ..] => "the file is compressed; unpack it first",
        [b'%', b'P', b'D', b'F', ..] => "the file is a PDF document; export the data as CSV",
        [b'P', b'A', b'R', b'1', ..] => "the file is Parquet, not what the mapping says",
        _ => return Ok(()),
    };
    Err(ReadError::NotThisFormat { says: says.to_owned() })
}

struct Counted<R> {
    input: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}
