//! The lines of a file as its bytes have them, with the possibility to put some back.

use std::io::{self, BufRead, Read};

pub(crate) struct PhysicalLines<B> {
    input: B,
    /// Read before, to be read again; what lies before `again_at` is used up.
    again: Vec<u8>,
    again_at: usize,
    bytes_read: u64,
}

impl<B: BufRead> PhysicalLines<B> {
    /// `bytes_read` have been taken from the file already.
    pub fn new(input: B, bytes_read: u64) -> Self {
        PhysicalLines { input, again: vec![], again_at: 0, bytes_read }
    }

    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// What was put back, and the rest of the input.
    pub fn into_rest(mut self) -> (Vec<u8>, B) {
        (self.again.split_off(self.again_at), self.input)
    }

    /// Appends up to and including the next LF, at most `room` bytes. Returns how many; 0 at the end.
    pub fn append(&mut self, into: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        let pending = &self.again[self.again_at..];
        let pending = &pending[..pending.len().min(room)];
        let length = pending.iter().position(|b| *b == b'\n').map_or(pending.len(), |i| i + 1);
        into.extend_from_slice(&pending[..length]);
        let complete = length == room || pending[..length].last() == Some(&b'\n');
        self.again_at += length;
        if self.again_at == self.again.len() {
            self.again.clear();
            self.again_at = 0;
        }
        if complete {
            return Ok(length);
        }
        let fresh = (&mut self.input).take((room - length) as u64).read_until(b'\n', into)?;
        self.bytes_read += fresh as u64;
        Ok(length + fresh)
    }

    /// Puts `bytes` in front of what is still unread.
    pub fn put_back(&mut self, bytes: Vec<u8>) {
        self.again.splice(..self.again_at, bytes);
        self.again_at = 0;
    }

    /// Drops the rest of a line, 64 KiB at a time with a `tick` after each.
    pub fn skip_rest<E: From<io::Error>>(
        &mut self,
        mut tick: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut dropped = vec![];
        loop {
            dropped.clear();
            if self.append(&mut dropped, 64 << 10)? == 0 || dropped.last() == Some(&b'\n') {
                return Ok(());
            }
            tick(self.bytes_read)?;
        }
    }
}
