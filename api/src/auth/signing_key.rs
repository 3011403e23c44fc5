//! The Ed25519 key that signs access tokens.

use super::Tokens;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use chrono::TimeDelta;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use shared::clock::Clock;
use shared::ids::UserId;
use std::io;
use std::path::{Path, PathBuf};

/// A private key; the same file for all API processes, so that each accepts the tokens of the others.
pub struct SigningKey {
    pkcs8: Vec<u8>,
    public: Vec<u8>,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    #[error("reading {}", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// `openssl genpkey -algorithm ed25519` makes one.
    #[error("{} is not an Ed25519 private key in PKCS#8 (DER or PEM)", .path.display())]
    NotAKey { path: PathBuf },
    #[error("the bytes are not an Ed25519 private key in PKCS#8 (DER or PEM)")]
    NotKeyBytes,
}

/// Far more than any Ed25519 key takes.
const FILE_BYTES_MAX: u64 = 16 << 10;

impl SigningKey {
    /// A new random key, as PKCS#8 in DER: what [`Self::load`] reads. Keep it where only the API can read it.
    pub fn generate() -> Vec<u8> {
        let key = Ed25519KeyPair::generate().expect("the system gives random bytes");
        key.to_pkcs8v1().expect("a fresh key can be written").as_ref().to_vec()
    }

    /// Reads PKCS#8, DER or PEM.
    pub fn load(path: &Path) -> Result<Self, SigningKeyError> {
        let unreadable = |source| SigningKeyError::Unreadable { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(SigningKeyError::NotAKey { path: path.to_owned() });
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        Self::from_bytes(&bytes).map_err(|_| SigningKeyError::NotAKey { path: path.to_owned() })
    }

    /// As [`Self::load`], for a key that is in memory already.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SigningKeyError> {
        let pkcs8 = match PrivatePkcs8KeyDer::from_pem_slice(bytes) {
            Ok(der) => der.secret_pkcs8_der().to_vec(),
            Err(_) => bytes.to_vec(),
        };
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| SigningKeyError::NotKeyBytes)?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self { pkcs8, public })
    }

    /// An access token for the operator's own tools: whoever holds the key can make one anyway.
    pub fn access_token(
        &self,
        user_id: UserId,
        lifetime: TimeDelta,
        clock: &Clock,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        Ok(Tokens::new(self, lifetime, clock.clone()).issue(user_id)?.token)
    }

    /// Ed25519.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let pair = Ed25519KeyPair::from_pkcs8(&self.pkcs8).expect("checked when it was read");
        pair.sign(bytes).as_ref().to_vec()
    }

    /// Whether a signature that names `key_id` is of these bytes; `None`: it names another key.
    pub fn has_signed(&self, key_id: &str, bytes: &[u8], signature: &[u8]) -> Option<bool> {
        let public = UnparsedPublicKey::new(&ED25519, &self.public);
        (key_id == self.id()).then(|| public.verify(bytes, signature).is_ok())
    }

    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// Names the key in tokens: 16 hex digits of the public key's digest.
    pub(crate) fn id(&self) -> String {
        Sha256::digest(&self.public).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_der_and_as_pem() {
        let dir = tempfile::tempdir().unwrap();
        let der = SigningKey::generate();
        let file = dir.path().join("key");
        std::fs::write(&file, &der).unwrap();
        let key = SigningKey::load(&file).unwrap();

        // The base64 of 48 bytes is one line of 64 characters.
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", base64(&der));
        std::fs::write(&file, pem).unwrap();
        assert_eq!(SigningKey::load(&file).unwrap().id(), key.id());
        assert_ne!(SigningKey::from_bytes(&SigningKey::generate()).unwrap().id(), key.id());
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("no-key");
        assert!(matches!(SigningKey::load(&file), Err(SigningKeyError::Unreadable { .. })));
        for bytes in [b"".as_slice(), b"secret", &[0x30; 100], &[b'x'; 20_000]] {
            std::fs::write(&file, bytes).unwrap();
            let error = SigningKey::load(&file).err().expect("refused");
            assert!(error.to_string().contains("no-key"), "{error}");
        }
    }

    fn base64(bytes: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        assert_eq!(bytes.len() % 3, 0);
        let triples = bytes.chunks(3).map(|c| u32::from(c[0]) << 16 | u32::from(c[1]) << 8 | u32::from(c[2]));
        triples
            .flat_map(|n| [18, 12, 6, 0].map(|shift| ALPHABET[(n >> shift & 63) as usize] as char))
            .collect()
    }
}
