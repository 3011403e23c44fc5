//! Keys: one per backup, wrapped by one of the operator's.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Encrypts the objects of one backup. Never leaves this process unwrapped; cleared from memory when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

/// Names a key of the ring without telling it: the first eight bytes of its SHA-256, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

/// A [`DataKey`] as it is kept beside its backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    pub key_id: KeyId,
    /// Hexadecimal: 12 bytes of nonce and 48 of ciphertext with its tag.
    wrapped: String,
}

/// The operator's keys: the first one wraps, all of them unwrap.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<(KeyId, DataKey)>,
}

/// Why a key cannot be used; says which one, never what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("no encryption key is configured")]
    None,
    #[error("encryption key number {number} is not 64 hexadecimal digits")]
    Malformed { number: usize },
    #[error("encryption key number {number} is all the same byte: not a key")]
    Trivial { number: usize },
    #[error("the backup is encrypted with key {0}, which is not among the configured ones")]
    Unknown(KeyId),
    #[error("the wrapped key of the backup is damaged, or key {0} is not what it was")]
    Damaged(KeyId),
    #[error("the system gives no random bytes")]
    NoRandomness,
}

const NONCE_BYTES: usize = 12;

impl DataKey {
    /// From the system's randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let mut key = Self([0; 32]);
        SysRng.try_fill_bytes(&mut key.0).map_err(|_| KeyError::NoRandomness)?;
        Ok(key)
    }

    pub(super) fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&Key::<Aes256Gcm>::from(self.0))
    }

    fn id(&self) -> KeyId {
        let digest = Sha256::digest(self.0);
        KeyId(hex(&digest[..8]))
    }
}

impl KeyRing {
    /// Keys of 64 hexadecimal digits each, the one to encrypt with first; older ones after it still open what they
    /// closed.
    pub fn parse<'k>(keys: impl IntoIterator<Item = &'k str>) -> Result<Self, KeyError> {
        let mut ring = vec![];
        for (index, text) in keys.into_iter().enumerate() {
            let number = index + 1;
            let bytes: [u8; 32] =
                unhex(text.trim()).and_then(|b| b.try_into().ok()).ok_or(KeyError::Malformed { number })?;
            if bytes.iter().all(|byte| *byte == bytes[0]) {
                return Err(KeyError::Trivial { number });
            }
            let key = DataKey(bytes);
            ring.push((key.id(), key));
        }
        if ring.is_empty() { Err(KeyError::None) } else { Ok(Self { keys: ring }) }
    }

    /// The key that new backups are wrapped with.
    pub fn newest(&self) -> &KeyId {
        &self.keys[0].0
    }

    /// For keeping `key` beside `backup`; opens for that backup only.
    pub fn wrap(&self, backup: Uuid, key: &DataKey) -> Result<WrappedKey, KeyError> {
        let (key_id, wrapping) = &self.keys[0];
        let mut nonce = [0; NONCE_BYTES];
        SysRng.try_fill_bytes(&mut nonce).map_err(|_| KeyError::NoRandomness)?;
        let payload = Payload { msg: &key.0, aad: backup.as_bytes() };
        let sealed = wrapping
            .cipher()
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| KeyError::Damaged(key_id.clone()))?;
        Ok(WrappedKey { key_id: key_id.clone(), wrapped: hex(&[nonce.as_slice(), &sealed].concat()) })
    }

    pub fn unwrap(&self, backup: Uuid, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
        let (_, wrapping) = self
            .keys
            .iter()
            .find(|(id, _)| *id == wrapped.key_id)
            .ok_or_else(|| KeyError::Unknown(wrapped.key_id.clone()))?;
        let damaged = || KeyError::Damaged(wrapped.key_id.clone());
        let bytes = unhex(&wrapped.wrapped).filter(|b| b.len() > NONCE_BYTES).ok_or_else(damaged)?;
        let (nonce, sealed) = bytes.split_at(NONCE_BYTES);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| damaged())?;
        let payload = Payload { msg: sealed, aad: backup.as_bytes() };
        let mut plain = wrapping.cipher().decrypt(&Nonce::from(nonce), payload).map_err(|_| damaged())?;
        let key = plain.as_slice().try_into().map(DataKey).map_err(|_| damaged());
        plain.zeroize();
        key
    }

    /// Wraps with the newest key what an older one has wrapped; the backup itself is not touched. `None` when the
    /// newest has it already.
    pub fn rewrap(&self, backup: Uuid, wrapped: &WrappedKey) -> Result<Option<WrappedKey>, KeyError> {
        if wrapped.key_id == *self.newest() {
            return Ok(None);
        }
        self.wrap(backup, &self.unwrap(backup, wrapped)?).map(Some)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
