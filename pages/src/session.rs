//! Who visits: the cookies that hold the tokens of a session, and the defence against forms of other sites.
//!
//! The tokens are the API's own. The cookie of the access token is gone when it expires, and the refresh token, which
//! is good once, gets the next pair: see [`super::renewal`]. A session that is ended opens no page any more. Two things
//! guard a change: the browser itself says where the request comes from (`Sec-Fetch-Site`, or `Origin`), and the form
//! holds a token made from the session, masked anew for every page so that compression gives nothing of it away.

use crate::problem;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// With the prefix a browser takes it over HTTPS only, for this host only.
const SECURE_NAME: &str = "__Host-counterfoil";
const PLAIN_NAME: &str = "counterfoil";
const SECURE_REFRESH_NAME: &str = "__Host-counterfoil-refresh";
const PLAIN_REFRESH_NAME: &str = "counterfoil-refresh";
/// So much earlier than the token expires its cookie goes: a request that is under way then still opens something.
const EARLY_S: i64 = 20;

/// Whether the visitor's connection is encrypted, as the proxy in front says. A lie only concerns the liar's cookie.
pub(crate) fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// The value of a cookie.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// The access token of the session, unverified.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let name = if is_https(headers) { SECURE_NAME } else { PLAIN_NAME };
    cookie(headers, name).filter(|token| !token.is_empty())
}

/// The refresh token of the session, unverified.
pub(crate) fn refresh_token(headers: &HeaderMap) -> Option<&str> {
    let name = if is_https(headers) { SECURE_REFRESH_NAME } else { PLAIN_REFRESH_NAME };
    cookie(headers, name).filter(|token| !token.is_empty())
}

/// What a login or a refresh gives.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Tokens {
    pub access_token: String,
    pub expires_in_s: i64,
    pub refresh_token: String,
    pub refresh_expires_at: DateTime<Utc>,
}

/// `Set-Cookie` of a session that begins or goes on, the access token first.
pub(crate) fn cookies(headers: &HeaderMap, tokens: &Tokens, now: DateTime<Utc>) -> [String; 2] {
    let access_s = (tokens.expires_in_s - EARLY_S).max(tokens.expires_in_s / 2);
    let refresh_s = (tokens.refresh_expires_at - now).num_seconds().max(0);
    [
        set(headers, [PLAIN_NAME, SECURE_NAME], &tokens.access_token, access_s),
        set(headers, [PLAIN_REFRESH_NAME, SECURE_REFRESH_NAME], &tokens.refresh_token, refresh_s),
    ]
}

/// `Set-Cookie` that ends it.
pub(crate) fn end(headers: &HeaderMap) -> [String; 2] {
    [
        set(headers, [PLAIN_NAME, SECURE_NAME], "", 0),
        set(headers, [PLAIN_REFRESH_NAME, SECURE_REFRESH_NAME], "", 0),
    ]
}

/// The cookies of a request with another access token, for what reads them further in.
pub(crate) fn with_token(headers: &HeaderMap, token: &str) -> String {
    let name = if is_https(headers) { SECURE_NAME } else { PLAIN_NAME };
    let others = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let others = others.flat_map(|value| value.split(';')).map(str::trim);
    let others = others.filter(|pair| pair.split_once('=').is_none_or(|(found, _)| found != name));
    others.map(str::to_owned).chain([format!("{name}={token}")]).collect::<Vec<_>>().join("; ")
}

fn set(headers: &HeaderMap, [plain, guarded]: [&str; 2], token: &str, max_age_s: i64) -> String {
    let (name, secure) = if is_https(headers) { (guarded, "; Secure") } else { (plain, "") };
    format!("{name}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}")
}

/// `Set-Cookie` of a preference. No secret: scripts may read it.
pub(crate) fn preference(headers: &HeaderMap, name: &str, value: &str) -> String {
    let secure = if is_https(headers) { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax{secure}")
}

/// The token of this session's forms, in a new disguise: 64 random hex digits, and the digest of the session under
/// them.
pub(crate) fn form_token(token: &str) -> String {
    let mask: Vec<u8> =
        [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].iter().flat_map(|id| *id.as_bytes()).collect();
    let masked = mask.iter().zip(form_secret(token)).map(|(mask, byte)| mask ^ byte);
    mask.iter().copied().chain(masked).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a form was made for this session.
pub(crate) fn is_form_token(token: &str, given: &str) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = given.as_bytes().chunks_exact(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8)).collect();
    let Some(bytes) = bytes.filter(|bytes| bytes.len() == 64 && given.len() == 128) else { return false };
    let (mask, masked) = bytes.split_at(32);
    let differing = mask.iter().zip(masked).zip(form_secret(token)).map(|((m, x), s)| m ^ x ^ s);
    // Looks at all of them: time tells nothing.
    differing.fold(0, |all, byte| all | byte) == 0
}

