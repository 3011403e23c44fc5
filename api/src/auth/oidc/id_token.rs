//! ID tokens of a provider: what must hold before a word of them is believed (OpenID Connect Core, 3.1.3.7).
//!
//! The algorithm is taken from the token only if it is one of public keys and fits the key; `none` and secrets are not
//! even words here.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::{Map, Value};

/// How far the provider's clock may be from ours.
const CLOCK_SKEW_S: i64 = 60;
/// With long lists of groups.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// What a token must be about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// Why a token is no good. Told to the log, not to whoever brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("it is no token")]
    Malformed,
    #[error("it is signed in a way that is not accepted")]
    Algorithm,
    #[error("no key of the provider fits it")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is of another issuer")]
    Issuer,
    #[error("it is for somebody else")]
    Audience,
    #[error("it has expired, or was not made yet")]
    Time,
    #[error("it belongs to another log-in")]
    Nonce,
    #[error("it names nobody")]
    Subject,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; we understand none.
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The claims of a token that is what it should be.
pub(super) fn verify(
    token: &str,
    keys: &[Jwk],
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, Refused> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refused::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Refused::Malformed)?;
    let decoded = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| Refused::Malformed);
    let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| Refused::Malformed)?;
    let algorithm = algorithm(&header.alg).filter(|_| header.crit.is_none()).ok_or(Refused::Algorithm)?;
    let key = find(keys, header.kid.as_deref(), algorithm).ok_or(Refused::UnknownKey)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| Refused::UnknownKey)?;
    let is_signed = jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key, algorithm);
    if !is_signed.is_ok_and(|is_signed| is_signed) {
        return Err(Refused::Signature);
    }
    let all: Map<String, Value> =
        serde_json::from_slice(&decoded(claims)?).map_err(|_| Refused::Malformed)?;
    let claims = serde_json::from_value(Value::Object(all.clone())).map_err(|_| Refused::Malformed)?;
    check(&claims, expected)?;
    Ok(all)
}

/// Of public keys only.
fn algorithm(name: &str) -> Option<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let all = [
        ("RS256", RS256),
        ("RS384", RS384),
        ("RS512", RS512),
        ("PS256", PS256),
        ("PS384", PS384),
        ("PS512", PS512),
        ("ES256", ES256),
        ("ES384", ES384),
        ("EdDSA", EdDSA),
    ];
    all.into_iter().find(|(known, _)| *known == name).map(|(_, algorithm)| algorithm)
}

/// The key of that id; without an id, the only one that fits.
fn find<'k>(keys: &'k [Jwk], kid: Option<&str>, algorithm: Algorithm) -> Option<&'k Jwk> {
    let mut fitting = keys.iter().filter(|key| fits(key, algorithm));
    match kid {
        Some(kid) => fitting.find(|key| key.common.key_id.as_deref() == Some(kid)),
        None => fitting.next().filter(|_| fitting.next().is_none()),
    }
}

fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, EdDSA};
    let is_for_signatures = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let is_of_its_kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => !matches!(algorithm, ES256 | ES384 | EdDSA),
        AlgorithmParameters::EllipticCurve(of) => match of.curve {
            EllipticCurve::P256 => algorithm == ES256,
            EllipticCurve::P384 => algorithm == ES384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(of) => algorithm == EdDSA && of.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    let says = |named: &KeyAlgorithm| named.to_string() == format!("{algorithm:?}");
    is_for_signatures && is_of_its_kind && key.common.key_algorithm.as_ref().is_none_or(says)
}

fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), Refused> {
    if claims.iss != expected.issuer {
        return Err(Refused::Issuer);
    }
    let (is_for_us, is_for_others) = match &claims.aud {
        Audience::One(one) => (one == expected.client_id, false),
        Audience::Several(all) => (all.iter().any(|one| one == expected.client_id), all.len() > 1),
    };
    // Made for us and others: then it must say that it was us who asked for it.
    let was_asked_by_us = match &claims.azp {
        Some(azp) => azp == expected.client_id,
        None => !is_for_others,
    };
    if !is_for_us || !was_asked_by_us {
        return Err(Refused::Audience);
    }
    let latest = expected.now.saturating_add(CLOCK_SKEW_S);
    let is_in_time = claims.exp > expected.now.saturating_sub(CLOCK_SKEW_S)
        && claims.iat <= latest
        && claims.iat <= claims.exp
        && claims.nbf.is_none_or(|nbf| nbf <= latest);
    if !is_in_time {
        return Err(Refused::Time);
    }
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(Refused::Nonce);
    }
    if !(1..=255).contains(&claims.sub.chars().count()) {
        return Err(Refused::Subject);
    }
    Ok(())
}

#[cfg(test)]
#[path = "id_token_attacks.rs"]
mod attacks;
