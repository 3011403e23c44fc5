//! Crafted tokens, each a known attack or a mistake of other verifiers, and what time and rotation do to good ones.

use super::*;
use aws_lc_rs::signature::Ed25519KeyPair;
use proptest::prelude::*;
use serde_json::{Value, json};

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn keys(der: &[u8]) -> SigningKeys {
    SigningKeys::from_bytes(der).unwrap()
}

fn tokens(der: &[u8], clock: &Clock) -> Tokens {
    Tokens::new(&keys(der), None, TimeDelta::minutes(15), clock.clone())
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

/// A workshop for tokens: signs any bytes with our own key, which is more than an attacker can.
struct Forge {
    pair: Ed25519KeyPair,
    kid: String,
    public: Vec<u8>,
}

impl Forge {
    fn new(der: &[u8]) -> Self {
        let key = SigningKey::from_bytes(der).unwrap();
        Self { pair: Ed25519KeyPair::from_pkcs8(der).unwrap(), kid: key.id(), public: key.public().to_vec() }
    }

    fn header(&self) -> Value {
        json!({"typ": TYPE, "alg": "EdDSA", "kid": self.kid})
    }

    fn claims(&self) -> Value {
        let at = noon().timestamp();
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": UserId::new(), "sid": SessionId::new(), "jti": "x",
               "iat": at, "nbf": at, "exp": at + 600})
    }

    fn sign_text(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", b64(header), b64(claims));
        format!("{signed}.{}", b64(self.pair.sign(signed.as_bytes())))
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header();
        change(&mut header);
        self.sign(&header, &self.claims())
    }

    fn with_claims(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        self.sign(&self.header(), &claims)
    }

    fn good(&self) -> String {
        self.sign(&self.header(), &self.claims())
    }
}

fn hmac_sign(algorithm: aws_lc_rs::hmac::Algorithm, secret: &[u8], header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    let tag = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(algorithm, secret), signed.as_bytes());
    format!("{signed}.{}", b64(tag))
}

