//! Who is there: accounts, logins, and what shows them from then on.
//!
//! A *session* is one login. It lives as long as its chain of *refresh tokens* (opaque, each good once) goes on, and
//! *access tokens* (signed, short) name it and end with it. Machines have *API keys* (opaque). Of everything opaque
//! only a digest is stored.

pub(crate) mod account;
pub(crate) mod jwks;
pub(crate) mod login;
pub(crate) mod oidc;
mod opaque;
pub(crate) mod password_reset;
mod passwords;
pub(crate) mod refresh;
pub(crate) mod register;
pub(crate) mod second_factor;
pub(crate) mod sessions;
mod signing_key;
mod tokens;
mod totp;

pub(crate) use opaque::{Digest, Opaque, digest_of, is_api_key};
pub use passwords::{PasswordCost, PasswordError, PasswordHasher};
pub(crate) use second_factor::spend_code;
pub(crate) use shared::sealing::Sealing;
pub use shared::sealing::SealingKey;
pub use signing_key::{SigningKey, SigningKeyError, SigningKeys};
pub(crate) use tokens::{Refused, Tokens, Verified};
