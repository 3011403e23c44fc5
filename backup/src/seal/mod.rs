//! The form in which bytes leave this machine: compressed, encrypted, and unable to be anything but what they were.
//!
//! An object is a header and then chunks: `magic (8) · salt (7) · chunk size as a power of two (1)`,
//! then each chunk of plain bytes as AES-256-GCM ciphertext with its 16-byte tag. Chunks are joined by the STREAM
//! construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance, 2015): position and a last-chunk flag are in the nonce, so a chunk that is missing, repeated,
//! moved or cut off is noticed. The header and the object's [`Place`] are authenticated with every chunk: an object
//! that is whole but belongs elsewhere is refused as well. Plain bytes are one zstd frame.
//!
//! Each backup has a data key of its own, which exists in the stores only wrapped by a key of the [`KeyRing`].

mod keys;
mod opener;
mod sealer;

pub use keys::{DataKey, KeyError, KeyId, KeyRing, WrappedKey};
pub use opener::{OpenError, Opener};
pub use sealer::{Sealed, Sealer};

use aes_gcm::Aes256Gcm;
use uuid::Uuid;

/// Plain bytes of a chunk; the memory that sealing and opening need is a few of these.
pub const CHUNK_BYTES: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u8 = 20;
/// Larger ones in a header are taken for damage rather than allocated.
const CHUNK_BITS_MAX: u8 = 24;
const TAG_BYTES: usize = 16;

const MAGIC: &[u8; 8] = b"cfoil\x00\x001";
const SALT_BYTES: usize = 7;
const HEADER_BYTES: usize = MAGIC.len() + SALT_BYTES + 1;

type SealingStream = aead_stream::EncryptorBE32<Aes256Gcm>;
type OpeningStream = aead_stream::DecryptorBE32<Aes256Gcm>;

/// Where an object belongs. The same bytes in another place do not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub backup: Uuid,
    /// The object's name within the backup, the same in every store.
    pub object: String,
}

impl Place {
    /// What is authenticated with every chunk.
    fn bound_to(&self, header: &[u8; HEADER_BYTES]) -> Vec<u8> {
        [header.as_slice(), self.backup.as_bytes(), self.object.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests;
