//! The provider as it is asked: what it says of itself, its keys, and what a code is worth.
//!
//! Everything goes through the guarded client of [`shared::outgoing`]: what a discovery document names is no address of
//! the operator's.

use super::id_token::{self, Expected};
use data_encoding::BASE64;
use jsonwebtoken::jwk::Jwk;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use shared::breaker::{Breaker, BreakerRules};
use shared::clock::Clock;
use shared::config::{Config, GroupRole, Oidc};
use shared::outgoing::{Guard, agent};
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use url::Url;
use url::form_urlencoded::byte_serialize;

const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How long what the provider says of itself is believed.
const KEPT_FOR: Duration = Duration::from_secs(3600);
/// Tokens with unknown keys must not make us read the keys more often.
const LOOK_PERIOD: Duration = Duration::from_secs(10);
const KEYS_MAX: usize = 100;

/// Why nobody can be let in now, or by this.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    /// Worth another try, later.
    #[error("the provider does not answer as it should: {0}")]
    Away(String),
    #[error("the provider did not take the code: {0}")]
    CodeRefused(String),
    #[error("the ID token is refused: {0}")]
    TokenRefused(#[from] id_token::Refused),
}

/// The one provider by which people log in.
pub(crate) struct Provider {
    pub(super) settings: Oidc,
    pub(super) group_roles: Vec<GroupRole>,
    pub(super) redirect_uri: String,
    issuer: String,
    client_id: String,
    agent: ureq::Agent,
    breaker: Breaker,
    clock: Clock,
    metadata: Mutex<Option<(Instant, Arc<Metadata>)>>,
    keys: Mutex<Option<(Instant, Arc<Vec<Jwk>>)>>,
}

/// OpenID Connect Discovery, as far as we need it.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    /// RFC 9207: the provider names itself when it sends somebody back.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
    access_token: Option<SecretString>,
    error: Option<String>,
}

impl Metadata {
    /// Where browsers are sent.
    pub fn authorization_url(&self) -> Result<Url, ProviderError> {
        let url = Url::parse(&self.authorization_endpoint).ok();
        let url = url.filter(|url| matches!(url.scheme(), "https" | "http"));
        url.ok_or_else(|| ProviderError::Away("its authorization endpoint is no address".into()))
    }
}

/// What a log-in has shown once and shows again: derived, never kept.
pub(super) struct Proof {
    pub nonce: String,
    pub code_verifier: SecretString,
}

