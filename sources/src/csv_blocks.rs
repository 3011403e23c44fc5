//! A CSV file in blocks of whole lines, so that several can be read at once.

use crate::ReadError;
use std::io::{self, Read};

/// Large enough that a block is worth a thread, small enough that a cancelled reading ends at once.
pub(crate) const BLOCK_BYTES: usize = 256 << 10;

/// Whole lines, but for the last one of a file, and for one that is longer than any line may be, of which only
/// the beginning is there.
pub(crate) struct Block {
    pub bytes: Vec<u8>,
    /// Number, from 1, of the file's line with which it begins.
    pub line: u64,
    pub is_last: bool,
    /// Bytes taken from the file when the block was read.
    pub bytes_read: u64,
}

pub(crate) struct Blocks<R> {
    input: R,
    /// Read, but not handed on.
    ahead: Vec<u8>,
    line: u64,
    bytes_read: u64,
    block_bytes: usize,
    line_bytes_max: usize,
    ended: bool,
}

impl<R: Read> Blocks<R> {
    /// `ahead` was read already and comes first; it is among the `bytes_read`.
    pub fn new(input: R, ahead: Vec<u8>, line: u64, bytes_read: u64, line_bytes_max: usize) -> Self {
        Blocks { input, ahead, line, bytes_read, block_bytes: BLOCK_BYTES, line_bytes_max, ended: false }
    }

    #[cfg(test)]
    pub fn in_blocks_of(self, block_bytes: usize) -> Self {
        Blocks { block_bytes, ..self }
    }

    /// `tick` is called with the bytes read so far while the rest of an endless line is skipped.
    pub fn next(
        &mut self,
        mut tick: impl FnMut(u64) -> Result<(), ReadError>,
    ) -> Result<Option<Block>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let mut bytes = std::mem::take(&mut self.ahead);
        let mut wanted = self.block_bytes;
        loop {
            let is_short = self.fill(&mut bytes, wanted)?;
            if is_short {
                self.ended = true;
                return Ok(Some(self.block(bytes)));
            }
            if let Some(last) = bytes.iter().rposition(|b| *b == b'\n') {
                self.ahead = bytes.split_off(last + 1);
                return Ok(Some(self.block(bytes)));
            }
            if bytes.len() > self.line_bytes_max {
                break;
            }
            wanted = bytes.len() + self.block_bytes.max(self.line_bytes_max + 1 - bytes.len());
        }
        bytes.truncate(self.line_bytes_max + 1);
        let mut rest = vec![];
        loop {
            rest.clear();
            let is_short = self.fill(&mut rest, 64 << 10)?;
            if let Some(end) = rest.iter().position(|b| *b == b'\n') {
                self.ahead = rest.split_off(end + 1);
                break;
            }
            if is_short {
                self.ended = true;
                break;
            }
            tick(self.bytes_read)?;
        }
        let block = self.block(bytes);
        self.line += 1;
        Ok(Some(block))
    }

    fn block(&mut self, bytes: Vec<u8>) -> Block {
        let line = self.line;
        self.line += bytes.iter().filter(|b| **b == b'\n').count() as u64;
        Block { bytes, line, is_last: self.ended, bytes_read: self.bytes_read }
    }

    /// True when the file has no more.
    fn fill(&mut self, bytes: &mut Vec<u8>, wanted: usize) -> io::Result<bool> {
        let room = wanted.saturating_sub(bytes.len());
        bytes.reserve_exact(room);
        let read = (&mut self.input).take(room as u64).read_to_end(bytes)?;
        self.bytes_read += read as u64;
        Ok(read < room)
    }
}
