//! Several streams of unknown length in one tar: each is cut into parts, so that nothing has to be known or kept
//! before it is written, and any tar can take it apart.

use std::io::{self, Read, Write};

/// A part's size; the memory that writing takes.
pub const PART_BYTES: usize = 4 << 20;

pub(crate) struct PartsWriter<W: Write> {
    tar: tar::Builder<W>,
    name: String,
    number: u32,
    part: Vec<u8>,
}

impl<W: Write> PartsWriter<W> {
    pub fn new(out: W) -> Self {
        Self { tar: tar::Builder::new(out), name: String::new(), number: 0, part: vec![] }
    }

    /// Begins the stream `name`, of letters, digits, `_`, `.` and `-`; ends the one before.
    pub fn begin(&mut self, name: &str) -> io::Result<()> {
        self.end_stream()?;
        self.name = name.to_owned();
        self.number = 0;
        Ok(())
    }

    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = bytes.len().min(PART_BYTES - self.part.len());
            self.part.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.part.len() == PART_BYTES {
                self.end_part()?;
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.end_stream()?;
        self.tar.into_inner().map(drop)
    }

    /// An empty stream has one empty part.
    fn end_stream(&mut self) -> io::Result<()> {
        if !self.name.is_empty() && (!self.part.is_empty() || self.number == 0) {
            self.end_part()?;
        }
        Ok(())
    }

    fn end_part(&mut self) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(self.part.len() as u64);
        header.set_mode(0o600);
        self.number += 1;
        let path = format!("{}/{:06}", self.name, self.number);
        self.tar.append_data(&mut header, path, self.part.as_slice())?;
        self.part.clear();
        Ok(())
    }
}

/// Gives back what a [`PartsWriter`] wrote, piece by piece in order.
pub(crate) struct PartsReader<R: Read> {
    tar: tar::Archive<R>,
}

impl<R: Read> PartsReader<R> {
    pub fn new(from: R) -> Self {
        Self { tar: tar::Archive::new(from) }
    }

    /// `take` gets the stream's name and a piece of it; the first piece of a stream may be empty.
    pub fn read(mut self, mut take: impl FnMut(&str, Vec<u8>) -> io::Result<()>) -> io::Result<()> {
        let odd = || io::Error::new(io::ErrorKind::InvalidData, "not a part of a backup");
        for entry in self.tar.entries()? {
            let mut entry = entry?;
            if entry.size() > PART_BYTES as u64 {
                return Err(odd());
            }
            let path = entry.path()?.into_owned();
            let name = path.to_str().and_then(|path| path.split_once('/')).ok_or_else(odd)?.0.to_owned();
            let mut piece = Vec::with_capacity(entry.size() as usize);
            entry.read_to_end(&mut piece)?;
            take(&name, piece)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_any_length_come_back_in_order() {
        let streams = [("a", 0), ("b", 1), ("c", PART_BYTES), ("d", 2 * PART_BYTES + 5)]
            .map(|(n, l)| (n, vec![7u8; l]));
        let mut out = vec![];
        let mut writer = PartsWriter::new(&mut out);
        for (name, bytes) in &streams {
            writer.begin(name).unwrap();
            for piece in bytes.chunks(1_000_003) {
                writer.write(piece).unwrap();
            }
        }
        writer.finish().unwrap();
        let mut back = Vec::<(String, Vec<u8>)>::new();
        PartsReader::new(out.as_slice())
            .read(|name, piece| {
                if back.last().is_none_or(|(last, _)| last != name) {
                    back.push((name.to_owned(), vec![]));
                }
                back.last_mut().unwrap().1.extend(piece);
                Ok(())
            })
            .unwrap();
        assert!(back == streams.map(|(name, bytes)| (name.to_owned(), bytes)));
    }
}