/// Every attack with its name.
fn corpus(forge: &Forge) -> Vec<(String, String)> {
    use aws_lc_rs::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
    let mut corpus: Vec<(String, String)> = vec![];
    let mut add = |name: &str, token: String| corpus.push((name.to_owned(), token));
    // One in ten signatures has none of the two characters in which the alphabets differ.
    let good = std::iter::repeat_with(|| forge.good())
        .find(|token| token.rsplit('.').next().unwrap().contains(['-', '_']))
        .unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let at = noon().timestamp();

    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let none = b64(json!({"typ": TYPE, "alg": alg, "kid": forge.kid}).to_string());
        add(&format!("alg {alg:?}, no signature"), format!("{none}.{payload}."));
        add(&format!("alg {alg:?}, the old signature"), format!("{none}.{payload}.{signature}"));
    }
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", b64(&forge.public));
    for (alg, algorithm) in [("HS256", HMAC_SHA256), ("HS384", HMAC_SHA384), ("HS512", HMAC_SHA512)] {
        let header = json!({"typ": TYPE, "alg": alg, "kid": forge.kid});
        add(
            &format!("{alg} with the public key"),
            hmac_sign(algorithm, &forge.public, &header, &forge.claims()),
        );
        add(&format!("{alg} with its PEM"), hmac_sign(algorithm, pem.as_bytes(), &header, &forge.claims()));
        add(&format!("{alg} with an empty secret"), hmac_sign(algorithm, b"", &header, &forge.claims()));
    }
    let header_of_ours = forge.header();
    add(
        "an HMAC that claims to be EdDSA",
        hmac_sign(HMAC_SHA512, &forge.public, &header_of_ours, &forge.claims()),
    );
    for alg in ["RS256", "PS256", "ES256", "ES384", "ES512", "Ed25519", "eddsa", "EdDSA ", "ES256K"] {
        add(&format!("alg {alg:?}, our signature"), forge.with_header(|h| h["alg"] = json!(alg)));
    }

    let other = Forge::new(&SigningKey::generate());
    let foreign_header = json!({"typ": TYPE, "alg": "EdDSA", "kid": forge.kid});
    add("re-signed with another key under our kid", other.sign(&foreign_header, &forge.claims()));
    add("another installation's token", other.good());
    for kid in
        ["", "x", "../../../../dev/null", "/dev/null", "' OR 1=1 --", "key\u{0}", "http://evil.example/key"]
    {
        add(&format!("kid {kid:?}"), forge.with_header(|h| h["kid"] = json!(kid)));
    }
    add("kid in capitals", forge.with_header(|h| h["kid"] = json!(forge.kid.to_uppercase())));
    add("kid an array", forge.with_header(|h| h["kid"] = json!([forge.kid])));
    add("kid a number", forge.with_header(|h| h["kid"] = json!(7)));
    add("no kid", forge.with_header(|h| drop(h.as_object_mut().unwrap().remove("kid"))));
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&other.public)});
    let with_own_key = json!({"typ": TYPE, "alg": "EdDSA", "kid": forge.kid, "jwk": jwk});
    add("its own key in jwk", other.sign(&with_own_key, &forge.claims()));
    add("jwk beside our signature", forge.sign(&with_own_key, &forge.claims()));
    for (name, value) in [
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("enc", json!("A256GCM")),
    ] {
        add(&format!("{name} in the header"), forge.with_header(|h| h[name] = value));
    }
    for typ in ["JWT", "jwt", "AT+JWT", "application/at+jwt", "id+jwt", "secevent+jwt", ""] {
        add(&format!("typ {typ:?}"), forge.with_header(|h| h["typ"] = json!(typ)));
    }
    add("no typ", forge.with_header(|h| drop(h.as_object_mut().unwrap().remove("typ"))));

    for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"] {
        add(
            &format!("without {claim}"),
            forge.with_claims(|c| drop(c.as_object_mut().unwrap().remove(claim))),
        );
        add(&format!("{claim} null"), forge.with_claims(|c| c[claim] = Value::Null));
    }
    for (name, claim, value) in [
        ("another issuer", "iss", json!("https://evil.example")),
        ("issuer with a blank", "iss", json!("counterfoil ")),
        ("another audience", "aud", json!("counterfoil-web")),
        ("audience an array", "aud", json!([AUDIENCE])),
        ("audiences, ours among them", "aud", json!(["evil", AUDIENCE])),
        ("subject a name", "sub", json!("admin")),
        ("subject an injection", "sub", json!("' OR 1=1 --")),
        ("session a number", "sid", json!(1)),
        ("empty jti", "jti", json!("")),
        ("long jti", "jti", json!("x".repeat(65))),
        ("expired this second", "exp", json!(at)),
        ("expired yesterday", "exp", json!(at - 86_400)),
        ("expires never", "exp", json!(i64::MAX)),
        ("expires in a year", "exp", json!(at + 365 * 86_400)),
        ("expiry a text", "exp", json!((at + 600).to_string())),
        ("expiry a fraction", "exp", json!(at as f64 + 600.5)),
        ("expiry beyond 64 bits", "exp", json!(1e300)),
        ("expiry negative", "exp", json!(-1)),
        ("from the future", "nbf", json!(at + 60)),
        ("made in the future", "iat", json!(at + 3600)),
        ("made before time began", "iat", json!(-5)),
        ("made long before it begins", "iat", json!(at - 2 * 86_400)),
        ("a role", "role", json!("admin")),
        ("an administrator", "is_platform_admin", json!(true)),
        ("a scope", "scope", json!("*")),
    ] {
        add(name, forge.with_claims(|c| c[claim] = value));
    }

    let claims = forge.claims().to_string();
    let header_text = forge.header().to_string();
    let twice = |text: &str, member: &str| format!("{{{member},{}", &text[1..]);
    add("exp twice", forge.sign_text(&header_text, &twice(&claims, "\"exp\":9999999999")));
    add(
        "sub twice",
        forge.sign_text(&header_text, &twice(&claims, &format!("\"sub\":\"{}\"", UserId::new()))),
    );
    add("alg twice", forge.sign_text(&twice(&header_text, "\"alg\":\"none\""), &claims));
    add("kid twice", forge.sign_text(&twice(&header_text, "\"kid\":\"x\""), &claims));
    add("claims an array", forge.sign_text(&header_text, &format!("[{claims}]")));
    add("claims with something behind", forge.sign_text(&header_text, &format!("{claims}{{}}")));
    add("claims no JSON", forge.sign_text(&header_text, "exp=9999999999"));
    add("claims empty", forge.sign_text(&header_text, ""));
    add("header no JSON", forge.sign_text("alg=EdDSA", &claims));
    add("header with a byte order mark", forge.sign_text(&format!("\u{feff}{header_text}"), &claims));
    add("claims no UTF-8", {
        let signed = format!("{header}.{}", b64(b"{\"iss\":\"\xff\"}"));
        format!("{signed}.{}", b64(forge.pair.sign(signed.as_bytes())))
    });
    let deep = format!("{}1{}", "[".repeat(400), "]".repeat(400));
    add("deeply nested", forge.sign_text(&header_text, &format!("{{\"x\":{deep}}}")));

    add("empty", String::new());
    add("dots", "..".into());
    add("one part", header.into());
    add("two parts", format!("{header}.{payload}"));
    add("no signature", format!("{header}.{payload}."));
    add("four parts", format!("{good}.{signature}"));
    add("five parts, as if encrypted", format!("{header}.{payload}.{signature}.{payload}.{signature}"));
    add("something behind", format!("{good}x"));
    add("a dot behind", format!("{good}."));
    add("a blank before", format!(" {good}"));
    add("a line break behind", format!("{good}\n"));
    add("a line break inside", format!("{header}.\n{payload}.{signature}"));
    add("padding", format!("{header}.{payload}.{signature}=="));
    add("the other alphabet", format!("{header}.{payload}.{}", signature.replace(['-', '_'], "+")));
    add("signature cut", format!("{header}.{payload}.{}", &signature[..signature.len() - 4]));
    add("signature of zeros", format!("{header}.{payload}.{}", b64([0; 64])));
    add("signature of the identity point", {
        let mut identity = [0; 64];
        identity[0] = 1;
        format!("{header}.{payload}.{}", b64(identity))
    });
    add(
        "signature of another token",
        format!("{header}.{payload}.{}", forge.good().rsplit('.').next().unwrap()),
    );
    add("signature with s + L", format!("{header}.{payload}.{}", b64(malleable(signature))));
    add("claims of another token", {
        let other = forge.good();
        format!("{header}.{}.{signature}", other.split('.').nth(1).unwrap())
    });
    // The last character of 64 bytes carries four bits that decode to nothing.
    add("bits that decode to nothing", {
        let last = signature.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
        format!("{header}.{payload}.{}{next}", &signature[..signature.len() - 1])
    });
    add("oversized claims", forge.with_claims(|c| c["jti"] = json!("x".repeat(4000))));
    add("oversized by far", "x".repeat(1 << 20));
    add(
        "JSON serialisation",
        json!({"payload": payload, "protected": header, "signature": signature}).to_string(),
    );
    add("percent-encoded", good.replace('.', "%2E"));
    add("in capitals", good.to_uppercase());
    corpus
}

