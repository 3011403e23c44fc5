//! Plain bytes in, a sealed object out.

use super::{
    CHUNK_BITS, CHUNK_BYTES, DataKey, HEADER_BYTES, KeyError, MAGIC, Place, SALT_BYTES, SealingStream,
    TAG_BYTES,
};
use aead_stream::Nonce;
use aes_gcm::aead::Payload;
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use std::io::{self, Write};

/// Writes a sealed object to `W`. Nothing of it opens before [`Self::finish`] has written the last chunk.
pub struct Sealer<W: Write> {
    compressor: zstd::Encoder<'static, Chunks<W>>,
    plain_bytes: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub plain_bytes: u64,
    pub sealed_bytes: u64,
    /// Of the sealed bytes, header included: what a store must give back.
    pub sha256: [u8; 32],
}

impl<W: Write> Sealer<W> {
    /// `level`: zstd's, 1 to 19; `threads`: that compress, 0 for this one alone.
    pub fn new(out: W, key: &DataKey, place: &Place, level: i32, threads: u32) -> io::Result<Self> {
        let mut header = [0; HEADER_BYTES];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        let salt = &mut header[MAGIC.len()..MAGIC.len() + SALT_BYTES];
        SysRng.try_fill_bytes(salt).map_err(|_| io::Error::other(KeyError::NoRandomness))?;
        let nonce: [u8; SALT_BYTES] = (&*salt).try_into().expect("a salt's length");
        header[HEADER_BYTES - 1] = CHUNK_BITS;
        let mut chunks = Chunks {
            out,
            stream: Some(SealingStream::from_aead(
                key.cipher(),
                &Nonce::<aes_gcm::Aes256Gcm, aead_stream::StreamBE32<aes_gcm::Aes256Gcm>>::from(nonce),
            )),
            bound_to: place.bound_to(&header),
            plain: Vec::with_capacity(CHUNK_BYTES),
            written: 0,
            digest: Sha256::new(),
        };
        chunks.send(&header)?;
        let mut compressor = zstd::Encoder::new(chunks, level)?;
        compressor.include_checksum(true)?;
        compressor.multithread(threads)?;
        Ok(Self { compressor, plain_bytes: 0 })
    }

    /// Writes what is left and the end; flushes `W`.
    pub fn finish(self) -> io::Result<(W, Sealed)> {
        let mut chunks = self.compressor.finish()?;
        chunks.seal_last()?;
        chunks.out.flush()?;
        let sealed = Sealed {
            plain_bytes: self.plain_bytes,
            sealed_bytes: chunks.written,
            sha256: chunks.digest.finalize().into(),
        };
        Ok((chunks.out, sealed))
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, plain: &[u8]) -> io::Result<usize> {
        let taken = self.compressor.write(plain)?;
        self.plain_bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // Chunks are full ones: a shorter one would be the last.
        Ok(())
    }
}

/// Encrypts what zstd writes, chunk by chunk.
struct Chunks<W> {
    out: W,
    /// `None` once the last chunk is sealed.
    stream: Option<SealingStream>,
    bound_to: Vec<u8>,
    plain: Vec<u8>,
    written: u64,
    digest: Sha256,
}

impl<W: Write> Chunks<W> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.digest.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Seals a full chunk that is not the last.
    fn seal_next(&mut self) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or_else(|| io::Error::other("sealed already"))?;
        let payload = Payload { msg: &self.plain, aad: &self.bound_to };
        let sealed = stream.encrypt_next(payload).map_err(|_| too_large())?;
        debug_assert_eq!(sealed.len(), CHUNK_BYTES + TAG_BYTES);
        self.plain.clear();
        self.send(&sealed)
    }

    fn seal_last(&mut self) -> io::Result<()> {
        let stream = self.stream.take().ok_or_else(|| io::Error::other("sealed already"))?;
        let payload = Payload { msg: &self.plain, aad: &self.bound_to };
        let sealed = stream.encrypt_last(payload).map_err(|_| too_large())?;
        self.send(&sealed)
    }
}

/// 2^32 chunks: four petabytes.
fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "an object has at most 2^32 chunks")
}

impl<W: Write> Write for Chunks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits until more comes: the last one may be full, but it must be sealed as the last.
        if self.plain.len() == CHUNK_BYTES {
            self.seal_next()?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.plain.len());
        self.plain.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
