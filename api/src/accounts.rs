//! Making accounts, by registration or by the operator.

use crate::auth::{Digest, Opaque, PasswordError, PasswordHasher, SigningKeys, Tokens};
use crate::problem::Mistake;
use crate::read::{Fields, Place, email, password, text};
use crate::state::Api;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use shared::clock::Clock;
use shared::ids::{InvitationId, SessionId, UserId};
use shared::store::accounts::{AccountChange, NewPasswordReset};
use shared::store::invitations::{self, NewInvitation, Opens};
use shared::store::sessions::NewSession;
use shared::store::users::{self, NewUser, User};
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
        let password = fields.required("password", new_password);
        Some(Self { email: email?, name: name?, password: password? })
    }
}

/// 12 to 256 characters of any kind, and none of the words that guessing begins with.
pub(crate) fn new_password(value: serde_json::Value, place: &mut Place<'_>) -> Option<SecretString> {
    let given = password(12..=256)(value, place)?;
    let plain = given.expose_secret().to_lowercase();
    let distinct: std::collections::BTreeSet<char> = plain.chars().collect();
    if distinct.len() < 4 || COMMON.iter().any(|word| plain == *word) {
        return place.wrong("common", "is one of the first that anybody would guess");
    }
    Some(given)
}

/// Common passwords that are long enough: keyboard rows, doubled words, and what manuals propose.
const COMMON: [&str; 24] = [
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789abc",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "abcdefghijkl",
    "administrator",
    "administrator1",
    "asdfghjkl;'\\",
    "changeme1234",
    "changemeplease",
    "counterfoil1",
    "counterfoil123",
    "iloveyou1234",
    "letmein12345",
    "password1234",
    "password12345",
    "passwordpassword",
    "qwerty123456",
    "qwertyuiop12",
    "qwertyuiop[]",
    "qwertyuiopasdf",
    "welcome12345",
];

/// Makes the account, or only accepts the invitation in the same transaction as it is made.
pub(crate) async fn register(
    api: &Api,
    account: NewAccount,
    invitation: Option<&Digest>,
) -> Result<User, AccountError> {
    let password_hash = api.passwords.hash(account.password).await?;
    let new = NewUser {
        id: UserId::new(),
        email: account.email,
        name: account.name,
        password_hash,
        is_platform_admin: false,
    };
    // The first thing that the log knows of them is that they came.
    shared::store::audit::is_user(new.id);
    let mut tx = api.store.begin().await.map_err(AccountError::Store)?;
    let made = users::insert_unless_taken(&mut tx, &new).await.map_err(AccountError::Store)?;
    let Some(user) = made else { return Err(AccountError::Taken) };
    if let Some(digest) = invitation {
        let opened = invitations::accept(&mut tx, digest, user.id, &user.email, api.clock.now()).await;
        // Somebody else was faster with it: then there is no account either.
        if opened.map_err(AccountError::Store)?.is_none() {
            return Err(AccountError::Taken);
        }
    }
    tx.commit().await.map_err(|error| AccountError::Store(error.into()))?;
    tracing::info!(user_id = %user.id, is_invited = invitation.is_some(), "registered");
    Ok(user)
}

/// A one-time token with which somebody registers as a platform administrator, good for a day. Made at a shell, for the
/// first one and in emergencies.
pub async fn invite_administrator(store: &Store, now: DateTime<Utc>) -> Result<SecretString, StoreError> {
    let token = Opaque::invitation();
    let new = NewInvitation {
        id: InvitationId::new(),
        digest: token.digest,
        opens: Opens::Platform,
        email: None,
        created_by: None,
        created_at: now,
        expires_at: now + TimeDelta::hours(24),
    };
    store.insert_invitation(&new).await?;
    Ok(token.text)
}

/// A one-time token with which the person chooses a new password, good for a day. `None`: there is no such account, or it
/// is shut.
pub async fn offer_password_reset(
    store: &Store,
    user_id: UserId,
    created_by: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<Option<(SecretString, DateTime<Utc>)>, StoreError> {
    let (token, expires_at) = (Opaque::password_reset(), now + TimeDelta::hours(24));
    let new = NewPasswordReset { user_id, digest: token.digest, created_by, created_at: now, expires_at };
    let changed = store.offer_password_reset(&new).await?;
    Ok((changed == AccountChange::Done).then_some((token.text, expires_at)))
}

/// An access token for the operator's own tools, with a session that ends with it: whoever holds the key and the
/// database can make one anyway.
pub async fn operator_token(
    store: &Store,
    keys: &SigningKeys,
    user_id: UserId,
    lifetime: TimeDelta,
    clock: &Clock,
) -> Result<String, AccountError> {
    let now = clock.now();
    let session = NewSession {
        id: SessionId::new(),
        user_id,
        created_at: now,
        expires_at: now + lifetime,
        ip: None,
        user_agent: Some("a shell".into()),
        refresh: None,
    };
    store.start_session(&session).await.map_err(AccountError::Store)?;
    let issued = Tokens::new(keys, None, lifetime, clock.clone()).issue(user_id, session.id);
    Ok(issued.map_err(|error| AccountError::Invalid(vec![error.to_string()]))?.token)
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