/// The same signature with its scalar raised by the order of the group: lax verifiers take both.
fn malleable(signature: &str) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let mut carry = 0;
    for (byte, add) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    bytes
}

#[test]
fn every_crafted_token_is_refused() {
    let der = SigningKey::generate();
    let tokens = tokens(&der, &Clock::manual(noon()));
    let forge = Forge::new(&der);
    assert!(tokens.verify(&forge.good()).is_ok(), "the forge makes good ones, too");
    let corpus = corpus(&forge);
    for (name, token) in &corpus {
        assert!(tokens.verify(token).is_err(), "{name}: {token}");
    }
    assert!(corpus.len() >= 120, "{}", corpus.len());
}

#[test]
fn any_changed_character_is_noticed() {
    let tokens = tokens(&SigningKey::generate(), &Clock::manual(noon()));
    let token = tokens.issue(UserId::new(), SessionId::new()).unwrap().token;
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert!(tokens.verify(&String::from_utf8(bytes).unwrap()).is_err(), "{at}");
    }
}

#[test]
fn a_token_names_its_user_until_it_expires() {
    let clock = Clock::manual(noon());
    let tokens = tokens(&SigningKey::generate(), &clock);
    let (user, session) = (UserId::new(), SessionId::new());
    let token = tokens.issue(user, session).unwrap().token;
    let verified = tokens.verify(&token).unwrap();
    assert_eq!((verified.user_id, verified.session_id), (user, session));
    assert_eq!(verified.expires_at, noon() + TimeDelta::minutes(15));
    clock.advance(TimeDelta::seconds(899));
    assert!(tokens.verify(&token).is_ok());
    clock.advance(TimeDelta::seconds(1));
    assert_eq!(tokens.verify(&token).unwrap_err(), Refused::Expired);
    clock.advance(TimeDelta::hours(-2));
    assert_eq!(tokens.verify(&token).unwrap_err(), Refused::Invalid, "from the future");
}