impl Provider {
    /// `None`: no provider is configured.
    pub fn new(config: &Config, clock: Clock) -> Option<Self> {
        let settings = config.oidc.clone();
        let public_url = config.notifications.public_url.as_ref()?.trim_end_matches('/');
        Some(Self {
            issuer: settings.issuer.clone()?,
            client_id: settings.client_id.clone()?,
            group_roles: settings.group_roles(),
            redirect_uri: format!("{public_url}/login/provider/back"),
            agent: agent(Some(Guard::new(settings.networks())), PATIENCE),
            breaker: Breaker::new("provider", BreakerRules::default()),
            clock,
            metadata: Mutex::default(),
            keys: Mutex::default(),
            settings,
        })
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// What the provider says of itself, at most an hour old.
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, ProviderError> {
        let mut kept = self.metadata.lock().await;
        if let Some((_, metadata)) = kept.as_ref().filter(|(at, _)| at.elapsed() < KEPT_FOR) {
            return Ok(metadata.clone());
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let metadata: Metadata = self.get(url, None).await?;
        // Who answers for another would be believed as that other.
        if metadata.issuer != self.issuer {
            return Err(ProviderError::Away("its discovery document is of another issuer".into()));
        }
        let metadata = Arc::new(metadata);
        *kept = Some((Instant::now(), metadata.clone()));
        Ok(metadata)
    }

    /// The keys, at most an hour old; `anew`: at most ten seconds.
    async fn keys(&self, metadata: &Metadata, anew: bool) -> Result<Arc<Vec<Jwk>>, ProviderError> {
        let mut kept = self.keys.lock().await;
        let life = if anew { LOOK_PERIOD } else { KEPT_FOR };
        if let Some((_, keys)) = kept.as_ref().filter(|(at, _)| at.elapsed() < life) {
            return Ok(keys.clone());
        }
        #[derive(Deserialize)]
        struct KeySet {
            keys: Vec<Value>,
        }
        let set: KeySet = self.get(metadata.jwks_uri.clone(), None).await?;
        // Kinds of keys that we do not know are none of ours.
        let keys = set.keys.into_iter().take(KEYS_MAX).filter_map(|key| serde_json::from_value(key).ok());
        let keys = Arc::new(keys.collect::<Vec<Jwk>>());
        *kept = Some((Instant::now(), keys.clone()));
        Ok(keys)
    }

    /// What the provider says of whoever the code stands for.
    pub(super) async fn redeem(
        &self,
        code: &str,
        proof: &Proof,
    ) -> Result<Map<String, Value>, ProviderError> {
        let metadata = self.metadata().await?;
        let answer = self.trade(&metadata, code, proof).await?;
        let token = answer.id_token.ok_or_else(|| ProviderError::Away("it gave no ID token".into()))?;
        let expected = Expected {
            issuer: &self.issuer,
            client_id: &self.client_id,
            nonce: &proof.nonce,
            now: self.clock.now().timestamp(),
        };
        let mut claims = match id_token::verify(&token, &self.keys(&metadata, false).await?, &expected) {
            // It may sign with another key since we looked.
            Err(id_token::Refused::UnknownKey) => {
                id_token::verify(&token, &self.keys(&metadata, true).await?, &expected)?
            }
            verified => verified?,
        };
        if let (None, Some(url), Some(token)) =
            (claims.get("email"), &metadata.userinfo_endpoint, answer.access_token)
        {
            let more: Map<String, Value> = self.get(url.clone(), Some(token)).await?;
            // An answer about somebody else is no answer.
            if more.get("sub") == claims.get("sub") {
                for (name, value) in more {
                    claims.entry(name).or_insert(value);
                }
            }
        }
        Ok(claims)
    }

    async fn trade(
        &self,
        metadata: &Metadata,
        code: &str,
        proof: &Proof,
    ) -> Result<TokenAnswer, ProviderError> {
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("code_verifier", proof.code_verifier.expose_secret().to_owned()),
        ];
        let mut authorization = None;
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let takes_form_only = !methods.is_empty() && !methods.iter().any(|m| m == "client_secret_basic");
        match &self.settings.client_secret {
            Some(secret) if !takes_form_only => {
                let part = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", part(&self.client_id), part(secret.expose_secret()));
                authorization = Some(format!("Basic {}", BASE64.encode(pair.as_bytes())));
            }
            Some(secret) => {
                form.push(("client_id", self.client_id.clone()));
                form.push(("client_secret", secret.expose_secret().to_owned()));
            }
            None => form.push(("client_id", self.client_id.clone())),
        }
        let (agent, url) = (self.agent.clone(), metadata.token_endpoint.clone());
        let (status, answer) = self
            .asked(move || {
                let mut request = agent.post(&url).header("accept", "application/json");
                if let Some(authorization) = &authorization {
                    request = request.header("authorization", authorization);
                }
                let response = request.send_form(form).map_err(away)?;
                Ok((response.status().as_u16(), body_of(response)?))
            })
            .await?;
        let answer: TokenAnswer = read(&answer)?;
        match (status, answer.error.clone()) {
            (200, None) => Ok(answer),
            // RFC 6749, 5.2.
            (400 | 401, Some(error)) => Err(ProviderError::CodeRefused(error.chars().take(100).collect())),
            (status, _) => Err(ProviderError::Away(format!("its token endpoint answered {status}"))),
        }
    }

    /// One request, unless the provider is left alone for now.
    async fn asked<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
    ) -> Result<T, ProviderError> {
        if let Err(wait) = self.breaker.admit(Instant::now()) {
            return Err(ProviderError::Away(format!("it is left alone for {} s more", wait.as_secs() + 1)));
        }
        let asked = blocking(work).await;
        match &asked {
            Err(ProviderError::Away(_)) => self.breaker.failed(Instant::now()),
            _ => self.breaker.succeeded(),
        }
        asked
    }

    async fn get<T: DeserializeOwned>(
        &self,
        url: String,
        token: Option<SecretString>,
    ) -> Result<T, ProviderError> {
        let agent = self.agent.clone();
        let answer = self
            .asked(move || {
                let mut request = agent.get(&url).header("accept", "application/json");
                if let Some(token) = &token {
                    request = request.header("authorization", format!("Bearer {}", token.expose_secret()));
                }
                let response = request.call().map_err(away)?;
                match response.status().as_u16() {
                    200 => body_of(response),
                    status => Err(ProviderError::Away(format!("an address of it answered {status}"))),
                }
            })
            .await?;
        read(&answer)
    }
}

fn body_of(response: ureq::http::Response<ureq::Body>) -> Result<Vec<u8>, ProviderError> {
    let mut bytes = vec![];
    let mut reader = response.into_body().into_with_config().limit(ANSWER_BYTES_MAX).reader();
    reader.read_to_end(&mut bytes).map_err(|error| ProviderError::Away(shared::chain(&error)))?;
    Ok(bytes)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ProviderError> {
    serde_json::from_slice(bytes).map_err(|error| ProviderError::Away(format!("its answer: {error}")))
}

fn away(error: ureq::Error) -> ProviderError {
    ProviderError::Away(shared::chain(&error))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ProviderError::Away(shared::chain(&error))))
}
