//! A sealed object in, plain bytes out; or an error, and never bytes that were not there.

use super::{CHUNK_BITS_MAX, DataKey, HEADER_BYTES, MAGIC, OpeningStream, Place, SALT_BYTES, TAG_BYTES};
use aead_stream::Nonce;
use aes_gcm::aead::Payload;
use std::io::{self, BufReader, Read};

/// Reads the plain bytes of a sealed object.
///
/// Bytes are given out as their chunks are found whole; only the end of file says that nothing was cut off. Whoever
/// acts on what is read must read to the end first, or be able to undo.
pub struct Opener<R: Read> {
    plain: zstd::Decoder<'static, BufReader<Chunks<R>>>,
}

/// Why an object does not open. Carried inside [`io::Error`] while reading; see [`OpenError::of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("not a sealed object, or its first bytes are damaged")]
    NotSealed,
    #[error("damaged, cut off, moved from another place, or encrypted with another key")]
    Damaged,
}

impl OpenError {
    /// What a reading error was about, if it was about the object and not about the way to it.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

impl<R: Read> Opener<R> {
    /// Reads the header.
    pub fn new(mut sealed: R, key: &DataKey, place: &Place) -> io::Result<Self> {
        let mut header = [0; HEADER_BYTES];
        match sealed.read_exact(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(OpenError::NotSealed.into());
            }
            other => other?,
        }
        let bits = header[HEADER_BYTES - 1];
        if &header[..MAGIC.len()] != MAGIC || !(12..=CHUNK_BITS_MAX).contains(&bits) {
            return Err(OpenError::NotSealed.into());
        }
        let salt: [u8; SALT_BYTES] =
            header[MAGIC.len()..MAGIC.len() + SALT_BYTES].try_into().expect("a salt's length");
        let nonce = Nonce::<aes_gcm::Aes256Gcm, aead_stream::StreamBE32<aes_gcm::Aes256Gcm>>::from(salt);
        let chunks = Chunks {
            sealed,
            stream: Some(OpeningStream::from_aead(key.cipher(), &nonce)),
            bound_to: place.bound_to(&header),
            chunk_bytes: (1 << bits) + TAG_BYTES,
            next: None,
            plain: vec![],
            given: 0,
        };
        let plain = zstd::Decoder::new(chunks)?.single_frame();
        Ok(Self { plain })
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.plain.read(into)?;
        if read == 0 && !into.is_empty() {
            // zstd may be content with its frame before the last chunk has been seen.
            let rest = io::copy(self.plain.get_mut(), &mut io::sink())?;
            if rest > 0 {
                return Err(OpenError::Damaged.into());
            }
        }
        Ok(read)
    }
}

/// Decrypts chunk by chunk; at the end of file everything was there.
struct Chunks<R> {
    sealed: R,
    /// `None` once the last chunk is opened.
    stream: Option<OpeningStream>,
    bound_to: Vec<u8>,
    chunk_bytes: usize,
    /// The sealed chunk that comes next: whether it is the last shows only when no more follows.
    next: Option<Vec<u8>>,
    plain: Vec<u8>,
    given: usize,
}

impl<R: Read> Chunks<R> {
    fn read_chunk(&mut self) -> io::Result<Vec<u8>> {
        let mut chunk = Vec::with_capacity(self.chunk_bytes);
        self.sealed.by_ref().take(self.chunk_bytes as u64).read_to_end(&mut chunk)?;
        Ok(chunk)
    }

    /// `false` at the end.
    fn open_next(&mut self) -> io::Result<bool> {
        let Some(mut stream) = self.stream.take() else { return Ok(false) };
        let chunk = match self.next.take() {
            Some(chunk) => chunk,
            None => self.read_chunk()?,
        };
        let following = self.read_chunk()?;
        let payload = Payload { msg: &chunk, aad: &self.bound_to };
        self.plain = if following.is_empty() {
            stream.decrypt_last(payload)
        } else {
            stream.decrypt_next(payload).inspect(|_| {
                self.next = Some(following);
                self.stream = Some(stream);
            })
        }
        .map_err(|_| OpenError::Damaged)?;
        self.given = 0;
        Ok(true)
    }
}

impl<R: Read> Read for Chunks<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.plain.len() {
            if !self.open_next()? {
                return Ok(0);
            }
        }
        let length = into.len().min(self.plain.len() - self.given);
        into[..length].copy_from_slice(&self.plain[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}
