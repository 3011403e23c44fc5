//! Who is there: registration, login, and the access tokens that say it from then on.

mod passwords;
mod routes;
mod signing_key;
mod tokens;

pub use passwords::{PasswordCost, PasswordError, PasswordHasher};
pub(crate) use routes::routes;
pub use signing_key::{SigningKey, SigningKeyError};
pub(crate) use tokens::{Refused, Tokens, Verified};
