//! Making accounts, by registration or by the operator.

use crate::auth::{PasswordError, PasswordHasher};
use crate::problem::Mistake;
use crate::read::{Fields, Place, email, password, text};
use secrecy::{ExposeSecret, SecretString};
use shared::ids::UserId;
use shared::store::users::{NewUser, User};
use shared::store::{Store, StoreError};

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Each line says what to change.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    #[error("there is an account with this address")]
    Taken,
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Store(StoreError),
}

/// Makes an account under the same rules as registration.
pub async fn create(
    store: &Store,
    hasher: &PasswordHasher,
    email: &str,
    name: &str,
    password: &SecretString,
    is_platform_admin: bool,
) -> Result<User, AccountError> {
    let mut mistakes = vec![];
    let members = serde_json::json!({"email": email, "name": name, "password": password.expose_secret()});
    let serde_json::Value::Object(members) = members else { unreachable!("written as an object above") };
    let account = NewAccount::read(&mut Fields::new(members, Place::root(&mut mistakes)));
    match account {
        Some(account) if mistakes.is_empty() => insert(store, hasher, account, is_platform_admin).await,
        _ => Err(AccountError::Invalid(mistakes.iter().map(sentence).collect())),
    }
}

/// `email: must be an e-mail address`.
fn sentence(mistake: &Mistake) -> String {
    let field = mistake.pointer.as_deref().unwrap_or_default().trim_start_matches("#/");
    format!("{field}: {}", mistake.detail)
}

/// What an account is made of, checked.
pub(crate) struct NewAccount {
    pub email: String,
    pub name: String,
    pub password: SecretString,
}

impl NewAccount {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let email = fields.required("email", email);
        let name = fields.required("name", text(1..=200));
        let password = fields.required("password", password(12..=256));
        Some(Self { email: email?, name: name?, password: password? })
    }
}

pub(crate) async fn insert(
    store: &Store,
    hasher: &PasswordHasher,
    account: NewAccount,
    is_platform_admin: bool,
) -> Result<User, AccountError> {
    let password_hash = hasher.hash(account.password).await?;
    let new = NewUser {
        id: UserId::new(),
        email: account.email,
        name: account.name,
        password_hash,
        is_platform_admin,
    };
    store.insert_user(&new).await.map_err(|error| match error.constraint() {
        Some("users_email_unique") => AccountError::Taken,
        _ => AccountError::Store(error),
    })
}
