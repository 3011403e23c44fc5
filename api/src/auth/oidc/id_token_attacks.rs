//! Tokens as an attacker would send them: every one is refused, and for its own reason.

use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use jsonwebtoken::{EncodingKey, Header as JwtHeader, encode};
use serde_json::json;

const NOW: i64 = 1_800_000_000;
const EXPECTED: Expected<'static> =
    Expected { issuer: "https://id.example", client_id: "books", nonce: "n-1", now: NOW };

struct Signer {
    encoding: EncodingKey,
    jwk: Jwk,
}

fn signer(kid: &str) -> Signer {
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref()).unwrap();
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = (BASE64URL_NOPAD.encode(&point[..32]), BASE64URL_NOPAD.encode(&point[32..]));
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256"});
    Signer { encoding: EncodingKey::from_ec_der(der.as_ref()), jwk: serde_json::from_value(jwk).unwrap() }
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example", "sub": "jane", "aud": "books", "nonce": "n-1",
        "iat": NOW - 5, "exp": NOW + 300, "email": "jane@example.org",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut all = claims();
    all[name] = value;
    all
}

fn without(name: &str) -> Value {
    let mut all = claims();
    all.as_object_mut().unwrap().remove(name);
    all
}

fn signed(signer: &Signer, kid: Option<&str>, claims: &Value) -> String {
    let header = JwtHeader { kid: kid.map(str::to_owned), ..JwtHeader::new(Algorithm::ES256) };
    encode(&header, claims, &signer.encoding).unwrap()
}

fn by_hand(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}.{}", part(header), part(claims), BASE64URL_NOPAD.encode(signature))
}

#[test]
fn a_token_of_the_provider_is_believed() {
    let signer = signer("a");
    let keys = [signer.jwk.clone()];
    for (kid, claims) in [
        (Some("a"), claims()),
        (None, claims()),
        (Some("a"), with("aud", json!(["books"]))),
        (Some("a"), {
            let mut all = with("aud", json!(["books", "others"]));
            all["azp"] = "books".into();
            all
        }),
        (Some("a"), with("exp", json!(NOW - 3))),
    ] {
        let read = verify(&signed(&signer, kid, &claims), &keys, &EXPECTED).unwrap();
        assert_eq!(read["email"], "jane@example.org");
    }
}

#[test]
fn every_crafted_id_token_is_refused() {
    let (signer, other) = (signer("a"), signer("a"));
    let keys = [signer.jwk.clone()];
    let good = signed(&signer, Some("a"), &claims());
    let (head, rest) = good.split_once('.').unwrap();
    let (body, _) = rest.split_once('.').unwrap();
    let es = json!({"alg": "ES256", "kid": "a"});
    let mut cases: Vec<(String, Refused)> = vec![
        (String::new(), Refused::Malformed),
        ("a.b".into(), Refused::Malformed),
        ("a.b.c".into(), Refused::Malformed),
        ("x".repeat(TOKEN_BYTES_MAX + 1), Refused::Malformed),
        (by_hand(&json!({"alg": "none"}), &claims(), b""), Refused::Algorithm),
        (by_hand(&json!({"alg": "None", "kid": "a"}), &claims(), b""), Refused::Algorithm),
        (by_hand(&json!({"alg": "HS256", "kid": "a"}), &claims(), b"x"), Refused::Algorithm),
        (by_hand(&json!({"alg": "ES256", "kid": "a", "crit": ["x"]}), &claims(), b"x"), Refused::Algorithm),
        (by_hand(&json!({"alg": "RS256", "kid": "a"}), &claims(), b"x"), Refused::UnknownKey),
        (by_hand(&json!({"alg": "ES384", "kid": "a"}), &claims(), b"x"), Refused::UnknownKey),
        (by_hand(&json!({"alg": "ES256", "kid": "b"}), &claims(), b"x"), Refused::UnknownKey),
        (by_hand(&es, &claims(), b""), Refused::Signature),
        (by_hand(&es, &claims(), &[0; 64]), Refused::Signature),
        (signed(&other, Some("a"), &claims()), Refused::Signature),
        (format!("{head}.{body}."), Refused::Signature),
        (format!("{good}="), Refused::Signature),
        // Claims of one token under the signature of another.
        (
            {
                let signature = good.rsplit_once('.').unwrap().1;
                let mine = BASE64URL_NOPAD.encode(with("sub", json!("root")).to_string().as_bytes());
                format!("{head}.{mine}.{signature}")
            },
            Refused::Signature,
        ),
    ];
    for (claims, refused) in [
        (with("iss", json!("https://id.example/")), Refused::Issuer),
        (with("iss", json!("https://evil.example")), Refused::Issuer),
        (without("iss"), Refused::Malformed),
        (with("aud", json!("others")), Refused::Audience),
        (with("aud", json!([])), Refused::Audience),
        (with("aud", json!(["books", "others"])), Refused::Audience),
        (with("azp", json!("others")), Refused::Audience),
        (without("aud"), Refused::Malformed),
        (with("exp", json!(NOW - 60)), Refused::Time),
        (with("iat", json!(NOW + 61)), Refused::Time),
        (with("iat", json!(NOW + 301)), Refused::Time),
        (with("nbf", json!(NOW + 61)), Refused::Time),
        (with("exp", json!("never")), Refused::Malformed),
        (without("exp"), Refused::Malformed),
        (with("nonce", json!("n-2")), Refused::Nonce),
        (with("nonce", json!("")), Refused::Nonce),
        (without("nonce"), Refused::Nonce),
        (with("sub", json!("")), Refused::Subject),
        (with("sub", json!("x".repeat(256))), Refused::Subject),
        (without("sub"), Refused::Malformed),
        (with("sub", json!(7)), Refused::Malformed),
    ] {
        cases.push((signed(&signer, Some("a"), &claims), refused));
    }
    for (token, refused) in cases {
        assert_eq!(verify(&token, &keys, &EXPECTED), Err(refused), "{token}");
    }
}

#[test]
fn a_key_is_used_for_what_it_is_for() {
    let signer = signer("a");
    let token = signed(&signer, Some("a"), &claims());
    let changed = |name: &str, value: Value| -> Jwk {
        let mut jwk = serde_json::to_value(&signer.jwk).unwrap();
        jwk[name] = value;
        serde_json::from_value(jwk).unwrap()
    };
    for key in [changed("use", json!("enc")), changed("alg", json!("ES384")), changed("kid", json!("z"))] {
        assert_eq!(verify(&token, &[key], &EXPECTED), Err(Refused::UnknownKey));
    }
    // Two that fit, and nothing to tell them apart by.
    let unnamed = signed(&signer, None, &claims());
    let both = [signer.jwk.clone(), changed("kid", json!("b"))];
    assert_eq!(verify(&unnamed, &both, &EXPECTED), Err(Refused::UnknownKey));
}
