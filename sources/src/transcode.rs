//! A file in any encoding, read as UTF-8.

use encoding_rs::{Decoder, DecoderResult, Encoding};
use std::io::{self, Read};

const CHUNK_BYTES: usize = 32 << 10;
/// No UTF-8 text contains it: it stands where the file has no character of its encoding, so that its line is
/// rejected like any other that cannot be read.
const BROKEN: u8 = 0xff;

pub(crate) struct Transcode<R> {
    input: R,
    decoder: Decoder,
    raw: Vec<u8>,
    raw_at: usize,
    text: Vec<u8>,
    text_at: usize,
    /// Nothing is left to read, …
    ended: bool,
    /// … nor to decode.
    done: bool,
}

impl<R: Read> Transcode<R> {
    /// Drops a byte order mark of that encoding.
    pub fn new(input: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        Transcode {
            input,
            decoder,
            raw: vec![],
            raw_at: 0,
            text: vec![],
            text_at: 0,
            ended: false,
            done: false,
        }
    }

    /// Decodes the next chunk; nothing is left when it is empty.
    fn refill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.text_at = 0;
        while self.text.is_empty() && !self.done {
            if self.raw_at == self.raw.len() && !self.ended {
                self.raw.clear();
                self.raw_at = 0;
                let read = Read::take(&mut self.input, CHUNK_BYTES as u64).read_to_end(&mut self.raw)?;
                self.ended = read < CHUNK_BYTES;
            }
            self.text.resize(CHUNK_BYTES * 3 + 16, 0);
            let raw = &self.raw[self.raw_at..];
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(raw, &mut self.text, self.ended);
            self.text.truncate(written);
            self.raw_at += read;
            match result {
                DecoderResult::Malformed(..) => self.text.push(BROKEN),
                DecoderResult::InputEmpty if self.ended => {
                    self.done = true;
                }
                DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Transcode<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.text_at == self.text.len() {
            self.refill()?;
        }
        let length = into.len().min(self.text.len() - self.text_at);
        into[..length].copy_from_slice(&self.text[self.text_at..self.text_at + length]);
        self.text_at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_encoding_becomes_utf_8_whatever_the_chunks() {
        let text = "id;Text\n1;Sch\u{f6}ne Gr\u{fc}\u{df}e \u{20ac}\n".repeat(3_000);
        let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let (windows_1252, _, _) = encoding_rs::WINDOWS_1252.encode(&text);
        for (bytes, encoding) in [
            (utf_16, encoding_rs::UTF_16BE),
            (windows_1252.into_owned(), encoding_rs::WINDOWS_1252),
            ([b"\xef\xbb\xbf", text.as_bytes()].concat(), encoding_rs::UTF_8),
        ] {
            let mut decoded = String::new();
            Transcode::new(bytes.as_slice(), encoding).read_to_string(&mut decoded).expect("UTF-8");
            assert!(decoded == text, "{}", encoding.name());
        }
    }

    #[test]
    fn what_is_no_character_stays_visible() {
        let mut decoded = vec![];
        let bytes = [b'a', 0, 0x00, 0xdc, b'b', 0, b'c'];
        Transcode::new(&bytes[..], encoding_rs::UTF_16LE).read_to_end(&mut decoded).expect("bytes");
        assert_eq!(decoded, [b'a', BROKEN, b'b', BROKEN]);
    }
}