fn form_secret(token: &str) -> [u8; 32] {
    let session = session_of(token).unwrap_or_else(|| token.to_owned());
    Sha256::new().chain_update(b"counterfoil form\0").chain_update(session).finalize().into()
}

/// The session that a token names, unverified: its forms outlive the token, which is renewed while they are filled in.
fn session_of(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sid: String,
    }
    let payload = BASE64URL_NOPAD.decode(token.split('.').nth(1)?.as_bytes()).ok()?;
    serde_json::from_slice::<Claims>(&payload).ok().map(|claims| claims.sid)
}

/// Refuses changes that another site's page asks for.
pub(crate) async fn refuse_other_sites(request: Request, next: Next) -> Response {
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
    if is_change && !is_same_origin(request.headers()) {
        return problem::refused("Open the page here and send its form again");
    }
    next.run(request).await
}

fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some(site), ..) => site == "same-origin",
        (None, Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        // Browsers send at least one with every form.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>()
    }

    #[test]
    fn form_tokens_are_of_one_session_and_never_look_the_same() {
        let (one, again) = (form_token("a.b.c"), form_token("a.b.c"));
        assert_ne!(one, again);
        assert!(is_form_token("a.b.c", &one) && is_form_token("a.b.c", &again));
        assert!(!is_form_token("a.b.d", &one));
        for bad in ["", "00", &one[2..], &"0".repeat(128), &"é".repeat(64), &format!("{one}00")] {
            assert!(!is_form_token("a.b.c", bad), "{bad}");
        }
    }

    #[test]
    fn the_browser_says_where_a_form_comes_from() {
        let same = |pairs: &[(&'static str, &str)]| is_same_origin(&headers(pairs));
        assert!(same(&[("sec-fetch-site", "same-origin")]));
        assert!(same(&[("origin", "https://books.example"), ("host", "books.example")]));
        assert!(!same(&[("sec-fetch-site", "same-site")]));
        assert!(!same(&[("sec-fetch-site", "cross-site"), ("origin", "http://a"), ("host", "a")]));
        assert!(!same(&[("origin", "https://evil.example"), ("host", "books.example")]));
        assert!(!same(&[("origin", "null"), ("host", "books.example")]));
        assert!(!same(&[("host", "books.example")]));
    }

    #[test]
    fn behind_tls_only_the_guarded_cookie_counts() {
        let plain = headers(&[("cookie", "a=b; counterfoil=token; c=d")]);
        assert_eq!(token(&plain), Some("token"));
        let tls = headers(&[("cookie", "counterfoil=token"), ("x-forwarded-proto", "https")]);
        assert_eq!(token(&tls), None);
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let tokens = Tokens {
            access_token: "t".into(),
            expires_in_s: 80,
            refresh_token: "r".into(),
            refresh_expires_at: "2026-01-01T01:00:00Z".parse().unwrap(),
        };
        let [access, refresh] = cookies(&tls, &tokens, now);
        assert_eq!(access, "__Host-counterfoil=t; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure");
        assert!(refresh.starts_with("__Host-counterfoil-refresh=r; Path=/; Max-Age=3600; HttpOnly"));
        assert!(!cookies(&plain, &tokens, now).concat().contains("Secure"));
        assert_eq!(with_token(&plain, "new"), "a=b; c=d; counterfoil=new");
        assert!(end(&plain).iter().all(|cookie| cookie.contains("Max-Age=0")));
    }

    #[test]
    fn forms_outlive_the_token_of_their_session() {
        let token = |sid: &str, jti: &str| {
            let claims = BASE64URL_NOPAD.encode(format!(r#"{{"sid":"{sid}","jti":"{jti}"}}"#).as_bytes());
            format!("head.{claims}.signature")
        };
        let form = form_token(&token("one", "1"));
        assert!(is_form_token(&token("one", "2"), &form));
        assert!(!is_form_token(&token("two", "1"), &form));
    }
}
