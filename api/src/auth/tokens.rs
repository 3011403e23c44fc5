//! Access tokens: signed JSON Web Tokens (EdDSA, RFC 9068) that name their user and session, and end soon.
//!
//! Checked as rfc8725bis asks: one algorithm, which the token cannot choose; header and claims hold exactly what ours
//! hold, each once; a token that could be written in two ways is refused in all but ours.

use super::opaque::random;
use super::signing_key::{SigningKey, SigningKeys};
use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};
use shared::clock::Clock;
use shared::ids::{SessionId, UserId};
use shared::secrets::Secret;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

const ISSUER: &str = "counterfoil";
const AUDIENCE: &str = "counterfoil-api";
/// RFC 9068, so that no other kind of token passes for an access token.
const TYPE: &str = "at+jwt";
/// How far the clocks of two API processes may be apart.
const CLOCK_SKEW_S: i64 = 5;
/// Ours have less than 500.
const TOKEN_BYTES_MAX: usize = 2048;
/// Tokens with unknown keys must not make us read the keys more often.
const LOOK_PERIOD: Duration = Duration::from_secs(5);

/// Issues and verifies. Nothing in a token but user and session is trusted: roles are read from the database.
pub(crate) struct Tokens {
    keys: RwLock<Keys>,
    /// Where the keys come from, to be read again.
    source: Option<Secret>,
    looked_at: Mutex<Option<Instant>>,
    lifetime: TimeDelta,
    clock: Clock,
}

struct Keys {
    encoding: EncodingKey,
    signing_id: String,
    signing: Arc<SigningKey>,
    accepted: Vec<Accepted>,
}

struct Accepted {
    id: String,
    public: Vec<u8>,
    decoding: DecodingKey,
    /// Of a key that has been replaced: when its last token has expired.
    until: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    typ: String,
    alg: String,
    kid: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// A token that was just made.
pub(crate) struct Issued {
    pub token: String,
    pub lifetime: TimeDelta,
}

/// Whom a valid token names, and until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verified {
    pub user_id: UserId,
    pub session_id: SessionId,
    pub expires_at: DateTime<Utc>,
}

/// Why a token is no good. Said to the client in words; the signature's fate is not told apart from the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Invalid,
    /// Well made, with a key that is not known here.
    UnknownKey,
    Expired,
}

/// A key as others may know it (RFC 8037).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PublicKey)]
pub(crate) struct PublicKey {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: &'static str,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    kid: String,
    x: String,
}

impl Keys {
    fn new(keys: &SigningKeys) -> Self {
        let signing = &keys.all()[0];
        Self {
            encoding: EncodingKey::from_ed_der(signing.pkcs8()),
            signing_id: signing.id(),
            signing: signing.clone(),
            accepted: keys.all().iter().map(|key| Accepted::new(key)).collect(),
        }
    }
}

impl Accepted {
    fn new(key: &SigningKey) -> Self {
        Self {
            id: key.id(),
            public: key.public().to_vec(),
            decoding: DecodingKey::from_ed_der(key.public()),
            until: None,
        }
    }
}

impl Tokens {
    pub fn new(keys: &SigningKeys, source: Option<Secret>, lifetime: TimeDelta, clock: Clock) -> Self {
        let keys = RwLock::new(Keys::new(keys));
        Self { keys, source, looked_at: Mutex::new(None), lifetime, clock }
    }

    /// Signs with the first of these keys from now on. Tokens of the key before stay good until they expire.
    pub fn use_keys(&self, keys: &SigningKeys) {
        let mut new = Keys::new(keys);
        let mut current = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let last_expiry = now + self.lifetime + TimeDelta::seconds(CLOCK_SKEW_S);
        let signed_before = current.signing_id.clone();
        for mut old in std::mem::take(&mut current.accepted) {
            let is_kept = new.accepted.iter().any(|key| key.id == old.id);
            if old.id == signed_before && old.until.is_none() {
                old.until = Some(last_expiry);
            }
            if !is_kept && old.until.is_some_and(|until| until > now) {
                new.accepted.push(old);
            }
        }
        if new.signing_id != signed_before {
            tracing::warn!(
                kid = new.signing_id,
                before = signed_before,
                "access tokens are signed with another key"
            );
        }
        *current = new;
    }

    /// Whether there is a source to read other keys from.
    pub fn may_change(&self) -> bool {
        self.source.as_ref().is_some_and(Secret::may_change)
    }

