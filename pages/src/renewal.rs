//! Going on with a session whose access token has expired: the refresh token gets the next pair before the page is made.
//!
//! A refresh token is good once, and one that comes twice ends its session. But a browser asks for several things at
//! the same time, each with the cookies it has: so whoever comes with the same refresh token, within half a minute and
//! to the same process, gets the same pair. Where several processes answer, two tabs that are restored at once may ask
//! two of them; then the session ends, and somebody has to log in.

use crate::Site;
use crate::ask::{Ask, Refusal};
use crate::session::{self, Tokens};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// How long those who come late get the pair of those before them.
const SHARED: Duration = Duration::from_secs(30);
/// Renewals that are kept; with more, the oldest is forgotten.
const KEPT_MAX: usize = 10_000;

/// By the digest of the refresh token.
#[derive(Clone, Default)]
pub(crate) struct Renewals(Arc<Mutex<HashMap<[u8; 32], Renewal>>>);

struct Renewal {
    begun_at: Instant,
    /// `None`: the token is no good.
    tokens: Arc<OnceCell<Option<Tokens>>>,
}

impl Renewals {
    fn of(&self, refresh_token: &str) -> Arc<OnceCell<Option<Tokens>>> {
        let (digest, now) = (Sha256::digest(refresh_token).into(), Instant::now());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, renewal| now.duration_since(renewal.begun_at) < SHARED);
        if kept.len() >= KEPT_MAX
            && let Some(oldest) =
                kept.iter().min_by_key(|(_, renewal)| renewal.begun_at).map(|(digest, _)| *digest)
        {
            kept.remove(&oldest);
        }
        let renewal = kept.entry(digest).or_insert_with(|| Renewal { begun_at: now, tokens: Arc::default() });
        renewal.tokens.clone()
    }
}

/// Renews where there is only a refresh token. Whoever has a token goes on with it, good or not.
pub(crate) async fn keep(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let begins = request.uri().path() == "/register" || request.uri().path().starts_with("/login");
    let refresh = session::refresh_token(&headers).filter(|_| session::token(&headers).is_none() && !begins);
    let Some(refresh) = refresh else { return next.run(request).await };
    let shared = site.renewals.of(refresh);
    let tokens = match shared.get_or_try_init(|| renew(&site, &headers, refresh)).await {
        Ok(tokens) => tokens.clone(),
        // The API cannot say now; the token may still be good.
        Err(refusal) => return refusal.into_response(),
    };
    let cookies = match &tokens {
        Some(tokens) => {
            if let Ok(cookie) = HeaderValue::from_str(&session::with_token(&headers, &tokens.access_token)) {
                request.headers_mut().insert(header::COOKIE, cookie);
            }
            session::cookies(&headers, tokens, Utc::now())
        }
        None => session::end(&headers),
    };
    let mut response = next.run(request).await;
    // Unless the page itself has said something about the session.
    if !response.headers().contains_key(header::SET_COOKIE) {
        append(&mut response, &cookies);
    }
    response
}

pub(crate) fn append(response: &mut Response, cookies: &[String]) {
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

async fn renew(site: &Site, headers: &HeaderMap, refresh_token: &str) -> Result<Option<Tokens>, Refusal> {
    let ask = Ask::new(site.inside.clone(), None, headers);
    match ask.post::<Tokens>("/api/auth/refresh", &json!({"refresh_token": refresh_token})).await {
        Ok(tokens) => Ok(Some(tokens)),
        Err(refusal)
            if matches!(refusal.status, StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY) =>
        {
            Ok(None)
        }
        Err(refusal) => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_with_the_same_token_shares_one_renewal() {
        let renewals = Renewals::default();
        let (one, again, other) = (renewals.of("a"), renewals.of("a"), renewals.of("b"));
        assert!(Arc::ptr_eq(&one, &again) && !Arc::ptr_eq(&one, &other));
    }
}
