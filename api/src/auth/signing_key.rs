//! The Ed25519 keys that sign access tokens.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SigningKeyError> {
        let pkcs8 = match PrivatePkcs8KeyDer::from_pem_slice(bytes) {
            Ok(der) => der.secret_pkcs8_der().to_vec(),
            Err(_) => bytes.to_vec(),
        };
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| SigningKeyError::NotKeyBytes)?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self { pkcs8, public })
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

/// The keys of one moment: the first signs, all verify. Put a new key behind the old one, wait until every process has
/// read it, put it in front, and take the old one out when its last token has expired.
pub struct SigningKeys(Vec<Arc<SigningKey>>);

/// Most keys at once.
const KEYS_MAX: usize = 10;

impl SigningKeys {
    /// Reads one key in DER, or up to ten in PEM.
    pub fn load(path: &Path) -> Result<Self, SigningKeyError> {
        let unreadable = |source| SigningKeyError::Unreadable { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(SigningKeyError::NotAKey { path: path.to_owned() });
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        Self::from_bytes(&bytes).map_err(|_| SigningKeyError::NotAKey { path: path.to_owned() })
    }

    /// As [`Self::load`], for keys that are in memory already.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SigningKeyError> {
        if let Ok(key) = SigningKey::from_bytes(bytes)
            && !bytes.starts_with(b"-")
        {
            return Ok(Self(vec![Arc::new(key)]));
        }
        let mut keys = vec![];
        for der in PrivatePkcs8KeyDer::pem_slice_iter(bytes) {
            let der = der.map_err(|_| SigningKeyError::NotKeyBytes)?;
            keys.push(Arc::new(SigningKey::from_bytes(der.secret_pkcs8_der())?));
        }
        if keys.is_empty() || keys.len() > KEYS_MAX {
            Err(SigningKeyError::NotKeyBytes)
        } else {
            Ok(Self(keys))
        }
    }

    /// As [`SigningKey::has_signed`], by whichever of the keys it names.
    pub fn has_signed(&self, key_id: &str, bytes: &[u8], signature: &[u8]) -> Option<bool> {
        self.0.iter().find_map(|key| key.has_signed(key_id, bytes, signature))
    }

    pub(super) fn all(&self) -> &[Arc<SigningKey>] {
        &self.0
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
        let key = SigningKeys::load(&file).unwrap().0.remove(0);

        // The base64 of 48 bytes is one line of 64 characters.
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", base64(&der));
        std::fs::write(&file, &pem).unwrap();
        assert_eq!(SigningKeys::load(&file).unwrap().0[0].id(), key.id());
        let other = SigningKey::generate();
        let both =
            format!("{pem}-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", base64(&other));
        let ids: Vec<_> =
            SigningKeys::from_bytes(both.as_bytes()).unwrap().0.iter().map(|key| key.id()).collect();
        assert_eq!(ids, [key.id(), SigningKey::from_bytes(&other).unwrap().id()]);
        assert_ne!(SigningKey::from_bytes(&SigningKey::generate()).unwrap().id(), key.id());
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("no-key");
        assert!(matches!(SigningKeys::load(&file), Err(SigningKeyError::Unreadable { .. })));
        for bytes in [b"".as_slice(), b"secret", &[0x30; 100], &[b'x'; 20_000]] {
            std::fs::write(&file, bytes).unwrap();
            let error = SigningKeys::load(&file).err().expect("refused");
            assert!(error.to_string().contains("no-key"), "{error}");
        }
    }

    fn base64(bytes: &[u8]) -> String {
        data_encoding::BASE64.encode(bytes)
    }
}
