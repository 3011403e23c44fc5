//! A small OpenID provider: a real HTTP server with real keys, strict about what it is asked, and able to lie.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256};
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub const CLIENT_ID: &str = "counterfoil & sons";
pub const CLIENT_SECRET: &str = "a secret: of this test/+";

pub struct Issuer {
    pub url: String,
    pub state: Arc<Mutex<Truth>>,
    serving: JoinHandle<()>,
}

pub type Twist = Box<dyn Fn(&mut Value) + Send>;
pub type Forge = Box<dyn Fn(&Value) -> String + Send>;

/// What the provider does with the next code, and what it has seen.
pub struct Truth {
    url: String,
    /// The first signs.
    pub keys: Vec<Key>,
    codes: HashMap<String, Grant>,
    /// Changes the claims that go into the next tokens.
    pub twist: Twist,
    /// Instead of a signed token.
    pub forge: Option<Forge>,
    pub userinfo: Value,
    /// Merged into the discovery document.
    pub about: Value,
    pub is_broken: bool,
    pub key_reads: u32,
}

struct Grant {
    redirect_uri: String,
    challenge: String,
    claims: Value,
}

pub enum Key {
    Rsa(String, RsaKeyPair),
    Ec(String, EcdsaKeyPair),
}

impl Key {
    pub fn rsa(kid: &str) -> Self {
        Self::Rsa(kid.into(), RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))
    }

    pub fn ec(kid: &str) -> Self {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.expect("a key").as_ref());
        Self::Ec(kid.into(), pair.expect("a key"))
    }

    fn public(&self) -> Value {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        match self {
            Self::Rsa(kid, pair) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
                json!({"kty": "RSA", "kid": kid, "use": "sig", "n": text(n), "e": text(e)})
            }
            Self::Ec(kid, pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = (text(&point[..32]), text(&point[32..]));
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y})
            }
        }
    }

    pub fn sign(&self, claims: &Value) -> String {
        let (alg, kid) = match self {
            Self::Rsa(kid, _) => ("RS256", kid),
            Self::Ec(kid, _) => ("ES256", kid),
        };
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&json!({"alg": alg, "kid": kid})), part(claims));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(_, pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).expect("signed");
                signature
            }
            Self::Ec(_, pair) => pair.sign(&random, signed.as_bytes()).expect("signed").as_ref().to_vec(),
        };
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

impl Issuer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        let url = format!("http://{address}/realm");
        let truth = Truth {
            url: url.clone(),
            keys: vec![Key::rsa("first"), Key::ec("other")],
            codes: HashMap::new(),
            twist: Box::new(|_| ()),
            forge: None,
            userinfo: Value::Null,
            about: json!({}),
            is_broken: false,
            key_reads: 0,
        };
        let state = Arc::new(Mutex::new(truth));
        let router = Router::new()
            .route("/realm/.well-known/openid-configuration", get(discovery))
            .route("/realm/keys", get(keys))
            .route("/realm/token", post(token))
            .route("/realm/userinfo", get(userinfo))
            .with_state(state.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("served") });
        Self { url, state, serving }
    }

    pub fn change(&self, change: impl FnOnce(&mut Truth)) {
        change(&mut self.state.lock().expect("no test has panicked with it"));
    }

    /// What the provider's own pages would do once somebody has logged in there: a code, and the state to hand back.
    pub fn authorize(&self, authorization_url: &str, person: Value) -> (String, String) {
        let url: url::Url = authorization_url.parse().expect("a URL");
        assert_eq!(
            format!("{}{}", url.origin().ascii_serialization(), url.path()),
            format!("{}/login", self.url)
        );
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let asked = |name: &str| query.get(name).unwrap_or_else(|| panic!("no {name} in {url}")).clone();
        assert_eq!((asked("response_type").as_str(), asked("client_id").as_str()), ("code", CLIENT_ID));
        assert_eq!(asked("code_challenge_method"), "S256");
        assert!(asked("scope").split(' ').any(|scope| scope == "openid"));
        assert_eq!(asked("state").len(), 43, "256 bits");
        let code = format!("code-{}", uuid::Uuid::new_v4());
        let mut claims = json!({"nonce": asked("nonce")});
        claims.as_object_mut().expect("an object").extend(person.as_object().expect("an object").clone());
        let grant = Grant { redirect_uri: asked("redirect_uri"), challenge: asked("code_challenge"), claims };
        self.change(|truth| drop(truth.codes.insert(code.clone(), grant)));
        (code, asked("state"))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type Shared = State<Arc<Mutex<Truth>>>;

async fn discovery(State(state): Shared) -> (StatusCode, Json<Value>) {
    let truth = state.lock().expect("unharmed");
    if truth.is_broken {
        return (StatusCode::BAD_GATEWAY, Json(json!("gone")));
    }
    let url = &truth.url;
    let mut about = json!({
        "issuer": url, "authorization_endpoint": format!("{url}/login?tenant=x"),
        "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
        "userinfo_endpoint": format!("{url}/userinfo"), "response_types_supported": ["code"],
    });
    about.as_object_mut().expect("an object").extend(truth.about.as_object().expect("an object").clone());
    (StatusCode::OK, Json(about))
}

async fn keys(State(state): Shared) -> Json<Value> {
    let mut truth = state.lock().expect("unharmed");
    truth.key_reads += 1;
    let mut keys: Vec<Value> = truth.keys.iter().map(Key::public).collect();
    keys.push(json!({"kty": "FUTURE", "kid": "unknown kind", "q": "x"}));
    Json(json!({"keys": keys}))
}

async fn userinfo(State(state): Shared, headers: HeaderMap) -> Json<Value> {
    assert_eq!(headers[header::AUTHORIZATION], "Bearer an access token of the provider");
    Json(state.lock().expect("unharmed").userinfo.clone())
}

async fn token(
    State(state): Shared,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let mut truth = state.lock().expect("unharmed");
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": error})));
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(CLIENT_ID), encoded(CLIENT_SECRET));
    let is_known = match headers.get(header::AUTHORIZATION) {
        Some(basic) => *basic == format!("Basic {}", BASE64.encode(pair.as_bytes())),
        None => form.get("client_id").zip(form.get("client_secret")).is_some_and(|(id, secret)| {
            truth.about["token_endpoint_auth_methods_supported"][0] == "client_secret_post"
                && id == CLIENT_ID
                && secret == CLIENT_SECRET
        }),
    };
    if !is_known {
        return refuse("invalid_client");
    }
    // A code is good once.
    let Some(grant) = form.get("code").and_then(|code| truth.codes.remove(code)) else {
        return refuse("invalid_grant");
    };
    let verifier = form.get("code_verifier").map_or("", String::as_str);
    let is_bound = BASE64URL_NOPAD.encode(&Sha256::digest(verifier)) == grant.challenge
        && form.get("redirect_uri") == Some(&grant.redirect_uri)
        && form.get("grant_type").is_some_and(|kind| kind == "authorization_code");
    if !is_bound {
        return refuse("invalid_grant");
    }
    let mut claims = json!({"iss": truth.url, "aud": CLIENT_ID});
    claims.as_object_mut().expect("an object").extend(grant.claims.as_object().expect("an object").clone());
    (truth.twist)(&mut claims);
    let token = match &truth.forge {
        Some(forge) => forge(&claims),
        None => truth.keys[0].sign(&claims),
    };
    let answer = json!({
        "id_token": token, "access_token": "an access token of the provider", "token_type": "Bearer",
    });
    (StatusCode::OK, Json(answer))
}
