//! Opaque tokens: 256 random bits behind a word that says what they are.

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

/// SHA-256 of a token: all that is stored. With 256 random bits there is nothing to guess, and no need for a slow hash.
pub(crate) type Digest = [u8; 32];

/// A token that was just made; it is shown once.
pub(crate) struct Opaque {
    pub text: SecretString,
    pub digest: Digest,
}

const REFRESH: &str = "cfr_";
const API_KEY: &str = "cfk_";
const INVITATION: &str = "cfi_";
const PASSWORD_RESET: &str = "cfp_";
/// Ours have 47.
pub(super) const OPAQUE_CHARS_MAX: usize = 100;

impl Opaque {
    pub fn refresh_token() -> Self {
        Self::new(REFRESH)
    }

    pub fn api_key() -> Self {
        Self::new(API_KEY)
    }

    pub fn invitation() -> Self {
        Self::new(INVITATION)
    }

    pub fn password_reset() -> Self {
        Self::new(PASSWORD_RESET)
    }

    fn new(word: &str) -> Self {
        let text = format!("{word}{}", BASE64URL_NOPAD.encode(&random::<32>()));
        Self { digest: digest_of(&text), text: text.into() }
    }

    /// The beginning, to recognise a key by: 48 of its 256 random bits.
    pub fn prefix(&self) -> String {
        self.text.expose_secret().chars().take(12).collect()
    }
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

pub(crate) fn digest_of(text: &str) -> Digest {
    Sha256::digest(text.as_bytes()).into()
}

pub(crate) fn is_api_key(text: &str) -> bool {
    text.starts_with(API_KEY) && text.len() <= OPAQUE_CHARS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_say_what_they_are_and_nothing_else() {
        let (one, other) = (Opaque::api_key(), Opaque::api_key());
        assert!(is_api_key(one.text.expose_secret()) && one.text.expose_secret().len() == 47);
        assert_ne!(one.digest, other.digest);
        assert_eq!(one.digest, digest_of(one.text.expose_secret()));
        assert!(!is_api_key(Opaque::refresh_token().text.expose_secret()));
        assert_eq!(one.prefix().len(), 12);
    }
}
