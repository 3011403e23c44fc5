//! Sealing what has to be read back, as the secrets of second factors and webhooks: AES-256-GCM under a key of the
//! installation.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use uuid::Uuid;

/// The key of the installation; the same for all processes.
pub struct SealingKey([u8; 32]);

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    bytes
}

impl SealingKey {
    /// 32 new random bytes.
    pub fn generate() -> Vec<u8> {
        random::<32>().to_vec()
    }

    /// 32 bytes, as they are, or as 64 hex digits. `None`: they are not, or all the same.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let key: [u8; 32] = match bytes.try_into() {
            Ok(key) => key,
            Err(_) => data_encoding::HEXLOWER_PERMISSIVE.decode(bytes.trim_ascii()).ok()?.try_into().ok()?,
        };
        (key.iter().any(|byte| *byte != key[0])).then_some(Self(key))
    }
}

/// Seals and opens.
pub struct Sealing(LessSafeKey);

impl Sealing {
    pub fn new(key: &SealingKey) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &key.0).expect("32 bytes are a key");
        Self(LessSafeKey::new(key))
    }

    /// Nonce, ciphertext and tag. Whose it is, is bound in, so that no row can be moved to another.
    pub fn seal(&self, owner: Uuid, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = plain.to_vec();
        let aad = Aad::from(*owner.as_bytes());
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .expect("a few bytes can be sealed");
        [nonce.as_slice(), &sealed].concat()
    }

    /// `None`: sealed for another owner, with another key, or damaged.
    pub fn open(&self, owner: Uuid, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = sealed.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(*owner.as_bytes()), &mut plain).ok()?;
        Some(opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_owner_only() {
        let sealing = Sealing::new(&SealingKey::from_bytes(&SealingKey::generate()).unwrap());
        let (jane, john) = (Uuid::now_v7(), Uuid::now_v7());
        let sealed = sealing.seal(jane, b"secret");
        assert_eq!(sealing.open(jane, &sealed).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(sealing.open(john, &sealed), None);
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(sealing.open(jane, &damaged), None);
        }
        assert_eq!(sealing.open(jane, b"short"), None);
    }

    #[test]
    fn keys_are_long_enough_and_not_empty_words() {
        assert!(SealingKey::from_bytes(&[7; 32]).is_none());
        assert!(SealingKey::from_bytes(b"changeme").is_none());
        let hex = data_encoding::HEXLOWER.encode(&SealingKey::generate());
        assert!(SealingKey::from_bytes(format!("{hex}\n").as_bytes()).is_some());
    }
}