#[test]
fn a_replaced_key_is_good_for_the_life_of_its_last_token() {
    let clock = Clock::manual(noon());
    let (old, new) = (SigningKey::generate(), SigningKey::generate());
    let tokens = tokens(&old, &clock);
    let issue = || tokens.issue(UserId::new(), SessionId::new()).unwrap().token;
    let first = issue();
    tokens.use_keys(&keys(&new));
    let second = issue();
    assert!(tokens.verify(&first).is_ok() && tokens.verify(&second).is_ok());
    assert_eq!(tokens.public_keys().len(), 2);
    // Read again and again, as it is while a key stays: that prolongs nothing.
    clock.advance(TimeDelta::minutes(14));
    tokens.use_keys(&keys(&new));
    assert!(tokens.verify(&first).is_ok());
    let third = issue();
    clock.advance(TimeDelta::minutes(2));
    tokens.use_keys(&keys(&new));
    assert!(tokens.verify(&first).is_err());
    assert_eq!(tokens.public_keys().len(), 1);
    assert!(tokens.verify(&third).is_ok());
}

proptest! {
    /// What no key of ours has signed is refused, whatever it looks like; and so is a good one with a character changed.
    #[test]
    fn nothing_but_what_was_signed_is_a_token(
        text in prop_oneof![".{0,200}", "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{86}"],
        header in ".{0,80}",
        claims in ".{0,80}",
        at in any::<prop::sample::Index>(),
        with in "[A-Za-z0-9_.=-]",
    ) {
        let der = SigningKey::generate();
        let (tokens, forge) = (tokens(&der, &Clock::manual(noon())), Forge::new(&der));
        prop_assert!(tokens.verify(&text).is_err());
        // Signed by us, and still no token.
        prop_assert!(tokens.verify(&forge.sign_text(&header, &claims)).is_err());
        prop_assert!(tokens.verify(&forge.sign_text(&forge.header().to_string(), &claims)).is_err());
        let good = forge.good();
        prop_assert!(tokens.verify(&good).is_ok());
        let at = at.index(good.len());
        let bent = format!("{}{with}{}", &good[..at], &good[at + 1..]);
        prop_assert!(bent == good || tokens.verify(&bent).is_err(), "{}", bent);
    }
}
