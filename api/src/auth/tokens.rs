//! Access tokens: signed JSON Web Tokens (EdDSA) that name their user and end soon.

use super::SigningKey;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use shared::clock::Clock;
use shared::ids::UserId;

const ISSUER: &str = "counterfoil";
const AUDIENCE: &str = "counterfoil-api";
/// How far the clocks of two API processes may be apart.
const CLOCK_SKEW_S: i64 = 5;
/// Ours have less than 500.
const TOKEN_BYTES_MAX: usize = 4096;

/// Issues and verifies. Nothing in a token but its user is trusted: roles are read from the database.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    key_id: String,
    lifetime: TimeDelta,
    clock: Clock,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
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
    pub expires_at: DateTime<Utc>,
}

/// Why a token is no good. Said to the client in words; the signature's fate is not told apart from the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Invalid,
    Expired,
}

impl Tokens {
    pub fn new(key: &SigningKey, lifetime: TimeDelta, clock: Clock) -> Self {
        Self {
            encoding: EncodingKey::from_ed_der(key.pkcs8()),
            decoding: DecodingKey::from_ed_der(key.public()),
            key_id: key.id(),
            lifetime,
            clock,
        }
    }

    pub fn issue(&self, user_id: UserId) -> Result<Issued, jsonwebtoken::errors::Error> {
        let now = self.clock.now();
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: user_id,
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: (now + self.lifetime).timestamp(),
        };
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::EdDSA) };
        Ok(Issued { token: encode(&header, &claims, &self.encoding)?, lifetime: self.lifetime })
    }

    /// Only EdDSA, only our key, issuer and audience, only within its time.
    pub fn verify(&self, token: &str) -> Result<Verified, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::Invalid);
        }
        let header = decode_header(token).map_err(|_| Refused::Invalid)?;
        if header.alg != Algorithm::EdDSA || header.kid.as_ref() != Some(&self.key_id) {
            return Err(Refused::Invalid);
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // By our own clock, below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims =
            decode::<Claims>(token, &self.decoding, &validation).map_err(|_| Refused::Invalid)?.claims;
        let now = self.clock.now().timestamp();
        if claims.exp <= now {
            return Err(Refused::Expired);
        }
        let starts_at = claims.nbf.max(claims.iat);
        if starts_at > now.saturating_add(CLOCK_SKEW_S) {
            return Err(Refused::Invalid);
        }
        let expires_at = DateTime::from_timestamp(claims.exp, 0).ok_or(Refused::Invalid)?;
        Ok(Verified { user_id: claims.sub, expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&SigningKey::generate()).unwrap()
    }

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn tokens(key: &SigningKey, clock: &Clock) -> Tokens {
        Tokens::new(key, TimeDelta::minutes(60), clock.clone())
    }

    #[test]
    fn a_token_names_its_user_until_it_expires() {
        let clock = Clock::manual(noon());
        let tokens = tokens(&key(), &clock);
        let user = UserId::new();
        let token = tokens.issue(user).unwrap().token;
        let verified = tokens.verify(&token).unwrap();
        assert_eq!((verified.user_id, verified.expires_at), (user, noon() + TimeDelta::minutes(60)));
        clock.advance(TimeDelta::seconds(3599));
        assert!(tokens.verify(&token).is_ok());
        clock.advance(TimeDelta::seconds(1));
        assert_eq!(tokens.verify(&token).unwrap_err(), Refused::Expired);
        clock.advance(TimeDelta::hours(-2));
        assert_eq!(tokens.verify(&token).unwrap_err(), Refused::Invalid, "from the future");
    }

    #[test]
    fn another_keys_token_is_refused() {
        let clock = Clock::manual(noon());
        let token = tokens(&key(), &clock).issue(UserId::new()).unwrap().token;
        assert_eq!(tokens(&key(), &clock).verify(&token).unwrap_err(), Refused::Invalid);
    }

    #[test]
    fn any_changed_character_is_noticed() {
        let clock = Clock::manual(noon());
        let tokens = tokens(&key(), &clock);
        let token = tokens.issue(UserId::new()).unwrap().token;
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last character of a base64 part may carry bits that decode to nothing.
            let carries = !token[at + 1..].is_empty() && !token[at + 1..].starts_with('.');
            assert!(tokens.verify(&changed).is_err() || !carries, "{at}");
        }
    }

    #[test]
    fn every_claim_and_the_header_are_checked() {
        let clock = Clock::manual(noon());
        let key = key();
        let tokens = tokens(&key, &clock);
        let at = noon().timestamp();
        let good = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": UserId::new(), "iat": at, "nbf": at, "exp": at + 60});
        let signed = |claims: &serde_json::Value, kid: Option<String>| {
            let header = Header { kid, ..Header::new(Algorithm::EdDSA) };
            encode(&header, claims, &EncodingKey::from_ed_der(key.pkcs8())).unwrap()
        };
        assert!(tokens.verify(&signed(&good, Some(key.id()))).is_ok());
        assert!(tokens.verify(&signed(&good, None)).is_err(), "no kid");
        assert!(tokens.verify(&signed(&good, Some("x".into()))).is_err(), "another kid");
        for claim in ["iss", "aud", "sub", "iat", "nbf", "exp"] {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().remove(claim);
            assert!(tokens.verify(&signed(&claims, Some(key.id()))).is_err(), "without {claim}");
        }
        for (claim, value) in [
            ("iss", json!("other")),
            ("aud", json!("other")),
            ("sub", json!("admin")),
            ("nbf", json!(at + 60)),
            ("exp", json!(at)),
            ("exp", json!(i64::MAX)),
            ("exp", json!("soon")),
        ] {
            let mut claims = good.clone();
            claims[claim] = value.clone();
            assert!(tokens.verify(&signed(&claims, Some(key.id()))).is_err(), "{claim} = {value}");
        }
    }

    #[test]
    fn other_algorithms_are_refused() {
        let clock = Clock::manual(noon());
        let key = key();
        let tokens = tokens(&key, &clock);
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": UserId::new(), "iat": 0, "nbf": 0,
                            "exp": noon().timestamp() + 60});
        // The public key as an HMAC secret: the classic confusion.
        let header = Header { kid: Some(key.id()), ..Header::new(Algorithm::HS256) };
        let confused = encode(&header, &claims, &EncodingKey::from_secret(key.public())).unwrap();
        assert_eq!(tokens.verify(&confused).unwrap_err(), Refused::Invalid);
        // {"alg":"none"} with and without a signature.
        let signed = tokens.issue(UserId::new()).unwrap().token;
        let parts: Vec<_> = signed.split('.').collect();
        for none in [
            format!("eyJhbGciOiJub25lIn0.{}.", parts[1]),
            format!("eyJhbGciOiJub25lIn0.{}.{}", parts[1], parts[2]),
        ] {
            assert_eq!(tokens.verify(&none).unwrap_err(), Refused::Invalid);
        }
        for garbage in ["", ".", "..", "a.b.c", &"x".repeat(100_000)] {
            assert_eq!(tokens.verify(garbage).unwrap_err(), Refused::Invalid);
        }
    }
}