    /// Reads the keys again, at most every five seconds. `false`: there is nothing new to look for.
    pub async fn look_for_new_keys(&self) -> bool {
        let Some(source) = &self.source else { return false };
        let mut looked_at = self.looked_at.lock().await;
        if looked_at.is_some_and(|at| at.elapsed() < LOOK_PERIOD) {
            return false;
        }
        *looked_at = Some(Instant::now());
        match source.read_anew().await {
            Ok(bytes) => match SigningKeys::from_bytes(bytes.expose()) {
                Ok(keys) => {
                    self.use_keys(&keys);
                    true
                }
                Err(error) => {
                    tracing::error!(%error, "the new signing keys are unusable; the old ones stay");
                    false
                }
            },
            Err(error) => {
                tracing::warn!(error = shared::chain(&error), "the signing keys cannot be read again");
                false
            }
        }
    }

    /// The key that signs today.
    pub fn signing_key(&self) -> Arc<SigningKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).signing.clone()
    }

    /// For whoever else checks our tokens.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let public = |key: &Accepted| PublicKey {
            kty: "OKP",
            crv: "Ed25519",
            usage: "sig",
            alg: "EdDSA",
            kid: key.id.clone(),
            x: BASE64URL_NOPAD.encode(&key.public),
        };
        keys.accepted.iter().map(public).collect()
    }

    pub fn issue(
        &self,
        user_id: UserId,
        session_id: SessionId,
    ) -> Result<Issued, jsonwebtoken::errors::Error> {
        let now = self.clock.now();
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: user_id,
            sid: session_id,
            jti: BASE64URL_NOPAD.encode(&random::<16>()),
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: (now + self.lifetime).timestamp(),
        };
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let header = Header {
            kid: Some(keys.signing_id.clone()),
            typ: Some(TYPE.into()),
            ..Header::new(Algorithm::EdDSA)
        };
        Ok(Issued { token: encode(&header, &claims, &keys.encoding)?, lifetime: self.lifetime })
    }

    /// Only EdDSA, only our keys, type, issuer and audience, only within its time.
    pub fn verify(&self, token: &str) -> Result<Verified, Refused> {
        let (signed, claims, signature) = self.take_apart(token)?;
        let now = self.clock.now();
        {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let key = keys.accepted.iter().find(|key| key.id == signed.1);
            let key =
                key.filter(|key| key.until.is_none_or(|until| until > now)).ok_or(Refused::UnknownKey)?;
            // Over the very bytes that came.
            let is_ours =
                jsonwebtoken::crypto::verify(signature, signed.0.as_bytes(), &key.decoding, Algorithm::EdDSA);
            if !is_ours.is_ok_and(|is_ours| is_ours) {
                return Err(Refused::Invalid);
            }
        }
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Refused::Invalid)?;
        self.check(&claims, now.timestamp())
    }

    /// What is signed with the key's id, the claims, and the signature as text.
    #[expect(clippy::type_complexity, reason = "read at one place")]
    fn take_apart<'t>(&self, token: &'t str) -> Result<((&'t str, String), Vec<u8>, &'t str), Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::Invalid);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Invalid)?;
        let (header, claims) = signed.split_once('.').ok_or(Refused::Invalid)?;
        // Refuses padding, line breaks, other alphabets, and bits that decode to nothing.
        let decoded = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| Refused::Invalid);
        let (header, claims) = (decoded(header)?, decoded(claims)?);
        if decoded(signature)?.len() != 64 {
            return Err(Refused::Invalid);
        }
        let header: StrictHeader = serde_json::from_slice(&header).map_err(|_| Refused::Invalid)?;
        if header.alg != "EdDSA" || header.typ != TYPE {
            return Err(Refused::Invalid);
        }
        Ok(((signed, header.kid), claims, signature))
    }

    fn check(&self, claims: &Claims, now: i64) -> Result<Verified, Refused> {
        let Claims { iat, nbf, exp, .. } = *claims;
        let is_ours = claims.iss == ISSUER && claims.aud == AUDIENCE && (1..=64).contains(&claims.jti.len());
        // Ours begin when they are made and live for the configured time, or did before that was changed.
        let is_sane = iat >= 0 && iat <= nbf && nbf < exp && exp - iat <= LIFETIME_S_MAX;
        if !is_ours || !is_sane || nbf > now.saturating_add(CLOCK_SKEW_S) {
            return Err(Refused::Invalid);
        }
        if exp <= now {
            return Err(Refused::Expired);
        }
        let expires_at = DateTime::from_timestamp(exp, 0).ok_or(Refused::Invalid)?;
        Ok(Verified { user_id: claims.sub, session_id: claims.sid, expires_at })
    }
}

/// The most that `auth.access_token_minutes` may be.
const LIFETIME_S_MAX: i64 = 1440 * 60;

#[cfg(test)]
#[path = "tokens_attacks.rs"]
mod attacks;
